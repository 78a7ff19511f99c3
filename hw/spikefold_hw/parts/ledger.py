"""Tickets of the samples that are under way, in their order."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.memory import RegisterFile
from spikefold_hw.typed import Component

MARGIN = 3
"""Tickets that may still come when a ledger says that it is full: samples on their way in are not stopped."""


class Ledger(Component):
    """A queue of tickets: one comes in with the end of a sample and goes with the end of its result.

    Parameters
    ----------
    ticket
        Layout of a ticket; it may be empty, then samples are counted only.
    depth
        Samples under way at most, a power of two of at least 4.

    Members
    -------
    push, i : In
        Strobe: append the ticket `i`.
    pop : In(1)
        Strobe: the oldest ticket goes.
    o : Out
        The oldest ticket, from two cycles after its `push` on.
    some : Out(1)
        There is one.
    full : Out(1)
        There is room for `MARGIN` tickets at most.
    """

    push: Signal
    pop: Signal
    some: Signal
    full: Signal
    i: Any
    o: Any

    def __init__(self, ticket: data.StructLayout, depth: int):
        self._ticket, self._depth = ticket, depth
        members = {"push": In(1), "pop": In(1), "some": Out(1), "full": Out(1)}
        if ticket.size:
            members |= {"i": In(ticket), "o": Out(ticket)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        under_way = Signal(range(self._depth + 1))
        pushed = Signal()  # a push comes late in a cycle
        m.d.sync += [pushed.eq(self.push), under_way.eq(under_way + pushed - self.pop)]
        m.d.comb += [self.some.eq((under_way != 0) | pushed), self.full.eq(under_way >= self._depth - MARGIN)]
        if not self._ticket.size:
            return m
        m.submodules.memory = memory = RegisterFile(self._ticket, self._depth)
        # A pop comes late in a cycle, too: it enables a counter and does nothing else.
        write, read = memory.write_port(), memory.read_port(domain="comb")
        ticket = Signal(self._ticket.size, reset_less=True)
        last, first = Signal(range(self._depth)), Signal(range(self._depth))
        m.d.comb += [
            write.en.eq(pushed),
            write.addr.eq(last),
            write.data.eq(ticket),
            read.addr.eq(first),
            Value.cast(self.o).eq(read.data),
        ]
        m.d.sync += ticket.eq(self.i)
        with m.If(pushed):
            m.d.sync += last.eq(last + 1)
        with m.If(self.pop):
            m.d.sync += first.eq(first + 1)
        return m
