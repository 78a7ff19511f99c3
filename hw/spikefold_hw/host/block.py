"""The block as a component of a host: an instance of the Verilog that was verified."""

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetInserter, ResetSignal, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import Flow, In, Out

from spikefold.errors import InputError
from spikefold_hw.emit import top_name
from spikefold_hw.emit.memories import FOLDER, FOLDER_HERE
from spikefold_hw.interface import Interface
from spikefold_hw.parts.admission import Ticket
from spikefold_hw.parts.counters import VALUE_BITS
from spikefold_hw.streams import Event, Logit, index_bits
from spikefold_hw.typed import Component


class Block(Component):
    """The ports of an emitted block, with a reset of its own.

    Parameters
    ----------
    interface
        The block from outside.
    gateware
        Its gateware, for Amaranth's simulator, which knows no Verilog; None for an instance of `<name>_top`.

    Members
    -------
    restart : In(1)
        One cycle resets the block; memories that were loaded must be loaded again.

    The others are those of the block: `i`, `o`, `counter_select`, `counter_value`, and with loaded memories
    `load`, `loaded`, `load_error`.

    Raises
    ------
    InputError
        If the block does not check its input: then a host could hang it.
    """

    restart: Signal
    i: stream.Interface
    o: stream.Interface
    load: stream.Interface
    loaded: Signal
    load_error: Signal
    counter_select: Signal
    counter_value: Signal

    def __init__(self, interface: Interface, gateware: "Component | None" = None):
        if not interface.checks:
            raise InputError(
                f"Block of a host must check its input, but {interface.name!r} does not; compile with checks"
            )
        self.interface, self._gateware = interface, gateware
        channels, tag_bits = interface.input.map.channels, interface.tag_bits
        logit = Logit(interface.classes, interface.logit_bits, Ticket(tag_bits, interface.checks))
        members = {
            "i": In(stream.Signature(Event(channels, interface.input.levels, tag_bits))),
            "o": Out(stream.Signature(logit)),
            "counter_select": In(index_bits(len(interface.counters))),
            "counter_value": Out(VALUE_BITS),
        }
        if interface.loaded:
            members |= {"load": In(stream.Signature(8)), "loaded": Out(1), "load_error": Out(1)}
        self._ports = members
        super().__init__(members | {"restart": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._gateware is not None:
            m.submodules.block = ResetInserter(self.restart)(self._gateware)
            for name, member in self._ports.items():
                inner, outer = getattr(self._gateware, name), getattr(self, name)
                if member.is_signature:
                    wiring.connect(m, wiring.flipped(outer), inner)
                else:
                    m.d.comb += outer.eq(inner) if member.flow == Flow.Out else inner.eq(outer)
            return m
        joins = [
            (_direction(m_), n, getattr(self, n)) for n, m_ in self._ports.items() if not m_.is_signature
        ]
        for name, member in self._ports.items():
            if member.is_signature:
                joins += _stream_joins(name, getattr(self, name), member.flow == Flow.Out)
        m.submodules.block = Instance(
            top_name(self.interface.name),
            ("p", FOLDER, FOLDER_HERE),
            ("i", "clk", ClockSignal()),
            ("i", "rst", ResetSignal() | self.restart),
            *joins,
        )
        return m


def _direction(member: wiring.Member) -> str:
    return "o" if member.flow == Flow.Out else "i"


def _stream_joins(name: str, port: Any, sends: bool) -> list[tuple[str, str, Value]]:
    """Connections of a stream of the instance: a port for each field of its payload."""
    forward, backward = ("o", "i") if sends else ("i", "o")
    joins = [(forward, f"{name}__valid", port.valid), (backward, f"{name}__ready", port.ready)]
    shape = port.signature.members["payload"].shape
    if not isinstance(shape, data.StructLayout):
        return [*joins, (forward, f"{name}__payload", port.payload)]
    payload = Value.cast(port.payload)
    fields = [(each, shape[each]) for each in shape.members]
    return joins + [
        (forward, f"{name}__payload__{each}", payload[field.offset : field.offset + field.width])
        for each, field in fields
    ]
