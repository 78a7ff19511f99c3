"""Faults that every proof of a stream component must find."""

from collections.abc import Callable

import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

Fault = Callable[[Module, stream.Interface, stream.Interface], None]


class Faulty(wiring.Component):
    """A component with a fault at one of its streams; to others it looks the same.

    Parameters
    ----------
    dut
        The component.
    fault
        A name in `FAULTS`; None for no fault.
    """

    def __init__(self, dut: wiring.Component, fault: str | None):
        self._dut, self._fault = dut, fault
        super().__init__(dut.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = self._dut
        wiring.connect(m, wiring.flipped(self), self._dut)
        if self._fault is not None:
            side, fault, _ = FAULTS[self._fault]
            names = [name for name, member in self.signature.members.items() if member.is_signature]
            name = next(name for name in names if (self.signature.members[name].flow is In) == (side == "i"))
            fault(m, getattr(self, name), getattr(self._dut, name))
        return m


def _nth(m: Module, outer: stream.Interface, turn: int = 1) -> Signal:
    """High until the beat of that number, counted from 0, has been handed over."""
    count, at = Signal(range(turn + 2), name="fault_count"), Signal(name="fault_at")
    m.d.comb += at.eq(count == turn)
    with m.If(outer.valid & outer.ready & (count <= turn)):
        m.d.sync += count.eq(count + 1)
    return at


def _loses(m: Module, outer: stream.Interface, inner: stream.Interface) -> None:
    with m.If(_nth(m, outer)):
        m.d.comb += [outer.ready.eq(1), inner.valid.eq(0)]


def _repeats(m: Module, outer: stream.Interface, inner: stream.Interface) -> None:
    with m.If(_nth(m, outer)):
        m.d.comb += inner.ready.eq(0)


def _changes(m: Module, outer: stream.Interface, inner: stream.Interface) -> None:
    with m.If(_nth(m, outer)):
        m.d.comb += Value.cast(outer.payload)[0].eq(~Value.cast(inner.payload)[0])


def _wavers(m: Module, outer: stream.Interface, inner: stream.Interface) -> None:
    toggle = Signal(name="fault_toggle")
    m.d.sync += toggle.eq(~toggle)
    with m.If(~outer.ready):
        m.d.comb += Value.cast(outer.payload)[0].eq(Value.cast(inner.payload)[0] ^ toggle)


def _withdraws(m: Module, outer: stream.Interface, inner: stream.Interface) -> None:
    toggle = Signal(name="fault_toggle")
    m.d.sync += toggle.eq(~toggle)
    m.d.comb += outer.valid.eq(inner.valid & (toggle | outer.ready))


def _mute(m: Module, outer: stream.Interface, inner: stream.Interface) -> None:
    m.d.comb += [outer.valid.eq(0), inner.ready.eq(0)]


def _deaf(m: Module, outer: stream.Interface, inner: stream.Interface) -> None:
    m.d.comb += [outer.ready.eq(0), inner.valid.eq(0)]


FAULTS: dict[str, tuple[str, Fault, str]] = {
    "loses": ("i", _loses, ""),
    "repeats": ("o", _repeats, ""),
    "changes": ("o", _changes, ""),
    "wavers": ("o", _wavers, "keeps its beat while stalled"),
    "withdraws": ("o", _withdraws, "keeps its beat while stalled"),
    "mute": ("o", _mute, "moves within"),
    "deaf": ("i", _deaf, "moves within"),
}
"""By name: at which side, what it does, and what the check that finds it says."""


def fault_cases(*without: str) -> list[object]:
    """Faults as parameters of a test, all but a few names; most of them are slow."""
    quick = ("loses", "wavers")
    return [
        name if name in quick else pytest.param(name, marks=pytest.mark.slow)
        for name in FAULTS
        if name not in without
    ]
