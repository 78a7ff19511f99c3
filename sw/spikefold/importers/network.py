"""The way from another framework's network to a checked model."""

from importlib import import_module
from typing import Any, Protocol, cast

from spikefold.errors import InputError, shown
from spikefold.fold import fold
from spikefold.importers.comparison import RANDOM_SAMPLES, Comparison, compare, default_tolerance
from spikefold.importers.frameworks import FRAMEWORKS
from spikefold.importers.grid import Grid
from spikefold.importers.imported import Imported, Reference
from spikefold.packages import check_installed


class Importer(Protocol):
    """What the module of a framework offers."""

    def load(self, source: Any, grid: Grid, **options: Any) -> Imported:
        """The network of `source` with the input `grid`."""
        ...

    def reference(self, source: Any) -> Reference:
        """The framework's own model."""
        ...


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
    if framework.package is not None:
        check_installed(framework.package, f"Importing from {framework.title}", framework.install)
    return cast(Importer, import_module(f"spikefold.importers.{name}"))


def import_network(
    framework: str,
    source: Any,
    grid: Grid,
    data: object | None = None,
    *,
    tolerance: float | None = None,
    samples: int = RANDOM_SAMPLES,
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
        Share of levels, and of classes, that may differ; None for 0, or 0.05 where a parameter was
        approximated.
    samples, seed
        How many samples are compared, and the seed of random ones.
    **options
        Of the framework's `load`.

    Raises
    ------
    ImportRefusal
        If a layer has no counterpart here.
    ModelError
        If the networks differ by more than the tolerance, the network cannot be folded, or a parameter is out
        of range.
    InputError
        If an argument breaks a rule.
    MissingToolError
        If the framework is not installed.
    """
    found = importer(framework)
    if FRAMEWORKS[framework].calibrated:
        options.setdefault("calibration", data)
    imported = found.load(source, grid, **options)
    fold(imported.model)  # tells what the hardware has no way to do
    theirs = imported.reference or found.reference(source)
    comparison = compare(imported, theirs, grid, data, samples=samples, seed=seed)
    comparison.check(default_tolerance(imported) if tolerance is None else tolerance)
    return imported, comparison
