"""Verilog of any component: text for engineers, the same every time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spikefold_hw.emit.core import core_verilog
from spikefold_hw.emit.description import Description
from spikefold_hw.emit.lint import lint_waivers
from spikefold_hw.emit.memories import VerilogPlatform
from spikefold_hw.emit.multipliers import count_multipliers
from spikefold_hw.emit.shell import Shell, shell_of, top_name
from spikefold_hw.emit.top import top_verilog
from spikefold_hw.memory_choice import MemoryChoice
from spikefold_hw.typed import Component

LINT = "lint.vlt"
"""Name of the file with Verilator's waivers."""


@dataclass(frozen=True)
class Emission:
    """Everything that is written for a component.

    Attributes
    ----------
    verilog
        Texts of the Verilog files by name: top, core, and a module for every shape of memory.
    models
        Stand-ins for macros by file name: simulators need them, synthesis gets the macros instead.
    lint
        Waivers for `verilator --lint-only -Wall`.
    """

    verilog: Mapping[str, str]
    models: Mapping[str, str]
    lint: str


_NOTHING = Description()


def emit(
    component: Component,
    name: str,
    description: Description = _NOTHING,
    memories: Iterable[MemoryChoice] = (),
    shell: Shell | None = None,
) -> Emission:
    """Verilog of a component.

    The top module has a port for every member of the component's signature, and for a stream one for each
    field of its payload, as `o__payload__index`; `clk`, `rst`, and the string parameter `MEM_DIR`, the
    folder of the memory images.

    Parameters
    ----------
    component
        Its signature holds streams, and members of plain shapes.
    name
        Of the design: the modules are `<name>_top` and `<name>_core`.
    description
        What the header tells.
    memories
        Choices for memories by name; the others are left to the tools.
    shell
        What the top is called, and its clock and reset; None for those of a block.

    Raises
    ------
    InputError
        If a choice names no memory of the component, or a macro stands for memories with different ports.
    ToolError
        If yosys fails.
    """
    shell, platform = shell or shell_of(name), VerilogPlatform(memories)
    text = core_verilog(component, platform, shell.core)
    platform.check_all_used()
    texts = {
        shell.top: top_verilog(component, shell, description, platform.images),
        shell.core: f"// The core of {shell.top}, which tells its ports.\n{text}",
        **dict(sorted(platform.modules.items())),
    }
    return Emission(
        {f"{module}.v": text for module, text in texts.items()},
        {f"{module}.v": text for module, text in platform.models.items()},
        lint_waivers(shell, platform.images),
    )


__all__ = ["LINT", "Description", "Emission", "Shell", "count_multipliers", "emit", "top_name"]
