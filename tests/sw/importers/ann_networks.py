"""Networks of plain PyTorch with ReLUs, as they come from courses and papers."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from import_case import Case, liven
from torch import nn

from spikefold.importers import Comparison, Grid, Imported, compare
from spikefold.importers.ann import reference

MAPS, FLAT = (2, 8, 8), (24,)


class Block(nn.Module):
    """torchvision's BasicBlock: one ReLU called twice, and a sum before the second."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or before != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(MAPS[0], 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(4, 4, 1), Block(4, 6, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer1(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Functional(nn.Module):
    """A network in the style of the MNIST example: no layer for what has no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(MAPS[0], 4, 3)
        self.conv2 = nn.Conv2d(4, 6, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(54, 16), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = self.conv2(x).relu()
        x = x.view(x.size(0), -1)
        x = F.dropout(torch.clamp(self.fc1(x), 0, 3), training=self.training)
        return self.fc2(x)


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(24, 20),
        nn.BatchNorm1d(20),
        nn.ReLU(),
        nn.Linear(20, 16),
        nn.Hardtanh(0, 1),
        nn.Linear(16, 4),
    )


def clipped() -> nn.Module:
    """A MobileNet-like chain: depthwise convolutions, ReLU6, average pools."""
    return nn.Sequential(
        nn.Conv2d(MAPS[0], 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU6(),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU6(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 1),
        nn.ReLU6(),
        nn.Flatten(),
        nn.Linear(96, 4),
    )


def _case(name: str, net: nn.Module, shape: tuple[int, ...], **options) -> Case:
    grid = Grid(shape, 15, 0.0, 1.0, 1)
    x = grid.real(grid.samples(grid.random(64, seed=5)))[0].float()
    net = liven(net, lambda net: net(x))
    return Case("ann", name, net, grid, options, grid.random(64, seed=6), tolerance=1.0)


def cases() -> Iterator[Case]:
    torch.manual_seed(4)
    yield _case("relu mlp", mlp(), FLAT)
    yield _case("relu functional", Functional(), MAPS)
    yield _case("relu resnet", ResNet(), MAPS, levels=31)
    yield _case("relu6 depthwise", clipped(), MAPS, levels=7, per_channel=False)


def compare_rounded(case: Case, imported: Imported, samples: int = 40) -> Comparison:
    """The source beside ours once the source's own activations are rounded to the scales that were found.

    It has levels then, which must be the same: nothing but the rounding was changed. For networks whose
    activations are layers.
    """
    scales = {tap: imported.model.get_submodule(name) for name, tap in imported.taps.items()}
    calls: dict[str, int] = {}

    def rounding(name: str) -> Callable[..., Any]:
        def round_it(layer: nn.Module, given: Any, value: torch.Tensor) -> torch.Tensor:
            call = calls[name] = calls.get(name, 0) + 1
            neuron: Any = scales[name if call == 1 else f"{name}_{call}"]
            a = neuron.scale[0].detach().double().reshape(-1, *(1,) * (value.dim() - 2))
            return torch.floor(value / a + 0.5).clamp(0, neuron.levels) * a

        return round_it

    handles = []
    for name, layer in case.source.named_modules():
        if isinstance(layer, nn.ReLU | nn.Hardtanh):
            layer.inplace = False
            handles.append(layer.register_forward_hook(rounding(name)))
    try:
        rounded = reference(case.source)  # a copy, hooks and all
    finally:
        for handle in handles:
            handle.remove()

    def run(x: torch.Tensor) -> Any:
        calls.clear()
        return rounded(x)

    return compare(imported, run, case.grid, case.grid.random(samples, seed=3), samples=samples)
