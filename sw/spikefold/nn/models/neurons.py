"""Layers of neurons by name."""

import inspect
from collections.abc import Mapping
from typing import Any

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.neurons import ILIF, LIF, PIT, QBLIF, ReverB, SpikingNeuron

_CLASSES: dict[str, type[SpikingNeuron]] = {
    "pit": PIT,
    "ilif": ILIF,
    "lif": LIF,
    "qblif": QBLIF,
    "reverb": ReverB,
}
_INSTEAD = {
    ("lif", "levels"): "1, not {!r}; use 'ilif' or 'pit' for more",
    ("reverb", "levels"): "None, not {!r}; give the neuron option 'bits'",
}
NEURONS = tuple(_CLASSES)


def make_neuron(
    neuron: str,
    channels: int,
    levels: int | None = None,
    steps: int = 1,
    leak: float | None = None,
    rectify: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> SpikingNeuron:
    """Build the layer of neurons called "pit", "ilif", "lif", "qblif" or "reverb".

    None means the class's own default; ``options`` are more keyword arguments of the class.

    Raises
    ------
    ModelError
        If the neuron or one of its options is unknown, or a parameter is out of range.
    """
    build = _CLASSES[checks.choice("Neuron", neuron, NEURONS)]
    if neuron == "lif" and levels == 1:
        levels = None
    common = {"levels": levels, "steps": steps, "leak": leak, "rectify": rectify}
    given: dict[str, Any] = {key: value for key, value in common.items() if value is not None}
    takes = inspect.signature(build).parameters
    for key, value in given.items():
        if key not in takes:
            subject = f"{build.__name__} {key}" + " (D)" * (key == "levels")
            rule = _INSTEAD.get((neuron, key), "None, not {!r}; it has none").format(value)
            raise ModelError(f"{subject} must be {rule}")
    known = [key for key in takes if key not in (*common, "channels")]
    for key in options or {}:
        if key not in known:
            raise ModelError(f"Neuron option {key!r} is unknown for {neuron!r}; known: {', '.join(known)}")
    return build(channels, **given, **(options or {}))
