"""spikefold: integer-spike networks from PyTorch to multiplier-free Verilog, equal bit for bit.

`compile(model) -> Design`, `load(path) -> Design`; a design runs `golden`, `simulate`, `verify`,
`synth`, `write`; a `Device(port)` is one that is attached. Names are loaded on first use, so that
`spikefold.ir` needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikefold.attached import Device
    from spikefold.compiler import compile  # noqa: A004 - the verb of the trade
    from spikefold.design import Design, load
    from spikefold.results import Simulation, Verification

__version__ = "0.1.0"
__all__ = ["Design", "Device", "Simulation", "Verification", "compile", "load"]

_HOMES = {
    "Design": "spikefold.design",
    "Device": "spikefold.attached",
    "Simulation": "spikefold.results",
    "Verification": "spikefold.results",
    "compile": "spikefold.compiler",
    "load": "spikefold.design",
}
_PACKAGES = ("analysis", "golden", "ir", "nn", "train")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"spikefold.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES, "__version__"])
