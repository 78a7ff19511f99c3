"""Run an integer network in PyTorch, bit for bit as the hardware does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from spikefold.errors import InputError
from spikefold.golden.population import Currents, Neurons, neuron_magnitude
from spikefold.golden.precision import exact_dtype, full_precision
from spikefold.ir import Network
from spikefold.ir.network import INPUT
from spikefold.ir.neuron import Integers

MAX_BATCH = 1024
BATCH_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class Run:
    """What a network answered.

    Attributes
    ----------
    logits
        Integer logits, shape (samples, classes), int64; `Population.scale` of the readout is their unit.
    classes
        Index of the largest logit, the lowest winning a tie, shape (samples,), int64.
    levels
        Levels of every spiking population by name, shape (samples, T, channels), uint8. Empty unless
        recorded.
    membranes
        `v` after every time step by name, the readout's running sum included, shape
        (samples, T, channels), int64. Empty unless recorded.
    """

    logits: Integers
    classes: Integers
    levels: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    membranes: dict[str, Integers] = field(default_factory=dict)


class Golden:
    """An integer network made ready to run: exact, batched, on the CPU.

    Every population computes in float32 where its worst case (`spikefold.ir.population_bounds`) stays
    below 2^24, else in float64 or int64; the reason why that is exact is in `golden.precision`.

    Parameters
    ----------
    network
        The integer network.

    Raises
    ------
    ModelError
        If a membrane can need more than 51 bits.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._currents = {p.name: Currents(network, p) for p in network.populations}
        self._neurons = {p.name: Neurons(network, p, p.neuron) for p in network.populations if p.neuron}
        self._readout_dtype = exact_dtype(neuron_magnitude(network, network.readout))

    @property
    def dtypes(self) -> dict[str, tuple[torch.dtype, torch.dtype]]:
        """Types that currents and neurons of each population are computed in, by name."""
        return {
            name: (current.dtype, self._neurons[name].dtype if name in self._neurons else self._readout_dtype)
            for name, current in self._currents.items()
        }

    def run(self, levels: ArrayLike | Tensor, *, record: bool = False, batch: int | None = None) -> Run:
        """Run samples through the network.

        Parameters
        ----------
        levels
            Input levels 0..D_in as integers, shape (samples, presented steps, input size), as
            `Input.encode` returns them; presented steps are 1 for a static input, else T.
        record
            Also return levels and membranes of every population and time step.
        batch
            Samples computed together; by default as many as suit the caches. Results do not depend on it.

        Raises
        ------
        InputError
            If shape, dtype or range of the levels or the batch do not fit.
        """
        array = self._checked(levels)
        size = self._batch(batch)
        parts = []
        with full_precision():
            for start in range(0, max(len(array), 1), size):
                parts.append(self._run(self._tensor(array[start : start + size]), record))
        return _joined(parts)

    def _batch(self, batch: int | None) -> int:
        if batch is None:
            widest = max(self.network.input.size, *(p.channels for p in self.network.populations))
            return min(MAX_BATCH, max(1, BATCH_VALUES // (widest * self.network.steps)))
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise InputError(f"Batch must be a positive integer, not {batch!r}")
        return batch

    def _checked(self, levels: ArrayLike | Tensor) -> NDArray[np.generic]:
        array = np.asarray(levels)
        source = self.network.input
        shape = (1 if source.static else self.network.steps, source.size)
        if array.ndim != 3 or array.shape[1:] != shape:
            raise InputError(f"Levels must have shape (samples, {shape[0]}, {shape[1]}), not {array.shape}")
        if array.dtype.kind not in "iu":
            raise InputError(f"Levels must be integers, not {array.dtype}; encode features with Input.encode")
        return array

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        """Levels as (presented steps, samples, size) in float32, range checked."""
        dtype = np.uint8 if array.dtype == np.uint8 else np.int64
        tensor = torch.from_numpy(np.require(array, dtype, ["C", "W"])).swapaxes(0, 1)
        tensor = tensor.to(torch.float32).contiguous()
        if tensor.numel():
            low, high = (int(value) for value in tensor.aminmax())
            if low < 0 or high > self.network.input.levels:
                raise InputError(f"Levels must be 0..{self.network.input.levels}, not {low}..{high}")
        return tensor

    def _run(self, levels: Tensor, record: bool) -> Run:
        known = {INPUT: levels}
        emitted: dict[str, Tensor] = {}
        membranes: dict[str, Tensor] = {}
        for population in self.network.populations[:-1]:
            name = population.name
            known[name], v = self._neurons[name](self._currents[name](known), record)
            if v is not None:
                emitted[name], membranes[name] = known[name], v
        sums = self._sums(known, record)
        if record:
            membranes[self.network.readout.name] = sums
        logits = sums[-1].to(torch.int64).numpy()
        return Run(
            logits, logits.argmax(axis=1), _arrays(emitted, torch.uint8), _arrays(membranes, torch.int64)
        )

    def _sums(self, levels: Mapping[str, Tensor], record: bool) -> Tensor:
        """Running sums of the readout's currents, shape (T, samples, classes); else the last alone."""
        currents = self._currents[self.network.readout.name](levels).to(self._readout_dtype)
        currents = currents.expand(self.network.steps, *currents.shape[1:])
        return currents.cumsum(0) if record else currents.sum(0, keepdim=True)


def _arrays(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, NDArray[Any]]:
    """Turn (T, samples, channels) into numpy arrays (samples, T, channels)."""
    return {name: tensor.to(dtype).transpose(0, 1).contiguous().numpy() for name, tensor in tensors.items()}


def _joined(parts: list[Run]) -> Run:
    if len(parts) == 1:
        return parts[0]
    return Run(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.classes for part in parts]),
        {name: np.concatenate([part.levels[name] for part in parts]) for name in parts[0].levels},
        {name: np.concatenate([part.membranes[name] for part in parts]) for name in parts[0].membranes},
    )


def run(
    network: Network, levels: ArrayLike | Tensor, *, record: bool = False, batch: int | None = None
) -> Run:
    """Run samples through a network once; `Golden(network).run` for repeated calls."""
    return Golden(network).run(levels, record=record, batch=batch)


def accuracy(network: Network, x: NDArray[np.generic], y: ArrayLike) -> float:
    """Return the share of samples, 0..1, whose class is the label.

    Parameters
    ----------
    x
        Samples as `Input.encode` takes them: floating-point features, or integer levels.
    y
        Class indices, shape (samples,).

    Raises
    ------
    InputError
        If samples or labels do not fit, or there are none.
    """
    labels = np.asarray(y)
    if labels.dtype.kind not in "iu" or labels.shape != (len(x),):
        raise InputError(
            f"Labels must be integers of shape ({len(x)},), not {labels.dtype} of shape {labels.shape}"
        )
    if not len(labels):
        raise InputError("Accuracy must be taken over at least one sample, not 0")
    levels = network.input.encode(x, network.steps)
    return float((run(network, levels).classes == labels).mean())
