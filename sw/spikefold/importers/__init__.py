"""Networks of other frameworks as networks of this package: the same network, and shown to be.

`importers.spikingjelly`, `.snntorch`, `.ann`, `.nir` and `.pit` each have `load(source, grid, **options)`,
which gives an `Imported`, and `reference(source)`, the framework's own model to compare with. They are loaded
on first use, and with them their framework. `import_network` does all of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spikefold.importers.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    from spikefold.importers.comparison import Comparison, LayerComparison, compare, default_tolerance
    from spikefold.importers.grid import Grid
    from spikefold.importers.imported import OUTPUT, Imported, Note, Reference
    from spikefold.importers.network import import_network, importer
    from spikefold.importers.rules import Precision

__all__ = [
    "FRAMEWORKS",
    "OUTPUT",
    "Comparison",
    "Grid",
    "Imported",
    "LayerComparison",
    "Note",
    "Precision",
    "Reference",
    "compare",
    "default_tolerance",
    "import_network",
    "importer",
]

_HOMES = {
    **dict.fromkeys(("Comparison", "LayerComparison", "compare", "default_tolerance"), "comparison"),
    "Grid": "grid",
    **dict.fromkeys(("OUTPUT", "Imported", "Note", "Reference"), "imported"),
    **dict.fromkeys(("import_network", "importer"), "network"),
    "Precision": "rules",
}


def __getattr__(name: str) -> Any:
    if name in FRAMEWORKS:
        from spikefold.importers.network import importer

        return importer(name)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
