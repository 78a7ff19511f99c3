"""Bytes on a wire: a start bit, eight bits, the lowest first, and a stop bit."""

from collections.abc import Iterable, Iterator

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.uart.rate import BitRate
from spikefold_hw.typed import Component


class _Ticks:
    """The accumulator of a rate: `tick` in the last cycle of each bit."""

    def __init__(self, m: Module, rate: BitRate):
        self._m, self._phase = m, Signal(rate.bits, name="phase")
        total = Signal(rate.bits + 1, name="total")
        m.d.comb += total.eq(self._phase + rate.step)
        m.d.sync += self._phase.eq(total)
        self.tick: Value = total[-1]

    def restart(self, part: int) -> None:
        """The next bit begins in the next cycle; 1 / `part` of it is over."""
        self._m.d.sync += self._phase.eq((1 << len(self._phase)) // part if part > 1 else 0)


class Receiver(Component):
    """Takes bytes from a wire.

    A falling edge starts a byte; each bit is looked at in its middle, or less than a cycle later. A start bit
    that is over by then was none. A byte whose stop bit is low is dropped, and nothing is taken until the
    wire is high.

    Parameters
    ----------
    rate
        Of the wire. With 8 cycles or more a bit the sender may be 2 % off, with 4 cycles 1 %.

    Members
    -------
    rx : In(1)
        The wire, of any clock; high where nobody sends.
    o : Out(stream(8))
        Bytes, one cycle each; the next at least nine bits later.
    broken : Out(1)
        Strobe: a byte had no stop bit.
    """

    rx: Signal
    o: stream.Interface
    broken: Signal

    latency = 4
    """Cycles from the middle of the stop bit on the wire to the byte, at most."""

    def __init__(self, rate: BitRate):
        self._rate = rate
        members = {
            "rx": In(1),
            "o": Out(stream.Signature(8, always_ready=True)),
            "broken": Out(1),
        }
        super().__init__(members)

    def model(self, wire: Iterable[int]) -> Iterator[int]:
        """The bytes of a wire, given its level in every cycle; -1 for a byte without stop bit."""
        phase, full, half = 0, 1 << self._rate.bits, 1 << (self._rate.bits - 1)
        taken: list[int] | None = None
        waits = False
        for level in wire:
            if taken is None:
                waits &= not level
                taken, phase = (None, half) if level or waits else ([], half)
                continue
            phase += self._rate.step
            if phase < full:
                continue
            phase -= full
            taken.append(level)
            if taken == [1]:
                taken = None
            elif len(taken) == 10:
                value = sum(bit << k for k, bit in enumerate(taken[1:9]))
                yield value if level else -1
                taken, waits = None, not level

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wire = Signal(init=1)
        m.submodules.wire = FFSynchronizer(self.rx, wire, init=1)
        ticks = _Ticks(m, self._rate)
        # A one goes down before the bits: where it arrives, they are all there.
        taken = Signal(9, reset_less=True)
        m.d.comb += [self.o.payload.eq(taken[1:])]
        m.d.sync += [self.o.valid.eq(0), self.broken.eq(0)]
        with m.FSM():
            with m.State("idle"):
                ticks.restart(2)
                with m.If(~wire):
                    m.next = "start"
            with m.State("start"):
                m.d.sync += taken.eq(1 << 8)
                with m.If(ticks.tick):
                    with m.If(wire):
                        m.next = "idle"
                    with m.Else():
                        m.next = "bits"
            with m.State("bits"), m.If(ticks.tick):
                m.d.sync += taken.eq(Cat(taken[1:], wire))
                with m.If(taken[0]):
                    m.d.sync += [taken.eq(taken), self.o.valid.eq(wire), self.broken.eq(~wire)]
                    m.next = "idle"
                    with m.If(~wire):
                        m.next = "high"
            with m.State("high"):
                ticks.restart(2)
                with m.If(wire):
                    m.next = "idle"
        return m


class Transmitter(Component):
    """Sends bytes on a wire.

    Parameters
    ----------
    rate
        Of the wire.

    Members
    -------
    i : In(stream(8))
        Bytes; ready when the stop bit of the last one is over.
    tx : Out(1)
        The wire; its level comes from a flip-flop.
    """

    i: stream.Interface
    tx: Signal

    latency = 1
    """Cycles from a byte's handshake to its start bit."""

    def __init__(self, rate: BitRate):
        self._rate = rate
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})

    def model(self, values: Iterable[int]) -> Iterator[int]:
        """The wire's level in every cycle for bytes that follow each other as fast as they can."""
        for value in values:
            phase = 0
            for bit in (0, *(value >> k & 1 for k in range(8)), 1):
                over = False
                while not over:
                    yield bit
                    phase += self._rate.step
                    over = phase >= 1 << self._rate.bits
                    phase %= 1 << self._rate.bits
            yield 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ticks = _Ticks(m, self._rate)
        # The bits that follow; the stop bit is the highest one.
        left = Signal(9)
        sends, level = Signal(), Signal(init=1)
        m.d.comb += [self.i.ready.eq(~sends), self.tx.eq(level)]
        with m.If(~sends):
            ticks.restart(1)
            m.d.sync += [left.eq(Cat(self.i.payload, Const(1, 1))), level.eq(~self.i.valid)]
            m.d.sync += sends.eq(self.i.valid)
        with m.Elif(ticks.tick):
            m.d.sync += [left.eq(left >> 1), level.eq(left[0] | ~left.any()), sends.eq(left.any())]
        return m
