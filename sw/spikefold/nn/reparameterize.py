"""Move the amplitude of binary weights into the neurons they read (ReverB-SNN Eq. 16-18)."""

import copy

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.nn.binary import BinarySynapses, over_inputs
from spikefold.nn.convolution import Conv2d
from spikefold.nn.graph import Node, graph
from spikefold.nn.neurons import ReverB

_LINEAR = ("dropout", "identity", "flatten", "avg_pool", "max_pool", "global_avg_pool")  # f(a x) = a f(x)


def reparameterize(model: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of ``model`` whose binary layers have no alpha on their inputs: the neurons have it.

    The alpha "input" or "layer" of a binary layer that reads a ReverB neuron, through dropout, identity,
    flatten or pooling, becomes a factor of that neuron's alpha, and the binary weights are +1 and -1. Real
    weights that read the same neuron are divided by it. An alpha "output" stays where it is.

    With ``bits=None`` the copy computes the same function. With ``bits`` the neuron still emits multiples of
    ``lsb``, but of ``alpha * u``: levels are ``lsb / alpha`` of the membrane apart instead of ``lsb``, so
    values are rounded and saturate elsewhere than before.

    Raises
    ------
    ModelError
        Naming the layers, if such an alpha cannot be moved: its layer reads no ReverB neuron; the alphas of
        the binary layers that read one neuron are not equal, or those of one channel's features are not;
        something other than weights reads the neuron. Also as ``nn.graph``.
    """
    model = copy.deepcopy(model)
    nodes = {node.name: node for node in graph(model)}
    readers: dict[str, list[Node]] = {}
    for node in nodes.values():
        for name in node.inputs if node.kind not in _LINEAR else ():
            readers.setdefault(_source(nodes, name), []).append(node)
        if _has_alpha(node):
            _check_source(nodes, node)
    for name, group in readers.items():
        if any(_has_alpha(node) for node in group):
            neuron = nodes[name].module
            assert isinstance(neuron, ReverB)  # _check_source has seen to it
            _move(neuron, name, group)
    return model


def _source(nodes: dict[str, Node], name: str) -> str:
    """Return ``name``, or what it reads through layers that pass a positive factor on."""
    while nodes[name].kind in _LINEAR and nodes[name].inputs:
        name = nodes[name].inputs[0]
    return name


def _has_alpha(node: Node) -> bool:
    return isinstance(node.module, BinarySynapses) and node.module.alpha_mode in ("input", "layer")


def _check_source(nodes: dict[str, Node], node: Node) -> None:
    source = nodes[_source(nodes, node.inputs[0])] if node.inputs else None
    if source is None or source.kind != "reverb":
        what = "the model's input" if source is None else f"{source.name!r} ({source.kind})"
        raise ModelError(
            f"Layer {node.name!r} must read a ReverB neuron for its alpha {node.module.alpha_mode!r} to be "
            f"moved, not {what}; use alpha='output' there"
        )


def _move(neuron: ReverB, name: str, readers: list[Node]) -> None:
    """Multiply the neuron's alpha by the factor that its binary readers agree on, which they lose."""
    binary = {node: node.module for node in readers if isinstance(node.module, BinarySynapses)}
    first = next(iter(binary))
    factors = [_on_inputs(node, layer, neuron.channels) for node, layer in binary.items()]
    for node, factor in zip(binary, factors, strict=True):
        if not torch.equal(factor, factors[0]):
            raise ModelError(
                f"Binary layers that read {name!r} must have equal alphas on their inputs, not "
                f"{first.name!r} and {node.name!r} different ones; use alpha='output' there"
            )
    for node in readers:
        layer = node.module
        if isinstance(layer, BinarySynapses):
            if _has_alpha(node):
                layer.remove_alpha()
        elif isinstance(layer, torch.nn.Linear | Conv2d):
            _divide(node, layer, factors[0])
        else:
            raise ModelError(
                f"Layer {name!r} must be read by weights only for alpha to be moved into it, not by "
                f"{node.name!r} ({node.kind}); use alpha='output' in {first.name!r}"
            )
    neuron.multiply_alpha(factors[0])


@torch.no_grad()
def _on_inputs(node: Node, layer: BinarySynapses, channels: int) -> Tensor:
    """Return the factor on a layer's inputs, one per channel [channels] of the neuron it reads."""
    if not _has_alpha(node):
        return layer.weight.new_ones(channels)
    if layer.alpha_mode == "layer":
        return layer.alpha.expand(channels)
    alpha: Tensor = layer.alpha.unflatten(0, (channels, _positions(node, channels)))
    if not bool((alpha == alpha[:, :1]).all()):
        raise ModelError(
            f"Layer {node.name!r} must have one alpha for all features of a channel for it to be moved into "
            f"{channels} neurons, not one per feature; use alpha='layer' or 'output' there"
        )
    return alpha[:, 0]


@torch.no_grad()
def _divide(node: Node, layer: torch.nn.Linear | Conv2d, factor: Tensor) -> None:
    """Divide real weights by the factor of each channel they read."""
    factors = factor.to(layer.weight).repeat_interleave(_positions(node, len(factor)))
    weight = layer.weight / over_inputs(layer, factors)
    layer.weight = torch.nn.Parameter(weight, layer.weight.requires_grad)


def _positions(node: Node, channels: int) -> int:
    """Return how many inputs of a layer of weights come from each channel."""
    layer = node.module
    assert isinstance(layer, torch.nn.Linear | Conv2d)
    inputs = layer.in_channels if isinstance(layer, Conv2d) else layer.in_features
    if inputs % channels:
        raise ModelError(
            f"Layer {node.name!r} must read a multiple of {channels} inputs, as many channels as its neuron "
            f"has, not {inputs}"
        )
    return inputs // channels
