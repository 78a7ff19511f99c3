"""The frameworks that networks come from, and the way from one to a checked model."""

import importlib.util
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from spikefold.errors import InputError, MissingToolError, shown
from spikefold.importers.compare import Comparison, compare, default_tolerance
from spikefold.importers.grid import Grid
from spikefold.importers.imported import Imported, Reference


class Importer(Protocol):
    """What the module of a framework offers."""

    def load(self, source: Any, grid: Grid, **options: Any) -> Imported:
        """The network of `source` with the input `grid`."""
        ...

    def reference(self, source: Any) -> Reference:
        """The framework's own model."""
        ...


@dataclass(frozen=True)
class Framework:
    """Where an importer lies and what it needs.

    Attributes
    ----------
    title
        The framework's name for people.
    package
        The Python package it imports; None if it needs none.
    module
        Whether its source is a live module (on the command line FILE.py:NAME), not a file.
    """

    title: str
    package: str | None
    module: bool


FRAMEWORKS = {
    "spikingjelly": Framework("SpikingJelly", "spikingjelly", True),
    "snntorch": Framework("snnTorch", "snntorch", True),
    "ann": Framework("PyTorch", None, True),
    "nir": Framework("NIR", "nir", False),
    "pit": Framework("PIT's checkpoints", None, False),
}


def importer(name: str) -> Importer:
    """The importer of a framework, which is loaded now.

    Raises
    ------
    InputError
        If there is none of that name.
    MissingToolError
        If its package is not installed.
    """
    framework = FRAMEWORKS.get(name) if isinstance(name, str) else None
    if framework is None:
        raise InputError(f"Framework must be one of {', '.join(FRAMEWORKS)}, not {shown(name)}")
    if framework.package is not None and importlib.util.find_spec(framework.package) is None:
        raise MissingToolError(
            f"Importing from {framework.title} needs the package {framework.package!r}, which is not "
            f"installed; install it with: pip install 'spikefold[{name}]'"
        )
    return cast(Importer, import_module(f"spikefold.importers.{name}"))


def import_network(
    framework: str,
    source: Any,
    grid: Grid,
    data: object | None = None,
    *,
    tolerance: float | None = None,
    samples: int = 32,
    seed: int = 0,
    **options: Any,
) -> tuple[Imported, Comparison]:
    """Import a network and show that it is the same.

    Parameters
    ----------
    framework
        A name in `FRAMEWORKS`.
    source
        A live module, or the path of a file, as the framework's `load` takes it.
    grid
        The input.
    data
        Raw samples to compare both networks on, [N, *shape], or [N, T, *shape] if the input is not static;
        random levels without.
    tolerance
        Share of levels, and of classes, that may differ; None for 0, or 0.05 where a leak was approximated.
    samples, seed
        How many samples are compared, and the seed of random ones.
    **options
        Of the framework's `load`.

    Raises
    ------
    ImportRefusal
        If a layer has no counterpart here.
    ModelError
        If the networks differ by more than the tolerance, or a parameter is out of range.
    InputError
        If an argument breaks a rule.
    MissingToolError
        If the framework is not installed.
    """
    found = importer(framework)
    imported = found.load(source, grid, **options)
    theirs = imported.reference or found.reference(source)
    comparison = compare(imported, theirs, grid, data, samples=samples, seed=seed)
    comparison.check(default_tolerance(imported) if tolerance is None else tolerance)
    return imported, comparison
