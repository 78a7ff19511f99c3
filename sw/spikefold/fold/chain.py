"""Walk a model's layers and fold them, population by population."""

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor

from spikefold import ir
from spikefold.errors import ModelError
from spikefold.fold.folded import FoldedNetwork, FoldedNeuron, FoldedPopulation, FoldedProjection, Reals
from spikefold.fold.mathematics import batch_norm_gain, fold_batch_norm, fold_source, merge_steps
from spikefold.ir.network import INPUT
from spikefold.ir.neuron import Reset, Rounding
from spikefold.nn import Input, Node, SpikingNeuron, graph


@dataclass
class _Source:
    """What the next dense layer reads: levels worth `scale · n + shift`."""

    name: str
    scale: Reals  # (T or 1, size)
    shift: Reals  # (size,)
    flat: bool = True


@dataclass
class _Linear:
    """A dense layer and the batch norms after it, folded so far."""

    source: str
    weight: Reals
    bias: Reals
    modules: list[str]

    @property
    def dense(self) -> str:
        return self.modules[0]

    def check_size(self, node: Node, size: int) -> None:
        if size != len(self.bias):
            raise ModelError(
                f"Layer {node.name!r} must have {len(self.bias)} channels, as many as the dense layer "
                f"{self.dense!r} before it, not {size}"
            )


def fold(model: torch.nn.Module, name: str = "network") -> FoldedNetwork:
    """Fold a trained model of `spikefold.nn` layers; the model is not changed.

    Batch norm (eval statistics), the scales of neurons and the input's encoding and normalisation go
    into weights, biases and thresholds (spec section 2); all in float64. A source whose scale differs
    between time steps gives T weight sets.

    Parameters
    ----------
    model
        `Input`, then any number of (`Dense`, batch norms, neuron), then `Dense`, batch norms, `Readout`;
        dropout and identity layers anywhere.
    name
        Name of the network: lower case letters, digits and underscores.

    Raises
    ------
    ModelError
        If the layers come in another order, sizes do not fit, or a parameter is NaN, infinite or (scales)
        not above 0. The message names the layer.
    """
    nodes = graph(model)
    _check_chain(nodes)
    walk = _Walk(nodes[0])
    for node in nodes[1:]:
        walk.visit(node)
    return walk.finish(name)


def _check_chain(nodes: list[Node]) -> None:
    if nodes[0].kind != "input":
        raise ModelError(
            f"Model must begin with spikefold.nn.Input, not with {nodes[0].name!r} ({nodes[0].kind})"
        )
    for before, node in pairwise(nodes):
        if node.inputs != (before.name,):
            read = ", ".join(map(repr, node.inputs)) or "the model's input"
            raise ModelError(
                f"Layer {node.name!r} must read {before.name!r}, the layer before it, not {read}; "
                "only chains of layers can be folded"
            )


