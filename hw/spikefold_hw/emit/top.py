"""The top module: one port per field of a payload, signed where the field is."""

from collections.abc import Iterator

from spikefold_hw.emit.description import Description
from spikefold_hw.emit.header import header
from spikefold_hw.emit.memories import FOLDER
from spikefold_hw.emit.ports import Port, ports_of
from spikefold_hw.emit.shell import Shell
from spikefold_hw.typed import Component


def top_verilog(component: Component, shell: Shell, description: Description, images: bool) -> str:
    """Text of the top: its header, its ports with their meaning, and the core.

    Parameters
    ----------
    component, shell, description
        As `emit`.
    images
        Whether a memory in the core reads its contents from a file.
    """
    ports, joins = ports_of(component, shell)
    streams = any(member.is_signature for _, member in component.signature.members.items())
    folder = f"#(.{FOLDER}({FOLDER})) " if images else ""
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


def _declared(ports: list[Port], meanings: dict[str, str]) -> Iterator[str]:
    """Lines of the list of ports, a comment behind those whose meaning is known."""
    texts = [port.declaration + "," * (port is not ports[-1]) for port in ports]
    width = max(map(len, texts))
    for port, text in zip(ports, texts, strict=True):
        meaning = meanings.get(port.name)
        yield f"  {text:{width}}  // {meaning}" if meaning else f"  {text}"
