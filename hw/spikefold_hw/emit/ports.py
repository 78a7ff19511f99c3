"""The ports of a top module: one for each field of a payload."""

from dataclasses import dataclass

from amaranth.hdl import Shape
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Flow

from spikefold_hw.emit.shell import Shell
from spikefold_hw.typed import Component


@dataclass(frozen=True)
class Port:
    """A port of the top."""

    name: str
    direction: str
    shape: Shape

    @property
    def width(self) -> int:
        """Bits."""
        return self.shape.width

    @property
    def declaration(self) -> str:
        """As it stands in the list of ports."""
        sign = "signed " if self.shape.signed else ""
        bits = f"[{self.shape.width - 1}:0] " if self.shape.width > 1 else ""
        return f"{self.direction} wire {sign}{bits}{self.name}"


def ports_of(component: Component, shell: Shell) -> tuple[list[Port], list[str]]:
    """Ports of the top of a component, clock and reset first, and what joins the core to them."""
    ports = [Port(shell.clock, "input", Shape(1)), Port(shell.reset, "input", Shape(1))]
    joins = [f".clk({shell.clock})", f".rst({'~' * shell.active_low}{shell.reset})"]
    for name, member in component.signature.members.items():
        own, joined = _stream(name, member) if member.is_signature else _plain(name, member)
        ports += own
        joins += joined
    return ports, joins


def _plain(name: str, member: wiring.Member) -> tuple[list[Port], list[str]]:
    """Port and connection of a member that is no stream."""
    direction = "output" if member.flow == Flow.Out else "input"
    return [Port(name, direction, Shape.cast(member.shape))], [f".{name}({name})"]


def _stream(name: str, member: wiring.Member) -> tuple[list[Port], list[str]]:
    """Ports and connections of a stream."""
    forward, backward = ("output", "input") if member.flow == Flow.Out else ("input", "output")
    shape = member.signature.members["payload"].shape
    valid, ready = Port(f"{name}__valid", forward, Shape(1)), Port(f"{name}__ready", backward, Shape(1))
    joins = [f".{port.name}({port.name})" for port in (valid, ready)]
    if not isinstance(shape, data.StructLayout):
        payload = Port(f"{name}__payload", forward, Shape.cast(shape))
        return [valid, payload, ready], [joins[0], f".{payload.name}({payload.name})", joins[1]]
    fields = [
        Port(f"{name}__payload__{field}", forward, Shape.cast(each)) for field, each in shape.members.items()
    ]
    packed = ", ".join(field.name for field in reversed(fields))
    return [valid, ready, *fields], [*joins, f".{name}__payload({{{packed}}})"]
