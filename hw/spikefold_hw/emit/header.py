"""The comment at the head of a design's Verilog."""

from importlib import metadata
from textwrap import wrap

from spikefold_hw.emit.description import Description
from spikefold_hw.emit.memories import FOLDER
from spikefold_hw.emit.shell import Shell

_WIDTH = 106

_HANDSHAKE = (
    "A stream X passes one beat in every cycle in which X__valid and X__ready are both 1 at the rising edge "
    "of {clock}. A beat that waits stays as it is until it is taken. A payload means something only while "
    "X__valid is 1."
)
_COUNTING = {
    "wraps": "wraps around",
    "saturates": "stays at its largest value",
    "sticks": "bits stay set",
}
_FOLDER_TEXT = f"{FOLDER}: folder of the memory images (*.mem), as the simulator or synthesis sees it."


def header(shell: Shell, description: Description, streams: bool) -> str:
    """Lines of comment: the same for the same plan and version, with neither date nor path.

    Parameters
    ----------
    shell
        What the top is called.
    streams
        Whether a port is a stream.
    """
    made = f"Written by spikefold {metadata.version('spikefold')}"
    lines = [f"{shell.top}: {description.summary or 'a design of spikefold.'}", ""]
    if description.architecture:
        lines.append(f"Architecture: {description.architecture}")
    if description.plan:
        lines.append(f"Plan (SHA-256): {description.plan}")
    lines += [f"{made}; networks with one plan share this text, whatever their weights.", ""]
    lines += ["Parameters", f"  {_FOLDER_TEXT}", "", _reset(shell)]
    if streams:
        lines.append(_HANDSHAKE.format(clock=shell.clock))
    if description.counters:
        lines += ["", "Counters by counter_select, with bits"]
        lines += [
            f"  {number}: {each.name}[{each.bits}], {each.meaning}; {_COUNTING[each.counting]}"
            for number, each in enumerate(description.counters)
        ]
    return "".join(f"// {line}".rstrip() + "\n" for text in lines for line in _wrapped(text))


def _reset(shell: Shell) -> str:
    level = "low" if shell.active_low else "high"
    return (
        f"{shell.reset} is synchronous, active {level}, and clears all that is under way; hold it for one "
        "cycle at least."
    )


def _wrapped(text: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    return wrap(text, _WIDTH, subsequent_indent=indent) or [""]
