"""A block's streams on one side, a wire on the other."""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.errors import InputError
from spikefold_hw.host.dense import DenseEvents
from spikefold_hw.host.registers import COUNTERS, Register, RegisterMap, own_address
from spikefold_hw.host.uart.answers import Answers, logit_bytes
from spikefold_hw.host.uart.bits import Receiver, Transmitter
from spikefold_hw.host.uart.frames import Deframer, Framer
from spikefold_hw.host.uart.hello import Hello, Trait
from spikefold_hw.host.uart.inbox import Inbox
from spikefold_hw.host.uart.levels import LevelDecoder
from spikefold_hw.host.uart.protocol import VERSION, Mode
from spikefold_hw.host.uart.rate import BitRate
from spikefold_hw.host.uart.slot import Slot
from spikefold_hw.interface import Interface
from spikefold_hw.parts.memory import Contents
from spikefold_hw.streams import connect, index_bits
from spikefold_hw.typed import Component

HELLO = "uart_hello"
"""Name of the memory with the body of a hello, and stem of its image."""

BUFFER_BITS = 9
"""Logarithm of the bytes of a device's buffer: a block RAM of the smallest chip."""

_ERRORS = (
    ("link_damaged", "damaged", "frames with a wrong checksum or form"),
    ("link_refused", "refused", "frames that were not taken: damaged, out of turn, or without room"),
)
_ERROR_BITS = 16
LINK_COUNTERS = tuple(name for name, _, _ in _ERRORS)
"""Names of the registers that a UART host has beside those of every host, in their order."""


def link_registers(interface: Interface) -> tuple[Register, ...]:
    """The registers that a UART host has beside those of every host: what went wrong on the wire."""
    first = own_address(interface)
    return tuple(
        Register(name, first + k, _ERROR_BITS, "read", f"{meaning}, since the reset; wraps around")
        for k, (name, _, meaning) in enumerate(_ERRORS)
    )


def hello_of(interface: Interface, registers: RegisterMap, clock_hz: int, buffer_bits: int) -> Hello:
    """What a device says of itself."""
    events = interface.input
    traits = Trait.POSITION_MAJOR * (events.time.order == "position_major") | Trait.LOADED * interface.loaded
    return Hello(
        identification=registers.identification,
        version=VERSION,
        buffer_bits=buffer_bits,
        logit_bits=interface.logit_bits if logit_bytes(interface.classes, interface.logit_bits) else 0,
        traits=traits,
        channels=events.map.channels,
        positions=events.map.positions,
        steps=events.time.steps,
        clock_khz=round(clock_hz / 1000),
    )


