"""Small convolutional and residual networks over images of 2x9x8 pixels, with random parameters."""

import torch
from folded_reference import randomize

from spikefold import ir, nn

TXD = [(4, 1), (2, 2), (1, 4)]
NORMALISED = {"mean": [0.4, 0.2], "std": [0.3, 0.5]}


def images(seed=0, shape=(2, 9, 8), samples=12):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(samples, *shape, generator=generator, dtype=torch.float64)


def sequential(*layers, shape=(2, 9, 8), steps=1, levels=7, **options):
    """A model of these layers over images; random parameters."""
    model = nn.Sequential(nn.Input(shape, levels, steps=steps, **options), *layers)
    return randomize(model, seed=len(layers))


class Net(torch.nn.Module):
    """Layers by name and a function that connects them."""

    def __init__(self, connect, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._connect = connect

    def forward(self, x):
        return self._connect(self, x)


def residual_layers(steps, levels, width=5):
    """Parts of a small residual network over 2x9x8 images."""
    return {
        "source": nn.Input((2, 9, 8), 7, steps=steps),
        "stem": nn.Conv2d(2, width, 3, padding=1, bias=False),
        "norm0": nn.BatchNorm(width),
        "fire0": nn.PIT(width, levels, steps),
        "conv1": nn.Conv2d(width, width, 3, padding=1),
        "norm1": nn.BatchNorm(width),
        "fire1": nn.PIT(width, levels, steps),
        "conv2": nn.Conv2d(width, width, 3, padding=1, bias=False),
        "norm2": nn.BatchNorm(width),
        "fire2": nn.PIT(width, levels, steps),
        "flat": nn.Flatten(),
        "head": nn.Dense(width * 9 * 8, 3),
        "out": nn.Readout(),
    }


def build(connect, steps=1, levels=4, seed=0, width=5, **extra):
    return randomize(Net(connect, **residual_layers(steps, levels, width), **extra), seed)


def sew(net, x):
    x = net.fire0(net.norm0(net.stem(net.source(x))))
    y = net.fire1(net.norm1(net.conv1(x))) + x
    z = net.fire2(net.norm2(net.conv2(y))) + y
    return net.out(net.head(net.flat(z)))


def kinds(population):
    return [type(p).__name__.removeprefix("Folded").lower() for p in population.projections]


def pools(folded):
    return [stage for stage in folded.stages if isinstance(stage, ir.Pool)]
