"""Dense networks."""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from spikefold.nn.containers import Sequential
from spikefold.nn.input import Input
from spikefold.nn.layers import BatchNorm, Dense, Dropout, Flatten, Readout
from spikefold.nn.models.parts import make_neuron


def mlp(
    in_features: int | Sequence[int],
    hidden: Sequence[int],
    classes: int,
    *,
    neuron: str = "pit",
    levels: int | None = None,
    steps: int = 1,
    leak: float = 0.5,
    rectify: float | None = None,
    input_levels: int = 16,
    minimum: float = 0.0,
    maximum: float = 1.0,
    dropout: float = 0.0,
) -> Sequential:
    """Build a dense network: input, (dense, batch norm, neuron) for each hidden size, dense, readout.

    Raw features ``minimum..maximum`` are encoded to ``input_levels`` levels worth 0..1. ``in_features`` is
    a number of features or the shape of a sample, which is then flattened. ``levels`` is D, 4 by default
    (LIF: always 1); ``rectify`` as in the neuron's class by default. Layers are named ``input``,
    ``dense1``, ``norm1``, ``neuron1``, ..., ``readout``. Raises ModelError on a parameter out of range.
    """
    shape = (in_features,) if isinstance(in_features, int) else tuple(in_features)
    span = {"minimum": minimum, "maximum": maximum, "mean": minimum, "std": maximum - minimum}
    layers: OrderedDict[str, torch.nn.Module] = OrderedDict()
    layers["input"] = Input(shape, input_levels, steps=steps, **span)
    if len(shape) > 1:
        layers["flatten"] = Flatten()
    width = torch.Size(shape).numel()
    for i, size in enumerate(hidden, start=1):
        layers[f"dense{i}"] = Dense(width, size, bias=False)
        layers[f"norm{i}"] = BatchNorm(size)
        layers[f"neuron{i}"] = make_neuron(neuron, size, levels, steps, leak, rectify)
        if dropout:
            layers[f"dropout{i}"] = Dropout(dropout)
        width = size
    layers[f"dense{len(hidden) + 1}"] = Dense(width, classes)
    layers["readout"] = Readout()
    return Sequential(layers)
