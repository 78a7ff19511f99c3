"""The NIR nodes of each kind of layer."""

from typing import Any, cast

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.fold.parameters import batch_norm
from spikefold.limits import claim_tensor
from spikefold.nn.binary import BinarySynapses, effective_weight
from spikefold.nn.neurons.leak import PerChannel

Shape = tuple[int, ...]
_CPU = torch.device("cpu")
_NO_DECAY = 2.0**-60
"""What a channel without a leak decays by a step, where others of its layer have one."""


def make_nodes(layer: nn.Node, before: Shape, shape: Shape, dt: float) -> list[Any]:
    """The nodes, in a chain, of a layer that reads values of shape `before` and gives some of `shape`.

    Raises
    ------
    ModelError
        If NIR has no such layer.
    """
    module: Any = layer.module
    match layer.kind:
        case "input":
            return [nir.Input(np.array(module.out_shape))]
        case "readout":
            return [nir.Output(np.array(shape))]
        case "dense" | "binary_dense":
            return [_dense(module)]
        case "conv" | "binary_conv":
            return [_convolution(module, before)]
        case "batch_norm":
            return [_batch_norm(layer, shape)]
        case "avg_pool":
            sizes = (np.array(size) for size in (module.kernel_size, module.stride, module.padding))
            return [nir.AvgPool2d(*sizes)]
        case "global_avg_pool":
            return [nir.AvgPool2d(np.array(before[1:]), np.array(before[1:]), np.array((0, 0)))]
        case "flatten":
            return [nir.Flatten({"input": np.array(before)}, 0, -1)]
        case "add":
            return [nir.Scale(np.ones(shape, np.float32))]
    if isinstance(module, nn.SpikingNeuron):
        return _neuron(layer, module, shape, dt)
    raise ModelError(f"Layer {layer.name!r} ({layer.kind}) has no counterpart in NIR; use average pools")


def _dense(module: torch.nn.Linear) -> Any:
    weight, extra = _weight(module)
    if module.bias is None:
        return nir.Linear(weight, metadata=extra)
    return nir.Affine(weight, _array(module.bias), metadata=extra)


def _convolution(module: nn.Conv2d, before: Shape) -> Any:
    weight, extra = _weight(module)
    bias = np.zeros(len(weight), weight.dtype) if module.bias is None else _array(module.bias)
    sizes = (module.stride, module.padding, (1, 1), module.groups)
    return nir.Conv2d(before[1:], weight, *sizes, bias, metadata=extra)


def _weight(module: torch.nn.Linear | nn.Conv2d) -> tuple[NDArray[Any], dict[str, Any]]:
    """The weights that a layer computes with, and as metadata, of a binary layer, those it is trained by."""
    extra = tensors(module, "bias") if isinstance(module, BinarySynapses) else {}
    return _array(effective_weight(module)), extra


def _batch_norm(layer: nn.Node, shape: Shape) -> Any:
    """A gain and an offset for each channel, in float64: a 1x1 convolution, or a diagonal matrix."""
    gain, mean, offset = (values.numpy() for values in batch_norm(layer, _CPU))
    bias, extra = offset - gain * mean, tensors(layer.module)
    channels = len(gain)
    claim_tensor(f"Batch norm {layer.name!r} as a matrix", (channels, channels), item=8)
    matrix = np.diag(gain)  # as groups it would be smaller, but nir's own check of shapes knows no groups
    if len(shape) == 3:
        sizes = ((1, 1), (0, 0), (1, 1), 1)
        return nir.Conv2d(shape[1:], matrix[:, :, None, None], *sizes, bias, metadata=extra)
    return nir.Affine(matrix, bias, metadata=extra)


def _neuron(layer: nn.Node, module: nn.SpikingNeuron, shape: Shape, dt: float) -> list[Any]:
    """An IF or LIF that fires where the first level begins, and a Scale where a level is not worth 1."""
    distance, scale = (_array(values) for values in (module.threshold, module.scale))
    claim_tensor(f"Neurons of layer {layer.name!r}", shape, item=40)
    first = distance[0] if module.rounding == "floor" else distance[0] / 2
    if module.fire_floor is not None:
        first = np.maximum(first, module.fire_floor)
    metadata = {
        "levels": module.levels,
        "rounding": module.rounding,
        "reset": module.reset_mode,
        "fires": "above" if module.rounding == "half_even" else "at",
        "steps": module.steps,
        "distance": distance,
        "leak": _plain(module.leak),
        "gain": _plain(module.input_gain),
        **({} if module.factor is None else {"factor": module.factor}),
        **({} if module.fire_floor is None else {"floor": module.fire_floor}),
        **tensors(module),
    }
    threshold = _spread(first, shape)
    leak, gain = (np.array(_plain(value), np.float64) for value in (module.leak, module.input_gain))
    if module.leak == 1:
        node = nir.IF(_spread(gain / dt, shape), threshold, metadata=metadata)
    else:
        tau = dt / np.maximum(1 - leak, _NO_DECAY)
        sizes = (_spread(number, shape) for number in (tau, gain * tau / dt, np.zeros(1)))
        node = nir.LIF(*sizes, threshold, metadata=metadata)
    if (scale == 1).all():
        return [node]
    return [node, nir.Scale(_spread(scale[0], shape), metadata={"scale": scale})]


def tensors(module: torch.nn.Module, *fields: str) -> dict[str, Any]:
    """The metadata of a layer's tensors but for those that are fields of its node."""
    state = cast(dict[str, Tensor], module.state_dict())
    # nir compresses whole arrays alone: a tensor without axes goes as a number
    found = {name: _array(value)[()] for name, value in state.items() if name not in fields}
    return {"tensors": found} if found else {}


def _plain(value: PerChannel) -> Any:
    """A number as it is; numbers of channels as an array."""
    return np.array(value) if isinstance(value, tuple) else value


def _spread(values: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Numbers for each channel repeated over its positions, float64."""
    column = values.astype(np.float64).reshape(-1, *(1,) * (len(shape) - 1))
    return np.ascontiguousarray(np.broadcast_to(column, shape))


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy().copy()
    return array
