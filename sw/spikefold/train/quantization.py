"""Quantization-aware training: weights as the folded integer network will have them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from spikefold.nn import BatchNorm, Dense, Input, Node, SpikingNeuron, graph

_TRANSPARENT = ("dropout", "flatten", "identity")


class _FoldedFakeQuantize(torch.nn.Module):
    """Round a weight where the hardware will: folded, symmetric, then unfolded again.

    Folded weight ``W~_t = gain * W * diag(a_t)`` (PIT Eq. 20-23) with the batch norm's gain per row and the
    source's scale per column and time step. The quantizer's step is ``max|W~| / (2^(bits-1) - 1)`` over all
    time steps of a row, or over the whole matrix for a readout. Gradients pass straight through to ``W``.
    Returns [out, in], or [T, out, in] where the source's scale changes over time.
    """

    def __init__(self, bits: int, source: torch.nn.Module, norm: BatchNorm | None, readout: bool) -> None:
        super().__init__()
        self.limit = 2 ** (bits - 1) - 1
        self.neighbours = (source, norm)  # a tuple, so that they are not registered as children
        self.readout = readout

    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            fold = self._row_gain(weight) * self._column_scale(weight)  # [T, out, in]
            folded = weight * fold
            axes = (0, 1, 2) if self.readout else (0, 2)
            step = folded.abs().amax(axes, keepdim=True) / self.limit
            step = torch.where(step > 0, step, 1.0)
            quantized = torch.round(folded / step) * step / fold
            quantized = torch.where(fold == 0, weight, quantized)
            error = quantized - weight
        return weight + (error[0] if error.shape[0] == 1 else error)

    def _column_scale(self, weight: Tensor) -> Tensor:
        """Return the source's scale as [T, 1, in]; T is 1 where it is the same at every step."""
        scale = self.neighbours[0].scale.to(weight)
        scale = scale.reshape(scale.shape[0] if isinstance(self.neighbours[0], SpikingNeuron) else 1, -1)
        if bool((scale == scale[:1]).all()):
            scale = scale[:1]
        return scale.repeat_interleave(weight.shape[1] // scale.shape[1], dim=1)[:, None, :]

    def _row_gain(self, weight: Tensor) -> Tensor:
        """Return the batch norm's gain in eval mode as [1, out, 1]."""
        norm = self.neighbours[1]
        if norm is None:
            return torch.ones_like(weight[:1, :1]).reshape(1, 1, 1)
        return (norm.weight / torch.sqrt(norm.running_var + norm.eps)).reshape(1, -1, 1)


@contextmanager
def fake_quantized(model: torch.nn.Module, bits: int) -> Iterator[None]:
    """While inside, every ``Dense`` layer of ``model`` computes with fake-quantized folded weights.

    The layers keep their parameters; on leaving they hold the latent, unrounded weights again.

    Raises
    ------
    ModelError
        If the model has a layer that is not supported.
    """
    nodes = {node.name: node for node in graph(model)}
    dense = [node for node in nodes.values() if isinstance(node.module, Dense)]
    changed = []
    try:
        for node in dense:
            parametrize.register_parametrization(
                node.module, "weight", _quantizer(node, nodes, bits), unsafe=True
            )
            changed.append(node.module)
        yield
    finally:
        for module in changed:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)


def _quantizer(node: Node, nodes: dict[str, Node], bits: int) -> _FoldedFakeQuantize:
    source = _source(node, nodes)
    followers = _followers(node, nodes)
    norm = next((item.module for item in followers if item.kind == "batch_norm"), None)
    return _FoldedFakeQuantize(bits, source, norm, not any(_is_neuron(item) for item in followers))


def _source(node: Node, nodes: dict[str, Node]) -> torch.nn.Module:
    """Return the input or neuron layer that ``node`` reads, past layers that change no values."""
    while node.inputs:
        node = nodes[node.inputs[0]]
        if _is_neuron(node) or isinstance(node.module, Input):
            return node.module
        if node.kind not in _TRANSPARENT:
            break
    return Input(1, levels=1)  # values of unknown scale: fold nothing


def _followers(node: Node, nodes: dict[str, Node]) -> list[Node]:
    """Return the layers after ``node``, up to and with the next neuron."""
    found = []
    while not (found and _is_neuron(found[-1])):
        following = [item for item in nodes.values() if node.name in item.inputs]
        if len(following) != 1:
            break
        node = following[0]
        found.append(node)
    return found


def _is_neuron(node: Node) -> bool:
    return isinstance(node.module, SpikingNeuron)
