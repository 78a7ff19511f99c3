"""What a device answers: frames, byte by byte, from results and from what is asked for."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.uart.cobs import LONGEST
from spikefold_hw.host.uart.hello import HELLO_BYTES
from spikefold_hw.host.uart.protocol import ANSWER_HEAD, CHECK_BYTES, Kind
from spikefold_hw.parts.counters import VALUE_BITS
from spikefold_hw.parts.memory import Contents, Rom
from spikefold_hw.typed import Component


def logit_bytes(classes: int, logit_bits: int) -> int:
    """Bytes of a logit in a result; 0 where the logits of all classes do not fit in a frame."""
    each = -(-logit_bits // 8)
    room = LONGEST - 1 - ANSWER_HEAD - CHECK_BYTES - class_bytes(classes)
    return each if classes * each <= room else 0


def class_bytes(classes: int) -> int:
    """Bytes of a class in a result."""
    return -(-max((classes - 1).bit_length(), 1) // 8)


class Answers(Component):
    """Sends frames, one at a time: results first, then a hello, the value of a register, the status.

    What is asked for while it is under way is answered once more. Results wait in the block: their stream is
    taken when a frame of theirs is sent, but for logits that nobody asked for.

    Parameters
    ----------
    classes
        Of a result.
    result
        Layout of a beat of the result stream, a `Logit`.
    hello
        Name of the memory with the body of a hello.
    contents
        Its bytes, for simulation in Amaranth.

    Members
    -------
    results : In(stream(Logit))
        The block's.
    o : Out(stream(StructLayout))
        Bytes of frames without checksum, as `Framer` takes them.
    hello, read, status, refused, accepted : In(1)
        Strobes: what is to be answered, and what `Flag.REFUSED` tells since the last answer.
    with_logits : In(1)
        Results have their logits.
    loaded, load_error : In(1)
        Flags.
    session, consumed, expected, round, address, begun : In(8)
        Numbers of the head; `begun` is that of a hello.
    value : In(32)
        Of the register `chosen`.
    chosen : Out(8)
        Address of the register that is answered, or was.
    done : Out(8)
        Results since the reset.
    """

    results: stream.Interface
    o: stream.Interface
    hello: Signal
    read: Signal
    status: Signal
    refused: Signal
    accepted: Signal
    with_logits: Signal
    loaded: Signal
    load_error: Signal
    session: Signal
    consumed: Signal
    expected: Signal
    round: Signal
    address: Signal
    begun: Signal
    value: Signal
    chosen: Signal
    done: Signal

    def __init__(self, classes: int, result: data.StructLayout, hello: str, contents: Contents | None = None):
        self._result, self._hello, self._contents = result, hello, contents
        self._class_bytes = class_bytes(classes)
        self._logit_bytes = logit_bytes(classes, result.members["logit"].width)
        bits = ("hello", "read", "status", "refused", "accepted", "with_logits", "loaded", "load_error")
        numbers = ("session", "consumed", "expected", "round", "address", "begun")
        super().__init__(
            {
                "results": In(stream.Signature(result)),
                "o": Out(stream.Signature(data.StructLayout({"byte": 8, "last": 1}))),
                "value": In(VALUE_BITS),
                "chosen": Out(8),
                "done": Out(8),
                **{name: In(1) for name in bits},
                **{name: In(8) for name in numbers},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.hello = rom = Rom(self._hello, 8, HELLO_BYTES, self._contents)
        place, free, begins = Signal(range(HELLO_BYTES)), Signal(), Signal()
        kind = Signal(3)
        due, status_due, was_refused = self._due(m, kind, begins)
        head, body = self._head(kind, was_refused), self._body(m, kind)
        is_hello, at_end = Signal(), Signal()
        read = rom.read_port()
        m.d.comb += [
            read.addr.eq(place),
            free.eq(~self.o.valid | self.o.ready),
            is_hello.eq(kind == Kind.HELLO),
            at_end.eq(Mux(is_hello, place == HELLO_BYTES - 1, place == body.last_byte)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("idle"):
                m.d.sync += [kind.eq(due), place.eq(0)]
                with m.If(due.any() | status_due):
                    m.d.comb += begins.eq(1)
                    m.next = "head"
            with m.State("head"), m.If(free):
                self._put(m, head[place[:3]], (place == ANSWER_HEAD - 1) & ~kind.any())
                m.d.sync += place.eq(place + 1)
                with m.If(place == ANSWER_HEAD - 1):
                    m.d.sync += place.eq(0)
                    m.next = "load"
                    with m.If(~kind.any()):
                        m.next = "idle"
            with m.State("load"):
                m.d.comb += body.load.eq(1)
                with m.If(body.loaded):
                    m.next = "body"
            with m.State("body"), m.If(free):
                self._put(m, Mux(is_hello, read.data, body.bytes[:8]), at_end & (is_hello | body.ends))
                m.d.sync += [place.eq(Mux(at_end, 0, place + 1)), body.bytes.eq(body.bytes >> 8)]
                with m.If(at_end):
                    m.next = "load"
                    with m.If(is_hello | body.ends):
                        m.next = "idle"
        return m

    def _put(self, m: Module, byte: Value, last: Value) -> None:
        m.d.sync += [self.o.valid.eq(1), self.o.payload.byte.eq(byte), self.o.payload.last.eq(last)]

    def _due(self, m: Module, kind: Signal, begins: Signal) -> tuple[Value, Signal, Signal]:
        """What is to be answered: the next kind, whether at least a status, and what `Flag.REFUSED` is."""
        hello, value, status, refused = (
            Signal(name=f"{name}_due") for name in ("hello", "value", "status", "refused")
        )
        with_logits = self.with_logits & (self._logit_bytes > 0)
        result = self.results.valid & (with_logits | self.results.payload.last)
        next_kind = Mux(result, Kind.RESULT, Mux(hello, Kind.HELLO, Mux(value, Kind.VALUE, Kind.STATUS)))
        with m.If(begins):
            m.d.sync += [status.eq(0), hello.eq(hello & result), value.eq(value & (result | hello))]
        with m.If(self.refused):
            m.d.sync += refused.eq(1)
        with m.Elif(self.accepted):
            m.d.sync += refused.eq(0)
        with m.If(self.status | self.refused | self.accepted):
            m.d.sync += status.eq(1)
        with m.If(self.hello):
            m.d.sync += hello.eq(1)
        # The register that is answered stays the same until that is done.
        with m.If(self.read & ~value & (kind != Kind.VALUE)):
            m.d.sync += [value.eq(1), self.chosen.eq(self.address)]
        return next_kind, status, refused

    def _head(self, kind: Signal, refused: Signal) -> Array[Value]:
        """The bytes of the head."""
        beat, is_result = self.results.payload, kind == Kind.RESULT
        error = beat.error & is_result if "error" in self._result.members else Const(0)
        flags = Cat(refused, error, self.loaded, self.load_error)
        number = Mux(kind == Kind.HELLO, self.begun, Mux(kind == Kind.VALUE, self.chosen, self.done))
        first = Cat(kind, Const(0, 1), flags)
        return Array([first, self.session, self.consumed, self.expected, self.round, number])

    def _body(self, m: Module, kind: Signal) -> "_Body":
        """What follows the head, but for the memory's: the value, or logits one by one and then the class."""
        logit_bits = 8 * self._logit_bytes
        body = _Body(max(VALUE_BITS, logit_bits))
        results, beat = self.results, self.results.payload
        is_result, skipped, is_logit = Signal(), Signal(), Signal()
        over = Signal()  # the last logit has been sent; its beat waits, as it has the class
        with_logits = self.with_logits & (logit_bits > 0)
        m.d.comb += [
            is_result.eq(kind == Kind.RESULT),
            is_logit.eq(with_logits & ~over),
            skipped.eq(~beat.last & ~with_logits),
            body.loaded.eq(~is_result | (results.valid & ~skipped)),
            results.ready.eq(skipped | (body.load & is_result & ~(is_logit & beat.last))),
        ]
        with m.If(body.load):
            m.d.sync += [body.bytes.eq(self.value), body.ends.eq(1), body.last_byte.eq(VALUE_BITS // 8 - 1)]
            with m.If(is_result):
                m.d.sync += [body.bytes.eq(beat.winner), body.last_byte.eq(self._class_bytes - 1), over.eq(0)]
            with m.If(is_result & is_logit):
                m.d.sync += [body.bytes.eq(beat.logit), body.last_byte.eq(self._logit_bytes - 1)]
                m.d.sync += [body.ends.eq(0), over.eq(beat.last)]
            with m.If(is_result & ~is_logit & body.loaded):
                m.d.sync += self.done.eq(self.done + 1)
        return body


class _Body:
    """The register that bytes behind a head are shifted out of, the lowest first.

    `load` asks for what comes next and `loaded` says that it is there; `last_byte` is the number of its last
    byte, and `ends` says that it is the last of its frame.
    """

    def __init__(self, bits: int):
        self.bytes = Signal(bits)
        self.load, self.loaded, self.ends = Signal(name="load"), Signal(name="loaded"), Signal(name="ends")
        self.last_byte = Signal(range(bits // 8))
