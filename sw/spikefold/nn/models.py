"""Ready-made networks."""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.layers import BatchNorm, Dense, Dropout, Flatten, Input, Readout, Sequential
from spikefold.nn.neurons import ILIF, LIF, PIT, SpikingNeuron

NEURONS = ("pit", "ilif", "lif")


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


def make_neuron(
    neuron: str, channels: int, levels: int | None, steps: int, leak: float, rectify: float | None
) -> SpikingNeuron:
    """Build the neuron layer called "pit", "ilif" or "lif"; None means the class's own default."""
    checks.choice("Neuron", neuron, NEURONS)
    options = {"steps": steps, "leak": leak} | ({} if rectify is None else {"rectify": rectify})
    if neuron == "lif":
        if levels not in (None, 1):
            raise ModelError(f"LIF levels (D) must be 1, not {levels!r}; use 'ilif' or 'pit' for more")
        return LIF(channels, **options)
    return (PIT if neuron == "pit" else ILIF)(channels, 4 if levels is None else levels, **options)
