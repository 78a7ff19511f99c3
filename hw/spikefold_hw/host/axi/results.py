"""Results as packets of 32-bit words."""

from collections.abc import Iterator, Mapping, Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.axi.config import INDEX_BITS, WORD_BITS, AxiFormat
from spikefold_hw.host.axi.packets import AxisBeat
from spikefold_hw.parts.admission import Ticket
from spikefold_hw.streams import Logit
from spikefold_hw.typed import Component


class ResultPackets(Component):
    """One packet for each result: the logits if they are wanted, the tag if there is one, and the class.

    A logit is signed and takes a word. The last word has the class in its lower half, and `error` above it.

    Parameters
    ----------
    classes, logit_bits
        Of a result.
    format
        How it lies in a packet.

    Members
    -------
    i : In(stream(Logit))
        Results of the block, a beat per class.
    o : Out(stream(AxisBeat))
        Packets; TKEEP is all ones, TLAST is on the last word.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, classes: int, logit_bits: int, format: AxiFormat):  # noqa: A002 - as it is called
        self._format = format
        logit = Logit(classes, logit_bits, Ticket(format.tag_bits, True))
        super().__init__({"i": In(stream.Signature(logit)), "o": Out(stream.Signature(AxisBeat(WORD_BITS)))})

    def model(self, beats: Sequence[Mapping[str, int]]) -> Iterator[tuple[int, bool]]:
        """Words of the packets of results' beats, and whether each is a packet's last."""
        for beat in beats:
            if self._format.config.result == "logits":
                yield beat["logit"] & (1 << WORD_BITS) - 1, False
            if beat["last"]:
                if self._format.tag_bits:
                    yield beat["tag"], False
                yield beat["winner"] | beat["error"] << INDEX_BITS, True

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given, word = self.i.payload, self.o.payload
        logits, tagged = self._format.config.result == "logits", bool(self._format.tag_bits)
        parts = ["logit"] * logits + ["tag"] * tagged + ["class"]
        values = {"logit": given.logit, "class": given.winner | given.error << INDEX_BITS}
        values |= {"tag": given.tag} if tagged else {}
        part, final = Signal(range(len(parts))), Signal()
        # A beat brings its first word, and only the last beat all of them.
        first_sent = int(logits)
        m.d.comb += [
            final.eq(Mux(given.last, part == len(parts) - 1, 1)),
            word.keep.eq(~0),
            word.last.eq(given.last & final),
            self.o.valid.eq(self.i.valid & (given.last | first_sent)),
            self.i.ready.eq((self.o.ready & final) | ~(given.last | first_sent)),
        ]
        with m.Switch(part):
            for number, name in enumerate(parts):
                with m.Case(number):
                    m.d.comb += word.data.eq(values[name])
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += part.eq(Mux(final, 0, part + 1))
        return m
