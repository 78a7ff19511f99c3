"""Quantization-aware training: weights as the folded integer network will have them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from spikefold.errors import ModelError
from spikefold.fold.currents import Path
from spikefold.fold.folded import FoldedIdentity
from spikefold.fold.traces import Origin, Trace
from spikefold.fold.walk import Walk
from spikefold.nn import PIT, Conv2d, Dense, Input
from spikefold.quantize.quantizer import IDENTITY_BITS
from spikefold.quantize.scales import largest_weight

_READOUT = "readout"


@dataclass(frozen=True)
class _Synapses:
    """One projection: its latent weight and where the factors come from that are folded into it.

    ``weight`` is None for an identity, whose weight is 1; ``channels`` are those of the population.
    """

    weight: Tensor | None
    trace: Trace
    channels: int
    limit: int

    def factor(self, like: Tensor) -> Tensor:
        """Return what the weight is multiplied with, [T or 1, out, in / groups, ...], in ``like``'s type."""
        trace = self.trace
        groups = getattr(trace.layer, "groups", 1) if self.weight is not None else self.channels
        per_group = 1 if self.weight is None else self.weight.shape[1]
        scale = _scale(trace.origins[0], per_group * groups).to(like) / trace.divisor
        by_target = scale.reshape(-1, groups, per_group).repeat_interleave(self.channels // groups, dim=1)
        for norm in trace.norms:
            by_target = by_target * _gain(norm).to(like)[:, None]
        axes = 2 if self.weight is None else self.weight.dim()
        return by_target.reshape(*by_target.shape, *(1,) * (axes - 2))

    def step(self, factor: Tensor) -> Tensor:
        """Return the quantizer's step that the weights alone would need, [out]."""
        folded = factor if self.weight is None else self.weight * factor
        return folded.abs().transpose(0, 1).flatten(1).amax(1) / self.limit


class _FoldedFakeQuantize(torch.nn.Module):
    """Round a weight where the hardware will: folded, symmetric, then unfolded again.

    Folded weight ``W~_t = gain * W * diag(a_t)`` (PIT Eq. 20-23) with the gains of the batch norms behind it
    per row and the source's scale per column and time step. The quantizer's step is the largest
    ``|W~| / (2^(bits-1) - 1)`` over time steps and projections of a row, or of the whole population for a
    readout. Gradients pass straight through to ``W``. Returns the shape of ``W``, with an axis T in front
    where the source's scale changes over time.
    """

    def __init__(self, own: _Synapses, others: Sequence[_Synapses], readout: bool) -> None:
        super().__init__()
        self.synapses = (own, *others)  # a tuple, so that their tensors are not registered
        self.readout = readout

    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            own, *others = self.synapses
            factor = own.factor(weight)
            steps = [own.step(factor), *(other.step(other.factor(weight)) for other in others)]
            step = torch.stack(steps).amax(0)
            step = step.amax().expand_as(step) if self.readout else step
            step = torch.where(step > 0, step, 1.0).reshape(-1, *(1,) * (weight.dim() - 1))
            quantized = torch.round(weight * factor / step) * step / factor
            quantized = torch.where(factor == 0, weight, quantized)
            error = quantized - weight
        return weight + (error[0] if error.shape[0] == 1 else error)


@contextmanager
def fake_quantized(model: torch.nn.Module, bits: int) -> Iterator[None]:
    """While inside, dense layers and convolutions of ``model`` compute with fake-quantized folded weights.

    The layers keep their parameters; on leaving they hold the latent, unrounded weights again. Identity
    shortcuts count in the scale of their population, but are not rounded themselves (they have 8 bits).
    The quantizer's floor under the scale of channels whose weights vanish (``quantize.scales.with_floor``) is
    left out.

    Raises
    ------
    ModelError
        If the model cannot be folded, or an integer weight is not the rounding of one weight of the model:
        a layer reads a sum of spikes of different scales, or an overlapping pool is composed into it.
    """
    quantizers = list(_quantizers(model, bits))
    changed = []
    try:
        for layer, quantizer in quantizers:
            parametrize.register_parametrization(layer, "weight", quantizer, unsafe=True)
            changed.append(layer)
        yield
    finally:
        for layer in changed:
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


def _quantizers(model: torch.nn.Module, bits: int) -> Iterator[tuple[torch.nn.Module, _FoldedFakeQuantize]]:
    """Yield every layer with synapses and the module that rounds its weight."""
    names = {module: name for name, module in model.named_modules()}
    for population, paths in Walk(model).paths.items():
        layers = [path.trace.layer for path in paths]
        for path in paths:
            _check(path, names.get(path.trace.layer, ""), layers)
        synapses = [_synapses(path, bits) for path in paths]
        for k, layer in enumerate(layers):
            if layer is not None:
                others = synapses[:k] + synapses[k + 1 :]
                yield layer, _FoldedFakeQuantize(synapses[k], others, population == _READOUT)


def _synapses(path: Path, bits: int) -> _Synapses:
    layer = path.trace.layer
    weight = None if layer is None else layer.weight
    own_bits = IDENTITY_BITS if isinstance(path.projection, FoldedIdentity) else bits
    return _Synapses(weight, path.trace, path.projection.weight.shape[1], largest_weight(own_bits))


def _check(path: Path, name: str, layers: Sequence[torch.nn.Module | None]) -> None:
    """Raise ModelError unless the weights of ``layer`` can be rounded one by one."""
    trace, layer = path.trace, path.trace.layer
    untied = len({_identity(origin) for origin in trace.origins}) > 1
    if untied or (layer is not None and layers.count(layer) > 1):
        raise ModelError(
            f"Layer {name!r} must read spikes of one scale to be trained with rounded weights, not a sum of "
            "several; tie the scales of the neurons that are added up with spikefold.nn.tie_scales"
        )
    if trace.overlaps and layer is not None:
        raise ModelError(
            f"Layer {name!r} must not be composed with an average pool whose windows overlap to be trained "
            "with rounded weights; put the pool after a neuron, with a stride of its kernel"
        )
    if layer is not None and not isinstance(layer, Dense | Conv2d):
        raise ModelError(
            f"Layer {name!r} must be spikefold.nn.Dense or Conv2d to be trained with rounded weights, "
            f"not {type(layer).__name__}"
        )


def _identity(origin: Origin) -> tuple[object, ...]:
    """What two origins have in common exactly if their scales are equal by construction."""
    emitter = origin.emitter
    if isinstance(emitter, PIT):
        emitter = emitter.log_scale
    elif not isinstance(emitter, Input):
        emitter = None  # I-LIF and LIF: always 1
    return id(emitter), origin.norms, origin.divisor


def _scale(origin: Origin, count: int) -> Tensor:
    """Return the value of one level of each of ``count`` sources, [T, count]; T is 1 where all are equal."""
    scale = origin.emitter.scale.detach()
    scale = scale.reshape(1 if isinstance(origin.emitter, Input) else len(scale), -1)
    if bool((scale == scale[:1]).all()):
        scale = scale[:1]
    scale = _spread(scale, count) / origin.divisor
    for norm in origin.norms:
        scale = scale * _spread(_gain(norm)[None], count).to(scale)
    return scale


def _spread(values: Tensor, count: int) -> Tensor:
    """Repeat values per channel (sets, channels) for the positions of each."""
    return values.repeat_interleave(count // values.shape[1], dim=1)


def _gain(norm: torch.nn.BatchNorm1d) -> Tensor:
    """Return a batch norm's gain in eval mode, [channels]."""
    deviation = torch.sqrt(norm.running_var + norm.eps)
    return 1 / deviation if norm.weight is None else norm.weight.detach() / deviation
