"""Where samples come in: what every kind of entrance has in common, and the plainest of them."""

from collections.abc import Mapping
from typing import ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.streams import Event, EventStream
from spikefold_hw.typed import Component, View


class Ticket(data.StructLayout):
    """What a sample's result carries of its input: its tag, and whether the sample was broken."""

    def __init__(self, tag_bits: int, checked: bool):
        fields = {"tag": tag_bits, "error": int(checked)}
        super().__init__({name: width for name, width in fields.items() if width})


class Admission(Component):
    """The entrance of a network: one sample after another, each with a ticket for its result.

    Parameters
    ----------
    events
        What a sample is.
    tag_bits
        Width of a sample's tag.
    members
        Members that a kind has beside these.

    Members
    -------
    i : In(stream(Event))
        What a host sends; the tag counts in the beat with `end_sample`.
    o : Out(stream(Event))
        What the network gets, without tags.
    hold : In(1)
        No sample may begin.
    open : Out(1)
        A sample has begun, and its last beat has not gone on.
    ended : Out(1)
        Strobe: the last beat of a sample goes on.
    ticket : Out(Ticket)
        Its ticket, in that cycle.
    """

    checks: ClassVar[bool]
    """Whether samples are checked, and tickets have `error`."""

    i: stream.Interface
    o: stream.Interface
    hold: Signal
    open: Signal
    ended: Signal
    ticket: View

    def __init__(
        self, events: EventStream, tag_bits: int = 0, members: Mapping[str, wiring.Member] | None = None
    ):
        channels, levels = events.map.channels, events.levels
        self.tag_bits = tag_bits
        self.layout = Ticket(tag_bits, self.checks)
        own: dict[str, wiring.Member] = {
            "i": In(stream.Signature(Event(channels, levels, tag_bits))),
            "o": Out(stream.Signature(Event(channels, levels))),
            "hold": In(1),
            "open": Out(1),
            "ended": Out(1),
        }
        if self.layout.size:
            own["ticket"] = Out(self.layout)
        super().__init__(own | dict(members or {}))


class PlainInput(Admission):
    """Takes a host at its word: what comes in goes on in the same cycle."""

    checks = False
    latency = 0

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, may = self.i.payload, self.open | ~self.hold
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.o.valid.eq(self.i.valid & may),
            self.i.ready.eq(self.o.ready & may),
            self.ended.eq(taken & beat.end_sample),
        ]
        fields = self.o.payload.shape().members
        m.d.comb += [self.o.payload[name].eq(beat[name]) for name in fields]
        if self.tag_bits:
            m.d.comb += self.ticket.tag.eq(beat.tag)
        with m.If(taken):
            m.d.sync += self.open.eq(~beat.end_sample)
        return m
