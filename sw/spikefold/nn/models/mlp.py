"""Dense networks."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch

from spikefold.nn.containers import Sequential
from spikefold.nn.layers import BatchNorm, Dense, Dropout, Flatten, Readout
from spikefold.nn.models.parts import Options


def mlp(in_features: int | Sequence[int], hidden: Sequence[int], classes: int, **options: Any) -> Sequential:
    """Build a dense network: input, (dense, batch norm, neuron) for each hidden size, dense, readout.

    ``in_features`` is a number of features or the shape of a sample, which is then flattened. Other keywords
    are ``Options``, whose dropout follows every layer of neurons. Layers are named ``input``, ``dense1``,
    ``norm1``, ``neuron1``, ..., ``readout``. Raises ModelError on a parameter out of range.
    """
    common = Options(**options)
    shape = (in_features,) if isinstance(in_features, int) else tuple(in_features)
    layers: OrderedDict[str, torch.nn.Module] = OrderedDict(input=common.input(shape))
    if len(shape) > 1:
        layers["flatten"] = Flatten()
    width = torch.Size(shape).numel()
    for i, size in enumerate(hidden, start=1):
        layers[f"dense{i}"] = Dense(width, size, bias=False) if i == 1 else common.dense(width, size)
        layers[f"norm{i}"] = BatchNorm(size)
        layers[f"neuron{i}"] = common.neurons(size)
        if common.dropout:
            layers[f"dropout{i}"] = Dropout(common.dropout)
        width = size
    layers[f"dense{len(hidden) + 1}"] = Dense(width, classes)
    layers["readout"] = Readout()
    return Sequential(layers)
