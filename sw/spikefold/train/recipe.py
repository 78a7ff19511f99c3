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
from spikefold.nn import checks
from spikefold.nn.models import NEURONS
from spikefold.train.networks import COMMON, KINDS


@dataclass(frozen=True)
class DataOptions:
    """Table ``[data]``: what to train on.

    ``name`` as for ``spikefold.train.load_data``; ``seed`` fixes the split into training and test data
    where the set brings none of its own.
    """

    name: str
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        checks.integer("Recipe data.seed", self.seed, 0)


@dataclass(frozen=True)
class ModelOptions:
    """Table ``[model]``: a network of ``spikefold.train.networks.KINDS``.

    ``kind`` names it and so decides which of the other keys there are; keys left at None are left to the
    network. For all: ``neuron`` kind, ``levels`` D (None: the neuron's default), ``steps`` T, ``leak``,
    ``rectify`` lambda of Eq. 13 (None: the neuron's default), ``input_levels`` D_in, ``dropout``.
    """

    kind: str = "mlp"
    hidden: tuple[int, ...] | None = None
    channels: tuple[int, ...] | None = None
    blocks: tuple[int, ...] | None = None
    widths: tuple[int, ...] | None = None
    width: int | None = None
    kernel: int | None = None
    pool: str | None = None
    head: str | None = None
    norm: bool | None = None
    tie: bool | None = None
    stem: str | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    neuron: str = "pit"
    levels: int | None = None
    steps: int = 1
    leak: float = 0.5
    rectify: float | None = None
    input_levels: int = 16
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check every range."""
        checks.choice("Recipe model.kind", self.kind, tuple(KINDS))
        for key in self._given():
            if key not in KINDS[self.kind].keys:
                known = ", ".join(_model_keys(self.kind))
                raise InputError(
                    f"Recipe key 'model.{key}' is unknown for the kind {self.kind!r}; known keys: {known}"
                )
        for key in KINDS[self.kind].required:
            if getattr(self, key) is None:
                raise InputError(f"Recipe must have the key 'model.{key}'")
        for key in ("hidden", "channels", "blocks", "widths"):
            for size in getattr(self, key) or ():
                checks.integer(f"Recipe model.{key} size", size, 1)
        checks.choice("Recipe model.neuron", self.neuron, NEURONS)
        if self.levels is not None:
            checks.integer("Recipe model.levels (D)", self.levels, 1, 255)
        checks.integer("Recipe model.steps (T)", self.steps, 1)
        checks.number("Recipe model.leak", self.leak, 0, 1)
        checks.integer("Recipe model.input_levels", self.input_levels, 1, 255)
        checks.number("Recipe model.dropout", self.dropout, 0, 0.95)

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments of the network's builder."""
        return self._given() | {key: getattr(self, key) for key in COMMON}

    def _given(self) -> dict[str, Any]:
        """Return the keys that not every kind has and that are not None."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {
            key: value
            for key, value in values.items()
            if key != "kind" and key not in COMMON and value is not None
        }


@dataclass(frozen=True)
class TrainingOptions:
    """Table ``[training]``: how to train.

    ``shift`` moves images at random by up to that many pixels, ``flip`` mirrors one in two left to right.
    With ``weight_bits`` the epochs after the
    fraction ``quantize_after`` run with fake-quantized folded weights. ``label_smoothing`` as in
    cross-entropy. ``seed`` fixes initial weights, order and augmentation.
    """

    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 0.004
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    seed: int = 0
    shift: int = 0
    flip: bool = False
    weight_bits: int | None = None
    quantize_after: float = 0.6

    def __post_init__(self) -> None:
        """Check every range."""
        checks.integer("Recipe training.epochs", self.epochs, 1)
        checks.integer("Recipe training.batch_size", self.batch_size, 2)
        checks.positive("Recipe training.learning_rate", self.learning_rate)
        checks.number("Recipe training.weight_decay", self.weight_decay, 0)
        checks.number("Recipe training.label_smoothing", self.label_smoothing, 0, 0.9)
        checks.integer("Recipe training.seed", self.seed, 0)
        checks.integer("Recipe training.shift", self.shift, 0, 64)
        if self.weight_bits is not None:
            checks.integer("Recipe training.weight_bits", self.weight_bits, 2, 8)
        checks.number("Recipe training.quantize_after", self.quantize_after, 0, 1)


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
    known = _model_keys(table.get("kind", ModelOptions.kind)) if cls is ModelOptions else tuple(fields)
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


def _model_keys(kind: Any) -> tuple[str, ...]:
    """Return the keys of the table ``[model]`` for a network, all of them if there is no such network."""
    if isinstance(kind, str) and kind in KINDS:
        return ("kind", *KINDS[kind].keys, *COMMON)
    return tuple(item.name for item in dataclasses.fields(ModelOptions))


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
        names = [f"of type {item.__name__}" for item in allowed if item in (bool, int, float, str)]
        raise InputError(f"Recipe {where} must be {' or '.join(names + ['a list'] * lists)}, not {value!r}")
    return value
