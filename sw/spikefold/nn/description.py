"""What a model file says about its layers: JSON, checked before anything is built from it.

``schema`` 2 is a list ``layers`` of ``name``, ``kind``, ``config`` and ``inputs`` (names of layers; empty for
the model's input) in the order they are computed; ``ties``, lists of names of PIT layers that share their
scale; and ``meta``, anything the caller adds. In ``schema`` 1 every layer reads the one before it and
nothing is tied.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikefold.errors import InputError, ModelError, shown
from spikefold.formats.plain import parse_json
from spikefold.limits import LAYERS

SCHEMA = 2
_CHAINS = 1  # the schema before, without inputs and ties


@dataclass(frozen=True)
class Layer:
    """One layer as the file describes it."""

    name: str
    kind: str
    config: dict[str, Any]
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """The layers of a model file in the order they are computed."""

    layers: list[Layer]
    ties: list[list[str]] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text to be stored; raises InputError if ``meta`` is not JSON-able."""
        layers = [vars(layer) for layer in self.layers]
        content = {"schema": SCHEMA, "layers": layers, "ties": self.ties, "meta": self.meta}
        try:
            text = json.dumps(content, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"Model meta must be JSON-able: {error}") from error
        parse_json(text, "Model meta")
        return text


def parse(path: Path, text: str) -> Description:
    """Read the description ``text`` of the model file ``path``; raises ModelError if it is not one."""
    try:
        content = parse_json(text, "the text")
        schema, entries = content["schema"], content["layers"]
        if schema not in (_CHAINS, SCHEMA):
            raise ModelError(
                f"Model file '{path}' must have schema {_CHAINS} or {SCHEMA}, not {shown(schema)}; "
                "use a matching spikefold"
            )
        if schema == _CHAINS:
            sources = [[], *([entry["name"]] for entry in entries[:-1])]
            entries = [entry | {"inputs": read} for entry, read in zip(entries, sources, strict=True)]
        layers = [_layer(entry) for entry in entries]
        ties = [_names(group) for group in content.get("ties", [])]
        meta = content.get("meta", {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"Model file '{path}' has a broken description ({shown(error)})") from error
    if not 0 < len(layers) <= LAYERS:
        count = f"{len(layers)} layers, more than {LAYERS}" if layers else "no layers"
        raise ModelError(f"Model file '{path}' has a broken description (it has {count})")
    if not isinstance(meta, dict):
        raise ModelError(f"Model file '{path}' has a broken description (its meta is no table)")
    return Description(layers, ties, meta)


def _layer(entry: dict[str, Any]) -> Layer:
    name, kind, config = entry["name"], entry["kind"], entry["config"]
    if not (isinstance(name, str) and name and isinstance(kind, str) and isinstance(config, dict)):
        raise TypeError(f"a layer lacks name, kind or config: {shown(entry)}")
    return Layer(name, kind, config, tuple(_names(entry["inputs"])))


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"not a list of layer names: {shown(value)}")
    return value
