"""Networks of snnTorch as its tutorials have them."""

from collections.abc import Iterator

import snntorch as snn
import torch
from import_case import Case
from snntorch import surrogate
from torch import nn

from spikefold.importers import Grid

STEPS = 6


class Looped(nn.Module):
    """The network of tutorial 5: its forward loops over the steps and hands the membranes on."""

    def __init__(self, frames: bool = False, **options) -> None:
        super().__init__()
        self.frames = frames
        self.fc1, self.lif1 = nn.Linear(24, 20), snn.Leaky(beta=0.9375, **options)
        self.fc2, self.lif2 = nn.Linear(20, 4), snn.Leaky(beta=0.9375, **options)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for step in range(STEPS):
            cur1 = self.fc1(x[step] if self.frames else x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


def convolutional() -> nn.Module:
    """The network of tutorial 6: one step a call, hidden states in the layers."""
    grad = surrogate.fast_sigmoid(slope=25)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.AvgPool2d(2),
        snn.Leaky(beta=0.5, spike_grad=grad, init_hidden=True, reset_mechanism="zero"),
        nn.MaxPool2d(2, 1),
        nn.Conv2d(4, 6, 3),
        snn.Leaky(beta=0.75, spike_grad=grad, init_hidden=True),
        nn.Flatten(),
        nn.Linear(6, 4),
        snn.Leaky(beta=0.75, spike_grad=grad, init_hidden=True, output=True),
    )


def learnt() -> nn.Module:
    """Thresholds of every channel and betas that training has moved."""
    net = nn.Sequential(
        nn.Linear(24, 16),
        snn.Leaky(
            beta=torch.tensor(0.875),
            threshold=0.4 + torch.rand(16),
            learn_beta=True,
            learn_threshold=True,
            init_hidden=True,
        ),
        nn.Linear(16, 10),
        snn.Leaky(beta=0.25, init_hidden=True, reset_mechanism="none", threshold=0.3),
        nn.Linear(10, 4),
    )
    return net


def of_channels(reset: str = "subtract", maps: bool = False) -> nn.Module:
    """Betas and thresholds that training has moved apart, channel by channel; of maps as [C, 1, 1]."""
    size = (5, 1, 1) if maps else (16,)
    leaky = snn.Leaky(
        beta=torch.linspace(16, 32, size[0]).round().reshape(size) / 32,
        threshold=0.4 + torch.rand(size),
        learn_beta=True,
        learn_threshold=True,
        init_hidden=True,
        reset_mechanism=reset,
    )
    tail = [nn.Linear(16, 4), snn.Leaky(beta=torch.tensor([0.5, 0.75, 1.0, 0.875]), init_hidden=True)]
    if not maps:
        return nn.Sequential(nn.Linear(24, 16), leaky, *tail)
    return nn.Sequential(
        nn.Conv2d(2, 5, 3), leaky, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(45, 16), leaky_16(), *tail
    )


def leaky_16() -> nn.Module:
    return snn.Leaky(beta=torch.arange(1, 17) / 16, init_hidden=True, reset_mechanism="zero")


def _case(name: str, net: nn.Module, shape: tuple[int, ...], static: bool = True, **more) -> Case:
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight *= 3
    return Case("snntorch", name, net.eval(), Grid(shape, 15, 0.0, 1.0, STEPS, static), **more)


def cases() -> Iterator[Case]:
    torch.manual_seed(7)
    yield _case("leaky mlp", Looped(), (24,))
    yield _case("leaky mlp of frames", Looped(frames=True, threshold=0.6), (24,), static=False)
    yield _case("leaky zero", Looped(reset_mechanism="zero"), (24,))
    yield _case("leaky at once", Looped(reset_delay=False, threshold=2.0), (24,))
    yield _case("leaky cnn", convolutional(), (2, 8, 8))
    yield _case("leaky learnt", learnt(), (24,))
    for reset in ("subtract", "zero", "none"):
        yield _case(f"leaky of channels, {reset}", of_channels(reset), (24,))
    yield _case("leaky of maps' channels", of_channels(maps=True), (2, 8, 8))
