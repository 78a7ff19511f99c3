"""The equations of a folded network, evaluated in float64, held against a model's own forward."""

from dataclasses import fields, replace

import numpy as np
import torch
from torch.nn import functional

from spikefold import ir, nn
from spikefold.fold import (
    FoldedConv,
    FoldedDense,
    FoldedNetwork,
    FoldedNeuron,
    FoldedPopulation,
    FoldedProjection,
    fold,
)

RANGES = {
    "log_scale": (-2.5, -0.5),
    "log_step": (-1.5, -0.5),
    "log_factor": (-0.3, 0.3),
    "log_alpha": (-0.5, 0.5),
}
"""Of what a neuron or a binary layer learns besides weights; `initialised` neurons keep it."""


def as_arrays(folded):
    """A folded network with numpy arrays in place of its tensors, which share their memory."""
    return _converted(folded, torch.Tensor, torch.Tensor.numpy)


def as_tensors(folded):
    """A folded network written in numpy, as `fold` gives it."""
    return _converted(folded, np.ndarray, torch.from_numpy)


def _converted(value, kind, convert):
    if isinstance(value, tuple):
        return tuple(_converted(part, kind, convert) for part in value)
    if isinstance(value, FoldedNetwork | FoldedPopulation | FoldedProjection | FoldedNeuron):
        parts = {field.name: _converted(getattr(value, field.name), kind, convert) for field in fields(value)}
        return replace(value, **parts)
    return convert(value) if isinstance(value, kind) else value


