"""Checkpoints as the authors of PIT publish them, made here: state dicts and a forward pass."""

import torch
from import_case import Case
from torch.nn import functional

from spikefold.importers import Grid

SHAPE = (3, 32, 32)
CIFAR = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)}


def checkpoint(blocks=(2, 2, 2, 2), width=4, steps=1, seed=0, channels=3, classes=10, zero=None):
    """A state dict of a pre-activation ResNet: names and shapes of the authors' `spiking_resnet18`.

    Convolutions carry a bias but for the first. `zero` names an alpha whose first channel is 0.
    """
    draw = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}

    def uniform(name, shape, low, high):
        state[name] = torch.rand(shape, generator=draw) * (high - low) + low

    def conv(name, out, before, kernel, bias=True):
        bound = 2 * (before * kernel * kernel) ** -0.5
        uniform(f"{name}.weight", (out, before, kernel, kernel), -bound, bound)
        if bias:
            uniform(f"{name}.bias", (out,), -0.2, 0.2)

    def norm(name, size):
        uniform(f"{name}.weight", (size,), 0.6, 1.6)
        uniform(f"{name}.bias", (size,), -0.1, 0.7)
        uniform(f"{name}.running_mean", (size,), -0.3, 0.3)
        uniform(f"{name}.running_var", (size,), 0.5, 1.5)
        state[f"{name}.num_batches_tracked"] = torch.tensor(100)

    def neuron(name, size):
        for t in range(steps):
            uniform(f"{name}.alpha.{t}", (size,), 0.2, 0.8)
            uniform(f"{name}.p.{t}", (), 0.7, 1.3)

    widths = [width * 2**i for i in range(len(blocks))]
    conv("conv1", width, channels, 3, bias=False)
    before = width
    for stage, (size, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        for block in range(count):
            path = f"layer{stage}.{block}"
            norm(f"{path}.bn1", before)
            conv(f"{path}.conv1", size, before, 3)
            norm(f"{path}.bn2", size)
            conv(f"{path}.conv2", size, size, 3)
            if before != size or (stage > 1 and block == 0):
                conv(f"{path}.shortcut", size, before, 1)
            neuron(f"{path}.relu1", before)
            neuron(f"{path}.relu2", size)
            before = size
    norm("bn1", before)
    neuron("relu1", before)
    uniform("linear.weight", (classes, before), -0.3, 0.3)
    uniform("linear.bias", (classes,), -0.1, 0.1)
    if zero is not None:
        state[zero][0] = 0.0
    return state


class Neuron(torch.nn.Module):
    """The authors' neuron as their paper and program describe it, one time step a call."""

    def __init__(self, state, name, tau, decay, hard):
        super().__init__()
        self.alpha = [state[k].double() for k in sorted(state) if k.startswith(f"{name}.alpha.")]
        self.p = [state[k].double() for k in sorted(state) if k.startswith(f"{name}.p.")]
        self.tau, self.decay, self.hard = tau, decay, hard
        self.v, self.t = 0.0, 0

    def forward(self, x):
        self.v = self.tau * self.v + ((1 - self.tau) * x if self.decay else x)
        a = torch.clamp(self.alpha[self.t] * self.p[self.t], min=1e-3).view(1, -1, 1, 1)
        spike = torch.clamp(self.v / a, 0, 4).round() * a
        self.v = torch.where(spike != 0, torch.zeros_like(spike), self.v) if self.hard else self.v - spike
        self.t += 1
        return spike


def logits(state, x, tau, decay, hard=False, blocks=(2, 2, 2, 2)):
    """The logits of real-valued images [B, C, H, W] shown at every step: an independent forward pass."""
    weights = {name: value.double() for name, value in state.items()}
    paths = [f"layer{s}.{b}" for s, count in enumerate(blocks, start=1) for b in range(count)]
    names = [f"{path}.{relu}" for path in paths for relu in ("relu1", "relu2")] + ["relu1"]
    neurons = {name: Neuron(state, name, tau, decay, hard) for name in names}
    steps = len(neurons["relu1"].alpha)

    def conv(name, x, stride=1, padding=1):
        bias = weights.get(f"{name}.bias")
        return functional.conv2d(x, weights[f"{name}.weight"], bias, stride, padding)

    def norm(name, x):
        names = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(weights[f"{name}.{one}"] for one in names))

    total = 0.0
    for _ in range(steps):
        y = conv("conv1", x)
        for path in paths:
            stride = 2 if path.endswith(".0") and not path.startswith("layer1") else 1
            s = neurons[f"{path}.relu1"](norm(f"{path}.bn1", y))
            out = conv(f"{path}.conv1", s, stride)
            out = conv(f"{path}.conv2", neurons[f"{path}.relu2"](norm(f"{path}.bn2", out)))
            y = out + (conv(f"{path}.shortcut", s, stride, 0) if f"{path}.shortcut.weight" in weights else s)
        s = neurons["relu1"](norm("bn1", y))
        total = total + functional.linear(
            functional.avg_pool2d(s, 4).flatten(1), weights["linear.weight"], weights["linear.bias"]
        )
    return total / steps


def cases():
    """Imports that must give the same network."""
    pixels = Grid(SHAPE, 255, 0.0, 1.0, 1)
    yield Case("pit", "resnet18", checkpoint(), pixels, {"tau": 0.5, "decay_input": True})
    four = Grid(SHAPE, 15, 0.0, 1.0, 4)
    options = {"tau": 0.5, "decay_input": False}
    yield Case("pit", "resnet18 in 4 steps", checkpoint(steps=4, seed=1), four, options)
    hard = {"tau": 0.25, "decay_input": True, "reset": "hard"}
    yield Case(
        "pit",
        "hard reset, 3 blocks",
        checkpoint((2, 1, 1, 1), 3, 2, seed=2),
        Grid(SHAPE, 7, 0.0, 1.0, 2),
        hard,
    )
    events = Grid((2, 34, 35), 3, 0.0, 3.0, 2, static=False)
    yield Case(
        "pit",
        "events, maps cropped by the pool",
        checkpoint((1, 1, 1, 1), 4, 2, 3, channels=2),
        events,
        options,
    )
