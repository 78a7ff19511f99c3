"""The data of a model or a build, and what the numbers of sample files are."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from spikefold.train import Dataset

F = TypeVar("F", bound=Callable[..., Any])


def data_source(name: str | None, meta: dict[str, Any]) -> dict[str, Any] | None:
    """What `spikefold.train.load_data` takes: a model's data, or the named one with the model's options.

    None if neither names any. A path in `name` is relative to the current folder.

    Parameters
    ----------
    meta
        What `nn.read_meta` gave: data are named under "data", or in the recipe.

    Raises
    ------
    InputError
        If what the model names is bad.
    """
    from spikefold.codec import decode
    from spikefold.train import DataOptions, Recipe

    if "data" in meta:
        options = decode(DataOptions, meta["data"], "Data of the model", defaults=True)
    elif meta.get("recipe") is not None:
        options = Recipe.from_dict(meta["recipe"]).data
    elif name is None:
        return None
    else:
        options = DataOptions(name)
    chosen = options if name is None else DataOptions(name).located(Path.cwd())
    return {"name": chosen.name, **options.keywords()}


def load_source(source: dict[str, Any], quiet: bool = True) -> "Dataset":
    """Load what `data_source` named; progress on stderr unless quiet.

    Raises
    ------
    SpikefoldError
        As `load_data` does.
    """
    from spikefold.train import load_data

    return load_data(**source, progress=not quiet)


def levels_option(command: F) -> F:
    """Add `--levels/--features` to a command."""
    text = "What the numbers of --input are; default: integers are input levels, others features."
    return click.option("--levels/--features", "levels", default=None, help=text)(command)