class UartLink(Component):
    """Takes samples from a wire and sends their results, whatever happens on the wire.

    Parameters
    ----------
    interface
        The block from outside.
    rate
        Of the wire.
    result
        Layout of a beat of the block's results.
    buffer_bits
        Logarithm of the bytes that wait for the block.
    contents
        Rows of the memory `HELLO`, for simulation in Amaranth.

    Members
    -------
    rx : In(1), tx : Out(1)
        The wire.
    restart : Out(1)
        Strobe: the host asks for a reset of the block, and of this link.
    events : Out(stream(Event)), results : In(stream(Logit))
        To and from the block.
    load : Out(stream(8)), loaded, load_error : In(1)
        For a block whose memories are loaded.
    counter_select : Out, counter_value : In
        The block's counters.

    Raises
    ------
    InputError
        If the block has more counters than an address reaches.
    """

    rx: Signal
    tx: Signal
    restart: Signal
    events: stream.Interface
    results: stream.Interface
    load: stream.Interface
    loaded: Signal
    load_error: Signal
    counter_select: Signal
    counter_value: Signal

    def __init__(
        self,
        interface: Interface,
        rate: BitRate,
        result: data.StructLayout,
        buffer_bits: int = BUFFER_BITS,
        contents: Contents | None = None,
    ):
        registers = link_registers(interface)
        if registers[-1].address > 0xFF:
            raise InputError(
                f"A host on a UART can read at most {0x100 - COUNTERS - len(registers)} counters, "
                f"not {len(interface.counters)}"
            )
        self._interface, self._registers, self._result = interface, registers, result
        self._receiver, self._transmitter = Receiver(rate), Transmitter(rate)
        self._inbox = Inbox(buffer_bits)
        self._levels, self._dense = LevelDecoder(interface.input), DenseEvents(interface.input)
        self._answers = Answers(interface.classes, result, HELLO, contents)
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "restart": Out(1),
                "events": Out(self._dense.o.signature),
                "results": In(stream.Signature(result)),
                "load": Out(stream.Signature(8)),
                "loaded": In(1),
                "load_error": In(1),
                "counter_select": Out(index_bits(len(interface.counters))),
                "counter_value": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = self._receiver
        m.submodules.transmitter = transmitter = self._transmitter
        m.submodules.deframer = deframer = Deframer()
        m.submodules.framer = framer = Framer(self._answers.longest)
        m.submodules.inbox = inbox = self._inbox
        m.submodules.answers = answers = self._answers
        connect(m, receiver.o, deframer.i)
        connect(m, deframer.o, inbox.i)
        m.submodules.sent = sent = Slot(answers.o.signature)
        connect(m, answers.o, sent.i)
        connect(m, sent.o, framer.i)
        connect(m, framer.o, transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            inbox.ended.eq(deframer.ended),
            inbox.good.eq(deframer.good),
            self.restart.eq(inbox.reset),
        ]
        self._take(m)
        self._answer(m)
        return m

    def _take(self, m: Module) -> None:
        """Data are samples or bytes to load."""
        m.submodules.levels, m.submodules.dense = levels, dense = self._levels, self._dense
        inbox, loads = self._inbox, self._inbox.mode[Mode.LOAD.bit_length() - 1]
        connect(m, levels.o, dense.i)
        connect(m, dense.o, wiring.flipped(self.events))
        slot = Slot(stream.Signature(8))
        m.submodules.taken = ResetInserter(inbox.started)(slot)  # a new session leaves no byte of the last
        connect(m, inbox.o, slot.i)
        begun = self._answers.begun
        count = Signal.like(begun)
        m.d.comb += [
            levels.abort.eq(inbox.started),
            levels.i.payload.eq(slot.o.payload),
            levels.i.valid.eq(slot.o.valid & ~loads),
            self.load.payload.eq(slot.o.payload),
            self.load.valid.eq(slot.o.valid & loads),
            slot.o.ready.eq(Mux(loads, self.load.ready, levels.i.ready)),
            begun.eq(count),
        ]
        m.d.sync += count.eq(count + levels.begins)

    def _answer(self, m: Module) -> None:
        """What an answer tells."""
        inbox, answers = self._inbox, self._answers
        m.submodules.result = result = Slot(stream.Signature(self._result))
        connect(m, wiring.flipped(self.results), result.i)
        connect(m, result.o, answers.results)
        for name in ("session", "consumed", "expected", "round", "address", "read", "refused", "accepted"):
            m.d.comb += getattr(answers, name).eq(getattr(inbox, name))
        chosen = answers.chosen
        m.d.comb += [
            answers.hello.eq(inbox.started),
            answers.status.eq(inbox.asked | inbox.drained),
            answers.with_logits.eq(inbox.mode[Mode.LOGITS.bit_length() - 1]),
            answers.loaded.eq(self.loaded),
            answers.load_error.eq(self.load_error),
            self.counter_select.eq(chosen - COUNTERS),
            answers.value.eq(self.counter_value),
        ]
        for register, (name, strobe, _) in zip(self._registers, _ERRORS, strict=True):
            value = Signal(register.bits, name=name)
            counts = Signal(name=f"counts_{strobe}")
            m.d.sync += [counts.eq(getattr(inbox, strobe)), value.eq(value + counts)]
            with m.If(chosen == register.address):
                m.d.comb += answers.value[: register.bits].eq(value)