class _Walk:
    """Visits the layers in order; `_linear` is what waits for a neuron or the readout."""

    def __init__(self, node: Node) -> None:
        self._encoding = cast(Input, node.module)
        size = ir.Input(self._encoding.shape, 1).size
        scale = np.broadcast_to(_array(self._encoding.scale).reshape(1, -1), (1, size))
        shift = np.broadcast_to(_array(self._encoding.shift).reshape(-1), (size,))
        _check_finite(node.name, scale, shift)
        self._source: _Source | None = _Source(INPUT, scale, shift, flat=len(self._encoding.shape) == 1)
        self._linear: _Linear | None = None
        self._populations: list[FoldedPopulation] = []

    def visit(self, node: Node) -> None:
        """Fold one more layer."""
        if self._finished:
            raise ModelError(f"Readout must be the last layer, but {node.name!r} follows it")
        if node.kind in ("dropout", "identity"):
            return
        if isinstance(node.module, SpikingNeuron):
            self._neuron(node)
        else:
            getattr(self, f"_{node.kind}")(node)

    def finish(self, name: str) -> FoldedNetwork:
        """Return the whole network."""
        if not self._finished:
            raise ModelError("Model must end with spikefold.nn.Readout, but has none")
        source = self._encoding
        encoding = ir.Input(source.shape, source.levels, source.static, source.minimum, source.maximum)
        return FoldedNetwork(encoding, source.steps, tuple(self._populations), name)

    @property
    def _finished(self) -> bool:
        return bool(self._populations) and self._populations[-1].neuron is None

    def _flatten(self, node: Node) -> None:
        if self._source is not None:
            self._source.flat = True

    def _input(self, node: Node) -> None:
        raise ModelError(f"Model must hold one Input, its first layer, but {node.name!r} is another")

    def _dense(self, node: Node) -> None:
        source = self._source
        if source is None:
            raise ModelError(
                f"Dense layer {node.name!r} must follow the input or a neuron, but follows the dense layer "
                f"{self._waiting(node).dense!r}; put a neuron between them or multiply them into one"
            )
        dense = cast(torch.nn.Linear, node.module)
        if not source.flat:
            raise ModelError(
                f"Dense layer {node.name!r} must read flat features, not shape {self._encoding.shape}; "
                "put spikefold.nn.Flatten after the input"
            )
        weight = _array(dense.weight)
        if weight.shape[1:] != source.shift.shape:
            raise ModelError(
                f"Dense layer {node.name!r} must have {source.shift.size} inputs, one per neuron or feature "
                f"before it, not {weight.shape[-1]}"
            )
        bias = np.zeros(len(weight)) if dense.bias is None else _array(dense.bias)
        _check_finite(node.name, weight, bias)
        folded = fold_source(weight, bias, source.scale, source.shift)
        self._linear = _Linear(source.name, *folded, [node.name])
        self._source = None

    def _batch_norm(self, node: Node) -> None:
        linear = self._waiting(node)
        norm = cast(torch.nn.BatchNorm1d, node.module)
        if norm.running_mean is None or norm.running_var is None:
            raise ModelError(
                f"Batch norm {node.name!r} must keep running statistics, but has track_running_stats=False"
            )
        linear.check_size(node, norm.num_features)
        ones, zeros = np.ones(norm.num_features), np.zeros(norm.num_features)
        mean, variance = _array(norm.running_mean), _array(norm.running_var)
        gain = batch_norm_gain(ones if norm.weight is None else _array(norm.weight), variance, norm.eps)
        offset = zeros if norm.bias is None else _array(norm.bias)
        _check_finite(node.name, variance, gain, mean, offset)
        linear.weight, linear.bias = fold_batch_norm(linear.weight, linear.bias, gain, mean, offset)
        linear.modules.append(node.name)

    def _neuron(self, node: Node) -> None:
        neuron = cast(SpikingNeuron, node.module)
        self._waiting(node).check_size(node, neuron.channels)
        if neuron.steps != self._encoding.steps:
            raise ModelError(
                f"Neuron {node.name!r} must have the input's {self._encoding.steps} time steps, "
                f"not {neuron.steps}"
            )
        threshold, scale = _array(neuron.threshold), _array(neuron.scale)
        _check_finite(node.name, threshold, scale)
        smallest = min(threshold.min(), scale.min())
        if smallest <= 0:
            raise ModelError(f"Scale of neuron {node.name!r} must be above 0, not {smallest}")
        folded = FoldedNeuron(
            merge_steps(threshold),
            neuron.levels,
            cast(Rounding, neuron.rounding),
            cast(Reset, neuron.reset),
            neuron.leak,
        )
        name = f"layer{len(self._populations)}"
        self._close(name, folded, node)
        self._source = _Source(name, merge_steps(scale), np.zeros(neuron.channels))

    def _readout(self, node: Node) -> None:
        self._waiting(node)
        self._close("readout", None, node)

    def _close(self, name: str, neuron: FoldedNeuron | None, node: Node) -> None:
        linear = self._waiting(node)
        _check_finite(node.name, linear.weight, linear.bias)
        projection = FoldedProjection(linear.source, linear.weight)
        modules = (*linear.modules, node.name)
        self._populations.append(FoldedPopulation(name, (projection,), linear.bias, neuron, modules))
        self._linear = None

    def _waiting(self, node: Node) -> _Linear:
        """The dense layer that `node` belongs to."""
        if self._linear is None:
            raise ModelError(
                f"Layer {node.name!r} ({node.kind}) must follow a dense layer, "
                f"but follows {'a neuron' if self._populations else 'the input'}"
            )
        return self._linear


def _array(tensor: Tensor) -> Reals:
    return tensor.detach().cpu().to(torch.float64).numpy()


def _check_finite(name: str, *arrays: Reals) -> None:
    for array in arrays:
        bad = array[~np.isfinite(array)]
        if bad.size:
            raise ModelError(f"Parameters of layer {name!r} must be finite, but hold {bad[0]}")
