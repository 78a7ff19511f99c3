"""The top module: one port per field of a payload, signed where the field is."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Shape
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Flow

from spikefold_hw.emit.description import Description
from spikefold_hw.emit.header import header
from spikefold_hw.emit.memories import FOLDER
from spikefold_hw.emit.shell import Shell
from spikefold_hw.typed import Component


@dataclass(frozen=True)
class _Port:
    """A port of the top."""

    name: str
    direction: str
    shape: Shape

    @property
    def declaration(self) -> str:
        """As it stands in the list of ports."""
        sign = "signed " if self.shape.signed else ""
        bits = f"[{self.shape.width - 1}:0] " if self.shape.width > 1 else ""
        return f"{self.direction} wire {sign}{bits}{self.name}"


def top_verilog(component: Component, shell: Shell, description: Description, images: bool) -> str:
    """Text of the top: its header, its ports with their meaning, and the core.

    Parameters
    ----------
    component, shell, description
        As `emit`.
    images
        Whether a memory in the core reads its contents from a file.
    """
    members = component.signature.members.items()
    ports = [_Port(shell.clock, "input", Shape(1)), _Port(shell.reset, "input", Shape(1))]
    joins = [f".clk({shell.clock})", f".rst({'~' * shell.active_low}{shell.reset})"]
    for member, flow in members:
        own, joined = _stream(member, flow) if flow.is_signature else _plain(member, flow)
        ports += own
        joins += joined
    folder = f"#(.{FOLDER}({FOLDER})) " if images else ""
    streams = any(flow.is_signature for _, flow in members)
    declared, joined_text = (
        "\n".join(_declared(ports, shell.meanings | dict(description.ports))),
        ",\n  ".join(joins),
    )
    return f"""\
{header(shell, description, streams)}module {shell.top} #(
  parameter {FOLDER} = "mem"
) (
{declared}
);
{shell.core} {folder}core (
  {joined_text}
);
endmodule
"""


def _declared(ports: list[_Port], meanings: dict[str, str]) -> Iterator[str]:
    """Lines of the list of ports, a comment behind those whose meaning is known."""
    texts = [port.declaration + "," * (port is not ports[-1]) for port in ports]
    width = max(map(len, texts))
    for port, text in zip(ports, texts, strict=True):
        meaning = meanings.get(port.name)
        yield f"  {text:{width}}  // {meaning}" if meaning else f"  {text}"


def _plain(name: str, member: wiring.Member) -> tuple[list[_Port], list[str]]:
    """Port and connection of a member that is no stream."""
    direction = "output" if member.flow == Flow.Out else "input"
    return [_Port(name, direction, Shape.cast(member.shape))], [f".{name}({name})"]


def _stream(name: str, member: wiring.Member) -> tuple[list[_Port], list[str]]:
    """Ports and connections of a stream."""
    forward, backward = ("output", "input") if member.flow == Flow.Out else ("input", "output")
    shape = member.signature.members["payload"].shape
    valid, ready = _Port(f"{name}__valid", forward, Shape(1)), _Port(f"{name}__ready", backward, Shape(1))
    joins = [f".{port.name}({port.name})" for port in (valid, ready)]
    if not isinstance(shape, data.StructLayout):
        payload = _Port(f"{name}__payload", forward, Shape.cast(shape))
        return [valid, payload, ready], [joins[0], f".{payload.name}({payload.name})", joins[1]]
    fields = [
        _Port(f"{name}__payload__{field}", forward, Shape.cast(each)) for field, each in shape.members.items()
    ]
    packed = ", ".join(field.name for field in reversed(fields))
    return [valid, ready, *fields], [*joins, f".{name}__payload({{{packed}}})"]