def randomize(model, seed, negative_gains=True):
    """Give every parameter and statistic of a model a random value; scales stay above 0."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) * (high - low) + low)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                uniform(module.running_mean, -0.5, 0.5)
                uniform(module.running_var, 0.2, 2)
                uniform(module.weight, -1.5 if negative_gains else 0.5, 1.5)
                uniform(module.bias, -0.3, 0.5)
            elif isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                bound = 2 * module.weight[0].numel() ** -0.5
                uniform(module.weight, -bound, bound)
                if module.bias is not None:
                    uniform(module.bias, -bound, bound)
            own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
            for name, tensor in own.items():
                if name in RANGES:
                    uniform(tensor, *RANGES[name])
                elif name == "initialised":
                    tensor.fill_(True)
    return model.double().eval()


def _at(values, t):
    return values[t if len(values) > 1 else 0]


def _current(projection, levels, t):
    """Current of one projection at one step; levels (samples, *shape)."""
    weight = _at(projection.weight, t)
    if isinstance(projection, FoldedDense):
        return levels.flatten(1) @ weight.T
    if isinstance(projection, FoldedConv):
        maps = levels if levels.dim() == 4 else levels[:, :, None, None]
        return functional.conv2d(
            maps, weight, None, projection.stride, projection.padding, 1, projection.groups
        )
    return levels * weight.reshape(-1, *(1,) * (levels.dim() - 2))


def _population(p, emitted, steps):
    v, fired, levels, currents = 0.0, False, [], []
    for t in range(steps):
        parts = [_current(q, emitted[q.source][:, t], t) for q in p.projections]
        rank = max(part.dim() for part in parts)
        parts = [part.reshape(*part.shape, *(1,) * (rank - part.dim())) for part in parts]
        assert len({part.shape for part in parts}) == 1
        bias = p.bias.reshape(-1, *(1,) * (rank - 2))
        current = sum(parts) + bias
        currents.append(current)
        if p.neuron is None:
            continue
        a = _at(p.neuron.threshold, t).reshape(-1, *(1,) * (rank - 2))
        u = p.neuron.leak * v + current
        if p.neuron.reset == "scale":
            u = torch.where(torch.as_tensor(fired), p.neuron.factor * u, u)
        half = 0.5 if p.neuron.rounding == "half_up" else 0.0
        n = torch.round(u / a) if p.neuron.rounding == "half_even" else torch.floor(u / a + half)
        n = n.clamp(0, p.neuron.levels)
        fired = n > 0 if p.neuron.fire_floor is None else u >= p.neuron.fire_floor
        n = torch.where(fired, n, 0.0)
        v = {"subtract": u - n * a, "zero": torch.where(fired, 0.0, u)}.get(p.neuron.reset, u)
        levels.append(n)
    return (torch.stack(levels, 1) if levels else None), torch.stack(currents, 1)


def _pool(stage, levels):
    maps = levels.flatten(0, 1)
    if stage.pooling == "max":
        pooled = functional.max_pool2d(maps, stage.kernel, stage.stride, stage.padding)
    else:
        area = stage.kernel[0] * stage.kernel[1]
        pooled = functional.avg_pool2d(maps, stage.kernel, stage.stride, stage.padding) * area
    return pooled.round().unflatten(0, levels.shape[:2])


def evaluate(folded, levels):
    """Run input levels (samples, T or 1, *shape); returns logits, levels and currents by name."""
    levels = torch.from_numpy(np.asarray(levels, np.float64))
    emitted = {"input": levels.expand(-1, folded.steps, *levels.shape[2:])}
    currents = {}
    for stage in folded.stages:
        if isinstance(stage, FoldedPopulation):
            emitted[stage.name], currents[stage.name] = _population(stage, emitted, folded.steps)
        elif isinstance(stage, ir.Pool):
            emitted[stage.name] = _pool(stage, emitted[stage.source])
        else:
            emitted[stage.name] = emitted[stage.sources[0]] + emitted[stage.sources[1]]
    return currents["readout"].mean(1).flatten(1), emitted, currents


def check(model, x, pooling="auto", static=True, awake=1.0):
    """Hold currents, levels and logits of the folded network equal to the model's; return the network.

    `awake` is the share of the neuron layers that must emit something.
    """
    seen = {}
    hooks = [
        module.register_forward_hook(lambda _, given, out, name=name: seen.update({name: (given[0], out)}))
        for name, module in model.named_modules()
        if isinstance(module, nn.SpikingNeuron)
    ]
    with torch.no_grad():
        expected = model(x)
    for hook in hooks:
        hook.remove()
    folded = fold(model, pooling=pooling)
    samples = x if static else x.transpose(0, 1)
    got, emitted, currents = evaluate(folded, folded.input.encode(samples.numpy(), folded.steps))
    modules, spiking = dict(model.named_modules()), 0
    for population in folded.populations[:-1]:
        given, out = seen.pop(population.modules[-1])
        neuron = modules[population.modules[-1]]
        scale = neuron.scale.detach().reshape(neuron.steps, 1, -1, *(1,) * (out.dim() - 3))
        levels = (out / scale).round().transpose(0, 1)
        spiking += bool(levels.max() > 0)
        mine = emitted[_after_max_pools(folded, population.name, levels.shape)]
        torch.testing.assert_close(mine.reshape(levels.shape), levels, rtol=0, atol=0)
        if currents[population.name].numel() == given.numel():
            given = neuron.input_gain * given.transpose(0, 1)
            flow = currents[population.name].reshape(given.shape)
            torch.testing.assert_close(flow, given, rtol=1e-9, atol=1e-9)
    assert not seen
    assert spiking >= awake * (len(folded.populations) - 1)
    torch.testing.assert_close(got, expected.flatten(1), rtol=1e-9, atol=1e-9)
    check_maps(folded, emitted)
    return folded


def _after_max_pools(folded, name, shape):
    """The stage that stands for a neuron's output: the population, or the max pool moved behind it."""
    network = integer_network(folded)
    while np.prod(network.shape_of(name)) != np.prod(shape[2:]):
        name = next(s.name for s in folded.stages if isinstance(s, ir.Pool) and s.source == name)
    return name


def integer_network(folded):
    """The integer network of the same shapes, with all weights 1: what checks geometry and levels."""
    kinds = {"FoldedDense": ir.Dense, "FoldedConv": ir.Conv, "FoldedIdentity": ir.Identity}
    stages = []
    for stage in folded.stages:
        if not isinstance(stage, FoldedPopulation):
            stages.append(stage)
            continue
        projections = []
        for p in stage.projections:
            options = {k: v for k, v in vars(p).items() if k not in ("source", "weight", "binary")}
            weight = np.ones(p.weight.shape, np.int64)
            projections.append(kinds[type(p).__name__](p.source, weight, 2, **options))
        neuron = stage.neuron and ir.Neuron(stage.neuron.levels, np.ones((1, stage.channels), np.int64))
        bias = np.zeros((1, stage.channels), np.int64)
        stages.append(ir.Population(stage.name, tuple(projections), bias, 0, neuron))
    return ir.Network(folded.input, folded.steps, tuple(stages), folded.name)


def check_maps(folded, emitted):
    """Hold shapes and largest levels of the integer network equal to what really flowed."""
    network = integer_network(folded)
    for stage in network.stages[:-1]:
        assert tuple(emitted[stage.name].shape[2:]) == network.shape_of(stage.name)
        assert emitted[stage.name].max() <= network.levels_of(stage.name)
