"""Training recipes: TOML files that become checked dataclasses."""

import dataclasses
import difflib
import os
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikefold.errors import InputError
from spikefold.train.options import DataOptions, ModelOptions, TrainingOptions, model_keys


@dataclass(frozen=True)
class Recipe:
    """A whole training run. Raises InputError where a value is out of range."""

    data: DataOptions
    model: ModelOptions
    training: TrainingOptions = field(default_factory=TrainingOptions)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Recipe":
        """Read a TOML file; raise InputError naming the file and what is wrong in it."""
        path = Path(path)
        if not path.is_file():
            raise InputError(f"Recipe '{path}' must exist and be a file")
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"Recipe '{path}' must be TOML: {error}") from error
        return cls.from_dict(table)

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "Recipe":
        """Build a recipe from nested dictionaries as a TOML file gives them."""
        return _build(cls, table, "")

    def to_dict(self) -> dict[str, Any]:
        """Return nested dictionaries that ``from_dict`` accepts; options left at None are left out."""
        return _without_none(dataclasses.asdict(self))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return list(value) if isinstance(value, tuple) else value


def _build(cls: type, table: Any, where: str) -> Any:
    """Make the dataclass ``cls`` from ``table``, the TOML table called ``where``."""
    if not isinstance(table, dict):
        raise InputError(f"Recipe {where} must be a table, not {table!r}; write it as [{where}]")
    fields = {item.name: item for item in dataclasses.fields(cls)}
    known = model_keys(table.get("kind", ModelOptions.kind)) if cls is ModelOptions else tuple(fields)
    prefix = f"{where}." if where else ""
    for key in table:
        if key not in fields:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {prefix + near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise InputError(f"Recipe key {prefix + key!r} is unknown; {hint}")
    values = {}
    for name, item in fields.items():
        if name in table:
            values[name] = _convert(item.type, table[name], prefix + name)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise InputError(f"Recipe must have the key {prefix + name!r}")
    return cls(**values)


def _convert(kind: Any, value: Any, where: str) -> Any:
    """Check ``value`` against a field's annotation; whole numbers pass as floats, lists as tuples."""
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, where)
    allowed = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    lists = any(typing.get_origin(item) is tuple for item in allowed)
    if lists and isinstance(value, list | tuple):
        return tuple(value)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) not in allowed:
        names = ["of type " + item.__name__ for item in allowed if item in (bool, int, float, str)]
        names += ["a list"] * lists + ["a table"] * (dict in allowed)
        raise InputError(f"Recipe {where} must be {' or '.join(names)}, not {value!r}")
    return value
