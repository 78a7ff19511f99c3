"""Models whose every tensor has a value of its own, for the tests of model files."""

from collections import OrderedDict

import numpy as np
import torch

from spikefold import nn


def trained_like(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every tensor of ``model`` a value that no constructor would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
            else:
                tensor.fill_(1)
    return model.eval()


class Interleaved(torch.nn.Module):
    """A chain whose container ``block`` is left and entered again."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Input(4)
        self.block = torch.nn.ModuleList([torch.nn.Linear(4, 3), nn.Readout()])
        self.neuron = nn.PIT(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block[1](self.neuron(self.block[0](self.input(x))))


class Sums(torch.nn.Module):
    """A diamond of sums written as operators, around a layer that is left and entered again."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Input(4)
        self.add = torch.nn.ModuleList([nn.Dense(4, 3), nn.PIT(3), nn.Dense(3, 3)])
        self.readout = nn.Readout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.add[0](self.input(x))
        y = self.add[1](x)
        return self.readout(self.add[2](y) + y + x)


def models() -> dict[str, torch.nn.Module]:
    mean = np.random.default_rng(0).normal(size=(2, 3)).tolist()
    small = {"neuron": "pit", "steps": 2, "dropout": 0.1}
    residual = small | {"mean": [0.25, 0.5], "std": 0.3}
    return {
        "pit": nn.models.mlp(4, [5], 3, steps=2, levels=7, leak=0.25),
        "lif": nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.LIF(3, threshold=0.7), nn.Readout()),
        "images": nn.Sequential(
            nn.Input((2, 3), 255, -1.5, 2.5, mean=mean, std=0.3, steps=2),
            nn.Flatten(),
            nn.Dense(6, 2),
            nn.Dropout(0.25),
            torch.nn.Identity(),
            nn.ILIF(2, steps=2, rectify=0.1, reset="zero"),
            nn.Dense(2, 2, bias=False),
            nn.Readout(),
        ),
        "lenet": nn.models.lenet((2, 16, 16), 3, width=2, **small),
        "vgg11": nn.models.vgg11((2, 32, 32), 3, width=1, pool="avg", head="flatten", **residual),
        "preact_resnet": nn.models.preact_resnet((2, 8, 8), 3, (2, 1), (2, 3), **residual),
        "resnet19": nn.models.resnet19((2, 8, 8), 3, width=2, **residual),
        "resnet20": nn.models.resnet20((2, 8, 8), 3, width=1, **small),
        "sew_resnet": nn.models.sew_resnet((2, 8, 8), 3, (2, 1), (2, 3), stem="large", **residual),
        "interleaved": Interleaved(),
        "sums": Sums(),
        "shared scale": nn.Sequential(
            nn.Input((2, 3, 4), static=False, steps=2, pad=(1, 0), mean=[0.1, 0.9]),
            nn.Conv2d(2, 4, (3, 1), stride=(1, 2), padding=(0, 1), groups=2, bias=False),
            nn.PIT(4, steps=2, per_step=False),
            nn.AvgPool2d((1, 2), 1, (0, 1)),
            nn.MaxPool2d(2, (1, 2), 1),
            nn.GlobalAvgPool(),
            nn.Flatten(),
            nn.Readout(),
        ),
        "nested": nn.Sequential(
            OrderedDict(
                a=nn.Input(4), b=nn.Sequential(nn.Dense(4, 3), nn.Sequential(nn.PIT(3))), c=nn.Readout()
            )
        ),
    }
