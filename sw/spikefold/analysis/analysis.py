"""Analyse a trained network: what its neurons do, what it costs, how much it can represent."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikefold.analysis.capacity import Capacity
from spikefold.analysis.cost import WEIGHT_BITS, NeuronCount, synaptic_effort, totals, update_of
from spikefold.analysis.integer import integer_operations
from spikefold.analysis.landscape import Landscape, check_points, loss_landscape
from spikefold.analysis.recording import NeuronRecord, Recording
from spikefold.analysis.results import Analysis, NeuronLayer
from spikefold.analysis.scales import LearnedScales, earlier_scales, learned_scales
from spikefold.build import Build
from spikefold.errors import InputError
from spikefold.nn import SpikingNeuron
from spikefold.quantize.leak import leak_shifts, shifts_of
from spikefold_hw.architectures import find_architecture

BATCH = 32
LANDSCAPE_SAMPLES = 256
_LEAK_TERMS = 3

Progress = Callable[[str, int, int], None]


class Samples(Protocol):
    """Arrays, or what reads them when asked: ``len`` and indexing with an array of indices."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: NDArray[np.int64]) -> NDArray[np.generic]: ...


def analyze(
    model: torch.nn.Module,
    x: Samples,
    y: NDArray[np.integer] | None = None,
    *,
    first: torch.nn.Module | None = None,
    landscape_points: int | None = None,
    build: Build | None = None,
    weight_bits: int = WEIGHT_BITS,
    seed: int = 0,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> Analysis:
    """Analyse a trained network on samples.

    Parameters
    ----------
    model
        A network of `spikefold.nn` layers from `Input` to `Readout`; it is not changed.
    x, y
        Samples as the network's `Input` takes them, the sample axis first (before time where a sample has
        one), and their classes. Without classes there is no accuracy and no landscape.
    first
        The same network after fewer epochs, to compare its learned scales.
    landscape_points
        Points on a side of the loss landscape, odd; it is taken over the first 256 samples. None for none.
    build
        A build (`spikefold.build.read_build`) whose integer network is counted on the same samples.
    weight_bits
        Of S-ACE and NS-ACE.
    seed
        Of the landscape's directions.
    batch
        Samples run together.
    progress
        Told what is done, how many samples of it are done, and how many there are.

    Raises
    ------
    InputError
        If there are no samples, the labels do not fit, or an option breaks a rule.
    ModelError
        If the network cannot be analysed; the message says why.
    """
    labels = _check(x, y, landscape_points, batch)
    say = progress or (lambda what, done, total: None)
    was_training = model.training
    model.eval()
    try:
        recording = Recording(model)
        earlier = None if first is None else earlier_scales(first, model)
        hits = _record(recording, x, labels, batch, lambda done: say("recording", done, len(x)))
        surface = None
        if landscape_points is not None and labels is not None:
            surface = _landscape(model, recording, x, labels, landscape_points, seed, batch, say)
    finally:
        model.train(was_training)
    integer = None
    if build is not None:
        hardware = find_architecture(build.plan.architecture).summary(build.plan)
        integer = integer_operations(build.network, hardware, x[np.arange(len(x))])
    return _analysis(
        model,
        recording,
        None if labels is None else 100 * hits / len(x),
        weight_bits,
        first=earlier,
        landscape=surface,
        integer=integer,
    )


def _check(
    x: Samples, y: NDArray[np.integer] | None, points: int | None, batch: int
) -> NDArray[np.int64] | None:
    if not len(x):
        raise InputError("Samples must be at least one, not 0")
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise InputError(f"Batch must be a positive integer, not {batch!r}")
    if points is not None:
        check_points(points)
        if y is None:
            raise InputError("Labels must be given for a loss landscape, but are missing")
    if y is None:
        return None
    labels = np.asarray(y)
    if labels.dtype.kind not in "iu" or labels.shape != (len(x),):
        raise InputError(
            f"Labels must be integers of shape ({len(x)},), not {labels.dtype} of shape {labels.shape}"
        )
    return labels.astype(np.int64)


def _batches(recording: Recording, x: Samples, count: int, batch: int) -> Iterator[tuple[slice, Tensor]]:
    """Parts of the first ``count`` samples as the network's input takes them, one after another."""
    for start in range(0, count, batch):
        part = slice(start, min(start + batch, count))
        samples = torch.as_tensor(np.ascontiguousarray(x[np.arange(part.start, part.stop)]))
        if not recording.input.static and samples.dim() > 1:
            samples = samples.transpose(0, 1)
        yield part, samples.to(recording.device)


def _record(
    recording: Recording,
    x: Samples,
    labels: NDArray[np.int64] | None,
    batch: int,
    progress: Callable[[int], None],
) -> int:
    """Record all samples; return how many were classified right."""
    hits = 0
    for part, samples in _batches(recording, x, len(x), batch):
        found = recording.run(samples).argmax(dim=1).numpy(force=True)
        hits += 0 if labels is None else int((found == labels[part]).sum())
        progress(part.stop)
    return hits


def _landscape(
    model: torch.nn.Module,
    recording: Recording,
    x: Samples,
    labels: NDArray[np.int64],
    points: int,
    seed: int,
    batch: int,
    say: Progress,
) -> Landscape:
    count = min(len(x), LANDSCAPE_SAMPLES)
    batches = list(_batches(recording, x, count, batch))
    targets = [torch.from_numpy(labels[part]).to(samples.device) for part, samples in batches]

    def loss(network: torch.nn.Module) -> float:
        total = 0.0
        for (_, samples), target in zip(batches, targets, strict=True):
            total += float(torch.nn.functional.cross_entropy(network(samples), target, reduction="sum"))
        return total / count

    return loss_landscape(
        model,
        loss,
        points,
        samples=count,
        seed=seed,
        progress=lambda done, total: say("loss landscape", done * count, total * count),
    )


def _analysis(
    model: torch.nn.Module, recording: Recording, accuracy: float | None, weight_bits: int, **found: Any
) -> Analysis:
    steps, levels = recording.input.steps, recording.levels
    learned = learned_scales(model)
    neurons = tuple(_neuron_layer(name, record, learned[name]) for name, record in recording.neurons.items())
    synapses = tuple(recording.synapses.values())
    return Analysis(
        samples=recording.samples,
        accuracy=accuracy,
        steps=steps,
        levels=levels,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        neurons=neurons,
        synapses=synapses,
        totals=totals(synapses, [layer.work for layer in neurons], recording.samples, steps),
        efforts=tuple(synaptic_effort(s.macs, steps, levels, s.rate, weight_bits) for s in synapses),
        weight_bits=weight_bits,
        **found,
    )


def _neuron_layer(name: str, record: NeuronRecord, learned: LearnedScales) -> NeuronLayer:
    neuron, count = record.neuron, record.neurons
    return NeuronLayer(
        name=name,
        kind=type(neuron).__name__,
        steps=neuron.steps,
        levels=neuron.levels,
        neurons=count,
        statistics=record.levels,
        membranes=record.membranes,
        learned=learned,
        capacity=Capacity(neuron.steps, neuron.levels + 1, count),
        work=_work(neuron, count),
    )


def _work(neuron: SpikingNeuron, count: int) -> NeuronCount:
    """Updates of ``count`` neurons; leak and reset factor as the compiler's default makes them."""
    factor = None if neuron.factor is None else leak_shifts(neuron.factor, _LEAK_TERMS)
    each = update_of(
        neuron.levels,
        neuron.rounding,
        neuron.reset_mode,
        shifts_of(neuron.leak, _LEAK_TERMS),
        factor,
        neuron.fire_floor is not None,
        neuron.steps,
    )
    scaled = bool((neuron.scale != 1).any())
    return NeuronCount(count, neuron.steps, each, count * (1 + scaled))
