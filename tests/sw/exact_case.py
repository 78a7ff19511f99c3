"""A fake-quantized model beside its integer network, level by level."""

from contextlib import contextmanager

import numpy as np
import torch
from folded_reference import randomize

from spikefold import ir, nn
from spikefold.fold import fold
from spikefold.golden import Golden
from spikefold.quantize import quantize
from spikefold.train import fake_quantized

CLASSES = 3


@contextmanager
def recorded(model):
    """What every neuron layer emits, as levels (samples, T, ...) by name."""
    seen = {}

    def keep(name):
        def hook(neuron, _, out):
            scale = neuron.scale.detach().reshape(neuron.steps, 1, -1, *(1,) * (out.dim() - 3))
            seen[name] = (out / scale).detach().transpose(0, 1).numpy()

        return hook

    neurons = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.SpikingNeuron)]
    hooks = [neuron.register_forward_hook(keep(name)) for name, neuron in neurons]
    yield seen
    for hook in hooks:
        hook.remove()


def check(model, x, bits=4, static=True, awake=0.9, **options):
    """Hold levels, logits and classes of the model equal to those of the integer network; return this."""
    model, options = model.double().eval(), {"method": "max"} | options
    folded = fold(model)
    network, _ = quantize(folded, weight_bits=bits, **options)
    samples = (x if static else x.transpose(0, 1)).numpy()
    run = Golden(network).run(network.input.encode(samples, network.steps), record=True)
    with recorded(model) as seen, torch.no_grad(), fake_quantized(model, bits, **options):
        logits = model(x)
    awakened = 0
    for population in folded.populations[:-1]:
        levels = seen.pop(population.modules[-1])
        mine = run.levels[after_max_pools(network, population.name, levels[0, 0].size)]
        awakened += bool(mine.any())
        np.testing.assert_allclose(levels, np.rint(levels), rtol=0, atol=1e-9)
        np.testing.assert_array_equal(np.rint(levels).reshape(mine.shape), mine)
    assert not seen
    assert awakened >= awake * (len(folded.populations) - 1)
    np.testing.assert_allclose(logits.numpy(), run.logits * network.readout.scale, rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(logits.argmax(1).numpy(), run.classes)
    return network


def after_max_pools(network, name, size):
    """The stage that stands for a neuron's output: the population, or the max pool moved behind it."""
    while np.prod(network.shape_of(name)) != size:
        name = next(s.name for s in network.stages if isinstance(s, ir.Pool) and s.source == name)
    return name


def _leaks(channels):
    """A leak of each channel, from 0.1 to 0.9."""
    return [0.1 + 0.8 * (k * 5 % channels) / channels for k in range(channels)]


NEURONS = {
    "pit": lambda c, t: nn.PIT(c, 4, t),
    "pit_leak": lambda c, t: nn.PIT(c, 7, t, leak=0.8, surrogate="box"),
    "pit_shared": lambda c, t: nn.PIT(c, 4, t, per_step=False, per_channel=False, reset="zero"),
    "pit_decay": lambda c, t: nn.PIT(c, 5, t, leak=0.3, input_decay=True, learn="factor"),
    "ilif": lambda c, t: nn.ILIF(c, 4, t, leak=0.25, threshold=0.4),
    "ilif_even": lambda c, t: nn.ILIF(c, 3, t, leak=0.25, threshold=0.4, rounding="half_even"),
    "lif": lambda c, t: nn.LIF(c, 0.3, t, leak=0.9),
    "lif_none": lambda c, t: nn.LIF(c, 0.3, t, leak=0.6, reset="none", input_decay=True),
    "leaky": lambda c, t: nn.Leaky(c, 0.3, t, leak=0.8),
    "pit_leaks": lambda c, t: nn.PIT(c, 7, t, leak=_leaks(c), input_decay=True),
    "leaky_leaks": lambda c, t: nn.Leaky(c, 0.3, t, leak=[0.5 + leak / 2 for leak in _leaks(c)]),
    "qblif": lambda c, t: nn.QBLIF(c, 20, t, leak=0.7, reset_factor=0.4, init=0.13),
    "qblif_one": lambda c, t: nn.QBLIF(c, 3, t, reset_factor=1.0, init=0.3, per_channel=True),
    "reverb": lambda c, t: nn.ReverB(c, 3, t, threshold=0.0),
    "reverb_always": lambda c, t: nn.ReverB(c, 4, t, threshold=-50.0),
    "reverb_floor": lambda c, t: nn.ReverB(c, 4, t, leak=0.7, threshold=0.2, alpha="channel"),
}


def dense(neuron, steps, seed=0, static=True):
    make = NEURONS[neuron]
    layers = (
        nn.Dense(6, 9),
        nn.BatchNorm(9),
        make(9, steps),
        nn.Dense(9, 7, bias=False),
        nn.BatchNorm(7),
        make(7, steps),
        nn.Dense(7, CLASSES),
        nn.Readout(),
    )
    source = nn.Input(6, 15, mean=[0.1 * k for k in range(6)], std=0.4, steps=steps, static=static)
    return lively(nn.Sequential(source, *layers), seed)


def lively(model, seed):
    """Random parameters with which neurons fire."""
    generator = torch.Generator().manual_seed(seed)
    randomize(model, seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm):
                module.bias.add_(0.4)
            for name in ("log_step", "log_factor", "log_alpha"):
                parameter = getattr(module, name, None)
                if parameter is not None:
                    low = -2.0 if name == "log_step" else -0.5
                    parameter.copy_(torch.rand(parameter.shape, generator=generator) + low)
            if isinstance(module, nn.QBLIF):
                module.log_scale.add_(0.3 * torch.rand(module.log_scale.shape, generator=generator))
    return model
