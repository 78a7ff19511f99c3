"""The data of a model or a build."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikefold.train import Dataset


def data_source(name: str | None, recipe: dict[str, Any] | None) -> dict[str, Any] | None:
    """What `spikefold.train.load_data` takes: the recipe's data, or the named one with the recipe's options.

    None if neither names any.

    Raises
    ------
    InputError
        If the recipe is bad.
    """
    from spikefold.train import Recipe

    if recipe is None:
        return None if name is None else {"name": name, "seed": 0}
    options = Recipe.from_dict(recipe).data
    return {"name": options.name if name is None else name, **options.keywords()}


def load_source(source: dict[str, Any], quiet: bool = True) -> "Dataset":
    """Load what `data_source` named; progress on stderr unless quiet.

    Raises
    ------
    SpikefoldError
        As `load_data` does.
    """
    from spikefold.train import load_data

    return load_data(**source, progress=not quiet)
