"""One population of the integer network: its grid and integers, from the parameters as they are now."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from spikefold.fold.folded import FoldedPopulation, Reals
from spikefold.ir import Population
from spikefold.ir.neuron import Integers
from spikefold.nn import Node
from spikefold.quantize.grid import sufficient_scale
from spikefold.quantize.quantizer import choose_fraction
from spikefold.quantize.scales import Method
from spikefold.train.quantization.silence import Silence
from spikefold.train.quantization.snapshot import Snapshot
from spikefold.train.quantization.spikes import Key
from spikefold.train.quantization.synapses import Folded, Synapses, wanted_scale


@dataclass(frozen=True, eq=False)
class Grid:
    """What a population is rounded to.

    Attributes
    ----------
    weights
        By projection, rounded, to be used in place of the model's: (T or 1, targets, sources / groups, ...),
        of an identity (T or 1, channels, 1).
    unit
        Real value of a unit of membrane, or of a readout's current, (channels,).
    bias
        What rounding adds to the bias, in these units, (channels,).
    threshold, fire_floor
        In these units, whole numbers; None of a readout, or without a fire floor.
    """

    weights: dict[Synapses, torch.Tensor]
    unit: Reals
    bias: Reals
    threshold: Integers | None = None
    fire_floor: Integers | None = None


class Rounded:
    """A population that is rounded anew from the model's parameters whenever `grid` is called.

    Parameters
    ----------
    synapses
        Its projections, one per source of a scale of its own.
    folded, whole
        The population at the start, real and in integers: what does not change in training.
    end
        The neuron layer or readout.
    levels
        Largest level by source.
    method
        As in `quantize`.
    """

    def __init__(
        self,
        synapses: list[Synapses],
        folded: FoldedPopulation,
        whole: Population,
        end: Node,
        levels: Mapping[str, int],
        method: Method,
    ) -> None:
        self.synapses, self.whole, self._end = synapses, whole, end
        pairs = list(zip(folded.projections, whole.projections, strict=True))
        self._one_bit_sum = sum(p.flat.shape[2] * levels[p.source] for p, w in pairs if w.bits == 1)
        self._binary = [one for one in synapses if one.binary]
        self._method: Method = method

    @property
    def readout(self) -> bool:
        """Whether it is the readout."""
        return self.whole.neuron is None

    def identity(self, key: Key) -> Synapses:
        """The identity projection from spikes."""
        return next(one for one in self.synapses if one.trace.layer is None and one.key == key)

    @torch.no_grad()
    def grid(self, snapshot: Snapshot, silence: Silence) -> Grid:
        """Choose scales and round."""
        parts = {s: s.folded(snapshot) for s in self.synapses}
        wanted = self._wanted(parts)
        bias = silence.bias(self._end.inputs[0], self.whole.channels) * self.synapses[0].trace.gain
        neuron = None if self.readout else snapshot.neuron(self._end.module)[0]
        wanted = np.broadcast_to(wanted, bias.shape)
        scale = sufficient_scale(wanted, neuron, bias, self._one_bit_sum)
        weights = {s: part.rounded(scale) for s, part in parts.items()}
        if neuron is None:
            return Grid(weights, scale, np.rint(bias / scale) - bias / scale)
        unit = scale / (1 << choose_fraction(neuron.threshold / scale))
        threshold = np.maximum(_rounded(neuron.threshold / unit), 1)
        floor = None if neuron.fire_floor is None else _rounded(neuron.fire_floor / unit)
        return Grid(weights, unit, np.rint(bias / unit) - bias / unit, threshold, floor)

    def _wanted(self, parts: Mapping[Synapses, Folded]) -> Reals:
        binary = [parts[s].weight.abs().flatten(2) for s in self._binary]
        if not binary:
            return wanted_scale(list(parts.values()), self._method, self.readout)
        largest = max(binary, key=lambda weight: weight.shape[2])
        size = largest.amax((0, 2)).double().cpu().numpy()
        return size.max(keepdims=True) if self.readout else size


def _rounded(values: Reals) -> Integers:
    return np.rint(values).astype(np.int64)
