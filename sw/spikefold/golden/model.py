"""Run an integer network in PyTorch, bit for bit as the hardware does."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from spikefold.errors import InputError
from spikefold.golden.currents import Currents
from spikefold.golden.neurons import Neurons, neuron_magnitude
from spikefold.golden.precision import exact_dtype, full_precision
from spikefold.golden.stages import pooled
from spikefold.ir import Map, Network, Pool, Population
from spikefold.ir.neuron import Integers
from spikefold.ir.stages import INPUT, Stage

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
        Levels of every stage but the readout by name, shape (samples, T, *Network.shape_of(name)), uint8.
        Empty unless recorded.
    membranes
        `v` after every time step of every population by name, the readout's running sum included, same
        shape, int64. Empty unless recorded.
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
        self._layers = {p.name: _Layer(network, p) for p in network.populations}
        self._finished = _finished(network)

    @property
    def dtypes(self) -> dict[str, tuple[torch.dtype, torch.dtype]]:
        """Types that sums and neurons of each population are computed in, by name."""
        return {name: (layer.currents.dtype, layer.dtype) for name, layer in self._layers.items()}

    def run(self, levels: ArrayLike | Tensor, *, record: bool = False, batch: int | None = None) -> Run:
        """Run samples through the network.

        Parameters
        ----------
        levels
            Input levels 0..D_in as integers, shape (samples, presented steps, *Input.levels_shape), as
            `Input.encode` returns them; presented steps are 1 for a static input, else T.
        record
            Also return levels and membranes of every stage and time step.
        batch
            Samples computed together; by default as many as suit the caches. Results do not depend on it.

        Raises
        ------
        InputError
            If shape, dtype or range of the levels or the batch do not fit.
        """
        array = self._checked(levels)
        size = self._batch(batch)
        result = self._empty(len(array), record)
        with full_precision():
            for start in range(0, len(array), size):
                part = slice(start, start + size)
                self._run(self._tensor(array[part]), result, part)
        result.classes[:] = result.logits.argmax(axis=1)
        return result

    def _batch(self, batch: int | None) -> int:
        if batch is None:
            return _suited_batch(self.network)
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise InputError(f"Batch must be a positive integer, not {batch!r}")
        return batch

    def _checked(self, levels: ArrayLike | Tensor) -> NDArray[np.generic]:
        array = np.asarray(levels)
        source = self.network.input
        shape = (1 if source.static else self.network.steps, *source.levels_shape)
        if array.ndim != len(shape) + 1 or array.shape[1:] != shape:
            raise InputError(
                f"Levels must have shape (samples, {', '.join(map(str, shape))}), not {array.shape}"
            )
        if array.dtype.kind not in "iu":
            raise InputError(f"Levels must be integers, not {array.dtype}; encode features with Input.encode")
        if array.size and not (array.min() >= 0 and array.max() <= source.levels):
            raise InputError(f"Levels must be 0..{source.levels}, not {array.min()}..{array.max()}")
        return array

    def _empty(self, samples: int, record: bool) -> Run:
        network = self.network
        run = Run(np.empty((samples, network.readout.channels), np.int64), np.empty(samples, np.int64))
        for stage in network.stages if record else ():
            shape = (samples, network.steps, *network.shape_of(stage.name))
            if stage is not network.readout:
                run.levels[stage.name] = np.empty(shape, np.uint8)
            if isinstance(stage, Population):
                run.membranes[stage.name] = np.empty(shape, np.int64)
        return run

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        """Levels as maps (presented steps, samples, channels, rows, columns), channels last in memory."""
        return _maps(array, self.network.maps[INPUT])

    def _run(self, levels: Tensor, result: Run, part: slice) -> None:
        """Compute the samples of one part and write them to their places."""
        known = {INPUT: levels}
        for stage in self.network.stages[:-1]:
            membranes = _place(result.membranes, stage.name, part)
            known[stage.name] = _emitted(stage, self._layers, known, membranes)
            if (place := _place(result.levels, stage.name, part)) is not None:
                place.copy_(known[stage.name])
            for name in self._finished[stage.name]:
                del known[name]
        name = self.network.readout.name
        currents = self._layers[name].currents(known)
        currents = currents.expand(self.network.steps, *currents.shape[1:])
        if (place := _place(result.membranes, name, part)) is not None:
            place.copy_(currents.cumsum(0))
        result.logits[part] = currents.sum(0).flatten(1).to(torch.int64).numpy()


class _Layer:
    """A population made ready: its currents and, unless it is the readout, its neurons."""

    def __init__(self, network: Network, population: Population) -> None:
        self.dtype = exact_dtype(neuron_magnitude(network, population))
        self.currents = Currents(network, population, self.dtype)
        neuron = population.neuron
        self.neurons = None if neuron is None else Neurons(neuron, network.steps, self.dtype)


def _emitted(
    stage: Stage, layers: Mapping[str, _Layer], known: Mapping[str, Tensor], membranes: Tensor | None = None
) -> Tensor:
    """What a stage emits, from the maps of what it reads."""
    if isinstance(stage, Population):
        layer = layers[stage.name]
        assert layer.neurons is not None
        return layer.neurons(layer.currents(known), membranes)
    if isinstance(stage, Pool):
        return pooled(stage, known[stage.source])
    first, second = stage.sources
    return known[first] + known[second]


def _maps(levels: NDArray[np.generic], shape: Map) -> Tensor:
    """Levels (samples, T or 1, ..) as maps (T or 1, samples, channels, rows, columns), channels last."""
    tensor = torch.from_numpy(levels.astype(np.float32, order="C"))
    maps = tensor.reshape(*tensor.shape[:2], *shape)
    return maps.permute(1, 0, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)


def emitted(network: Network, name: str, known: Mapping[str, NDArray[np.generic]]) -> NDArray[np.uint8]:
    """Return the levels of one stage, (samples, T, *shape), from those of the sources that it reads.

    Parameters
    ----------
    name
        A stage that is not the readout.
    known
        Levels of its sources by name: of the input as `Input.encode` gives them, of others as `Run.levels`.
    """
    stage, maps = network.by_name[name], network.maps
    layers = {name: _Layer(network, stage)} if isinstance(stage, Population) else {}
    size = _suited_batch(network)
    parts = []
    with full_precision():
        for start in range(0, len(known[stage.sources[0]]), size):
            own = {
                source: _maps(known[source][start : start + size], maps[source]) for source in stage.sources
            }
            levels = _emitted(stage, layers, own)
            parts.append(levels.expand(network.steps, *levels.shape[1:]).transpose(0, 1).to(torch.uint8))
    return torch.cat(parts).flatten(2).reshape(-1, network.steps, *network.shape_of(name)).numpy()


def _suited_batch(network: Network) -> int:
    widest = max(shape.size for shape in network.maps.values())
    return min(MAX_BATCH, max(1, BATCH_VALUES // (widest * network.steps)))


def _finished(network: Network) -> dict[str, list[str]]:
    """Sources that nobody reads any more once a stage is done, by name of the stage."""
    last = {INPUT: network.stages[0].name}
    for stage in network.stages:
        last |= dict.fromkeys((stage.name, *stage.sources), stage.name)
    return {stage.name: [name for name in last if last[name] == stage.name] for stage in network.stages}


def _place(arrays: Mapping[str, NDArray[np.generic]], name: str, part: slice) -> Tensor | None:
    """Where maps (T, samples, channels, rows, columns) of these samples are recorded, if they are."""
    if name not in arrays:
        return None
    place = torch.from_numpy(arrays[name][part]).transpose(0, 1)
    return place[..., None, None] if place.ndim == 3 else place


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
        Samples as `Input.encode` takes them: floating-point features, or integer levels; read in pieces.
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
    classes = network.populations[-1].channels
    if labels.min() < 0 or labels.max() >= classes:
        wrong = labels[(labels < 0) | (labels >= classes)][0]
        raise InputError(f"Labels must be 0..{classes - 1}, one of the network's classes, not {wrong}")
    golden, hits = Golden(network), 0
    for start in range(0, len(labels), MAX_BATCH):
        part = slice(start, start + MAX_BATCH)
        levels = network.input.encode(x[part], network.steps)
        hits += int((golden.run(levels).classes == labels[part]).sum())
    return hits / len(labels)
