"""Training recipes: TOML files that become checked dataclasses."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spikefold.codec import Json, decode, encode, unknown_key
from spikefold.errors import InputError, shown
from spikefold.formats.plain import read_toml
from spikefold.train.options import DataOptions, ModelOptions, TrainingOptions, model_keys


@dataclass(frozen=True)
class Recipe:
    """A whole training run. Raises InputError where a value is out of range."""

    data: DataOptions
    model: ModelOptions
    training: TrainingOptions = field(default_factory=TrainingOptions)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Recipe":
        """Read a TOML file; raise InputError naming the file and what is wrong in it.

        A relative path of data begins at the recipe's folder, and becomes absolute.
        """
        recipe = cls.from_dict(read_toml(Path(path), f"Recipe '{path}'"))
        return replace(recipe, data=recipe.data.located(Path(path).parent))

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "Recipe":
        """Build a recipe from nested dictionaries as a TOML file gives them."""
        if isinstance(table, dict):
            _check_tables(table)
        return decode(cls, table, "Recipe", defaults=True)

    def to_dict(self) -> dict[str, Json]:
        """Return nested dictionaries that ``from_dict`` accepts; options left at None are left out."""
        return {name: _without_none(table) for name, table in encode(self).items()}


def _check_tables(recipe: dict[str, Any]) -> None:
    """Refuse what is no table, and a key of ``[model]`` that no network has."""
    for name in ("data", "model", "training"):
        if not isinstance(recipe.get(name, {}), dict):
            raise InputError(
                f"Recipe {name} must be a table, not {shown(recipe[name])}; write it as [{name}]"
            )
    model = recipe.get("model", {})
    for key in model:
        if key not in model_keys(None):
            known = model_keys(model.get("kind", ModelOptions.kind))
            raise unknown_key("Recipe", "model", key, known)


def _without_none(table: Json) -> Json:
    assert isinstance(table, dict)
    return {key: value for key, value in table.items() if value is not None}
