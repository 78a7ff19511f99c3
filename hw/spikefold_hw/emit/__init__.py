"""Verilog of any component: text for engineers, the same every time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spikefold_hw.emit.core import core_verilog
from spikefold_hw.emit.description import Description
from spikefold_hw.emit.lint import lint_waivers
from spikefold_hw.emit.memories import VerilogPlatform
from spikefold_hw.emit.multipliers import count_multipliers
from spikefold_hw.emit.top import top_name, top_verilog
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

    Raises
    ------
    InputError
        If a choice names no memory of the component, or a macro stands for memories with different ports.
    ToolError
        If yosys fails.
    """
    core, platform = f"{name}_core", VerilogPlatform(memories)
    text = core_verilog(component, platform, core)
    platform.check_all_used()
    texts = {
        top_name(name): top_verilog(component, name, description, platform.images),
        core: f"// The core of {top_name(name)}, which tells its ports.\n{text}",
        **dict(sorted(platform.modules.items())),
    }
    return Emission(
        {f"{module}.v": text for module, text in texts.items()},
        {f"{module}.v": text for module, text in platform.models.items()},
        lint_waivers(name, platform.images),
    )


__all__ = ["LINT", "Description", "Emission", "count_multipliers", "emit", "top_name"]
