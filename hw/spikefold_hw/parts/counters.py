"""Counters that a host reads by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from spikefold_hw.streams import index_bits
from spikefold_hw.typed import Component

Counting = Literal["wraps", "saturates", "sticks"]
VALUE_BITS = 32


@dataclass(frozen=True)
class Counter:
    """A register that strobes move.

    Attributes
    ----------
    name, meaning
        What it counts.
    bits
        Its width.
    counting
        It wraps around at its width; or it stays at its largest value; or its bits stick, one for each
        bit of its strobe.
    step_bits
        Width of its strobe: how much is added at once.
    """

    name: str
    meaning: str
    bits: int = VALUE_BITS
    counting: Counting = "wraps"
    step_bits: int = 1

    def following(self, value: Value, step: Value) -> Value:
        """Its value after a strobe."""
        if self.counting == "sticks":
            return value | step
        added: Value = value + step
        return added if self.counting == "wraps" else Mux(value.all(), value, added)


class Counters(Component):
    """Registers, all cleared by a reset, and a port that reads one of them.

    Parameters
    ----------
    counters
        In the order of their numbers.

    Members
    -------
    strobes : In
        By `strobe_<name>`.
    select : In
        Number of a counter.
    value : Out(32)
        Its value one cycle later; a strobe shows three cycles after it came.
    """

    select: Signal
    value: Signal

    def __init__(self, counters: Sequence[Counter]):
        self._counters = tuple(counters)
        strobes = {f"strobe_{counter.name}": In(counter.step_bits) for counter in self._counters}
        super().__init__(strobes | {"select": In(index_bits(len(self._counters))), "value": Out(VALUE_BITS)})

    def strobe(self, name: str) -> Signal:
        """The strobe of a counter."""
        found: Signal = getattr(self, f"strobe_{name}")
        return found

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values = []
        for counter in self._counters:
            strobe = self.strobe(counter.name)
            value = Signal(counter.bits, name=counter.name)
            # Two registers: synthesis may find the first elsewhere, far from here.
            seen = Signal.like(strobe, name=f"seen_{counter.name}")
            step = Signal.like(strobe, name=f"add_{counter.name}")
            m.d.sync += [seen.eq(strobe), step.eq(seen), value.eq(counter.following(value, step))]
            values.append(value)
        m.d.sync += self.value.eq(Array(values)[self.select])
        return m
