"""Amplitudes of binary weights that move into neurons (ReverB-SNN Eq. 16-18)."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from spikefold import nn
from spikefold.errors import ModelError


class Fork(torch.nn.Module):
    """Neurons whose maps are read by two binary layers and, through pools, by two layers of real weights."""

    def __init__(self, first: str = "layer", second: str = "layer") -> None:
        super().__init__()
        self.input = nn.Input((2, 6, 6), steps=2)
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.neuron = nn.ReverB(4, bits=None, steps=2)
        self.first = nn.BinaryConv2d(4, 6, 3, padding=1, groups=2, alpha=first)
        self.second = nn.BinaryConv2d(4, 6, 1, alpha=second)
        self.shortcut = nn.Conv2d(4, 6, 1, groups=2)
        self.pool, self.pool1, self.flatten = nn.MaxPool2d(3, 3), nn.AvgPool2d(2), torch.nn.Flatten(2)
        self.linear = torch.nn.Linear(16, 3)
        self.head = nn.Sequential(nn.GlobalAvgPool(), nn.Flatten(), nn.Dense(6, 3))
        self.add, self.readout = nn.Add(), nn.Readout()

    def forward(self, x: Tensor) -> Tensor:
        x = self.neuron(self.stem(self.input(x)))
        y = self.head(self.add(self.first(x), self.second(x), self.shortcut(x)))
        return self.readout(y + self.linear(self.flatten(self.pool(x))))


def chain(alpha: str, bits: int | None = None, neuron: str = "none") -> nn.Sequential:
    """A chain in which two binary layers read ReverB neurons, one of them through a pool and dropout."""
    return nn.Sequential(
        OrderedDict(
            input=nn.Input((2, 6, 6), steps=3),
            stem=nn.Conv2d(2, 4, 3, padding=1),
            neuron1=nn.ReverB(4, bits=bits, steps=3, threshold=0.25, alpha=neuron),
            pool=nn.MaxPool2d(2),
            conv=nn.BinaryConv2d(4, 6, 3, padding=1, groups=2, bias=False, alpha=alpha),
            norm=nn.BatchNorm(6),
            neuron2=nn.ReverB(6, bits=bits, steps=3, alpha=neuron),
            mean=nn.GlobalAvgPool(),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(0.5),
            dense=nn.BinaryDense(6, 5, alpha=alpha),
            readout=nn.Readout(),
        )
    )


def varied(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every alpha a value of its own; double precision, eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("log_alpha"):
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return model.double().eval()


def images() -> Tensor:
    return torch.rand(5, 2, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("alpha", ["input", "layer"])
@pytest.mark.parametrize("neuron", ["none", "layer", "channel"])
def test_a_chain_stays_the_same_function(alpha: str, neuron: str, tmp_path: Path) -> None:
    model = varied(chain(alpha, neuron=neuron))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    moved = nn.reparameterize(model)
    x = images()
    torch.testing.assert_close(moved(x), model(x), rtol=1e-12, atol=1e-12)
    assert float(model(x).detach().std(0).min()) > 1e-3
    for layer, old in ((moved.conv, model.conv), (moved.dense, model.dense)):
        assert layer.alpha_mode == "none"
        assert torch.equal(layer.effective_weight(), torch.where(old.weight >= 0, 1.0, -1.0).double())
    current = torch.randn(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ratio = moved.neuron1(current) / model.neuron1(current)
    expected = model.conv.alpha.detach().expand(4).reshape(4, 1, 1).expand_as(ratio)
    fired = model.neuron1(current) > 0
    torch.testing.assert_close(ratio[fired], expected[fired])  # Eq. 18
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    nn.save(moved, tmp_path / "m")
    assert torch.equal(nn.load(tmp_path / "m")(x), moved(x))
    assert torch.equal(nn.reparameterize(moved)(x), moved(x))


def test_eq_18_with_bits_moves_the_grid_of_levels() -> None:
    model = varied(chain("input", bits=3))
    moved = nn.reparameterize(model)
    alpha = np.exp(model.conv.log_alpha.detach().numpy())
    lsb = model.neuron1.scale.detach().numpy()[0]
    current = np.random.default_rng(0).normal(0, 3, (3, 7, 4))
    u, expected = np.zeros((7, 4)), []
    for step in current:
        u = 0.25 * u + step
        fired = u >= 0.25
        expected.append(np.where(fired, lsb * np.clip(np.floor(alpha * u / lsb), 0, 7), 0))
        u = np.where(fired, 0, u)
    got = moved.neuron1(torch.from_numpy(current)).detach().numpy()
    np.testing.assert_allclose(got, np.stack(expected), rtol=1e-12)
    np.testing.assert_allclose(moved.neuron1.threshold.detach()[0], lsb / alpha, rtol=1e-12)
    np.testing.assert_array_equal(moved.neuron1.scale.detach()[0], lsb)


def test_real_weights_that_read_the_neuron_are_divided() -> None:
    model = varied(Fork("input", "input"))
    with torch.no_grad():
        model.second.log_alpha.copy_(model.first.log_alpha)
    moved = nn.reparameterize(model)
    x = images()
    torch.testing.assert_close(moved(x), model(x), rtol=1e-12, atol=1e-12)
    assert float(model(x).detach().std(0).min()) > 1e-3
    a = model.first.alpha.detach().numpy()
    weight = model.shortcut.weight.detach().numpy().copy()
    weight[:3] /= a[:2, None, None]
    weight[3:] /= a[2:, None, None]
    np.testing.assert_allclose(moved.shortcut.weight.detach(), weight, rtol=1e-12)
    linear = model.linear.weight.detach().numpy() / np.repeat(a, 4)
    np.testing.assert_allclose(moved.linear.weight.detach(), linear, rtol=1e-12)
    assert moved.linear.weight.requires_grad
    assert isinstance(moved.linear.weight, torch.nn.Parameter)


@pytest.mark.parametrize("other", ["none", "output"])
def test_an_alpha_of_1_agrees_with_layers_that_have_none(other: str) -> None:
    model = varied(Fork("layer", other))
    with torch.no_grad():
        model.first.log_alpha.zero_()
    moved = nn.reparameterize(model)
    assert (moved.first.alpha_mode, moved.second.alpha_mode) == ("none", other)
    torch.testing.assert_close(moved(images()), model(images()))


def test_an_alpha_on_the_outputs_stays() -> None:
    model = varied(chain("output"))
    moved = nn.reparameterize(model.train())
    assert moved is not model
    assert moved.training
    assert moved.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, moved.state_dict()[key]) for key, value in model.state_dict().items())


def test_a_moved_alpha_is_still_trained() -> None:
    moved = nn.reparameterize(varied(chain("input"))).train()
    moved(images()).square().sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in moved.parameters())
    grads = {name: p.grad for name, p in moved.named_parameters() if "log_alpha" in name}
    assert sorted(grads) == ["neuron1.log_alpha", "neuron2.log_alpha"]
    assert float(grads["neuron1.log_alpha"].abs().min()) > 0


def test_equal_alphas_of_a_channels_features_move() -> None:
    model = nn.Sequential(
        nn.ReverB(2, bits=None), nn.Flatten(), nn.BinaryDense(8, 3, False, "input"), nn.Readout()
    )
    with torch.no_grad():
        model[2].log_alpha.copy_(torch.tensor([0.5] * 4 + [-0.25] * 4))
    x = torch.randn(1, 6, 2, 2, 2)
    torch.testing.assert_close(nn.reparameterize(model)(x), model(x))
    with torch.no_grad():
        model[2].log_alpha[7] = 0
    message = (
        r"^Layer '2' must have one alpha for all features of a channel for it to be moved into 2 neurons, "
    )
    with pytest.raises(ModelError, match=message):
        nn.reparameterize(model)


def reads(*layers: torch.nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Readout())


class Shortcut(torch.nn.Module):
    """Neurons read by a binary layer and by a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.neuron, self.dense, self.readout = (
            nn.ReverB(3),
            nn.BinaryDense(3, 3, alpha="layer"),
            nn.Readout(),
        )
        self.sum = nn.Add()

    def forward(self, x: Tensor) -> Tensor:
        x = self.neuron(x)
        return self.readout(self.sum(self.dense(x), x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: reads(nn.Dense(2, 3), nn.PIT(3), nn.Dropout(0.5), nn.BinaryDense(3, 3, alpha="input")),
            r"^Layer '3' must read a ReverB neuron for its alpha 'input' to be moved, not '1' \(pit\); "
            r"use alpha='output' there$",
        ),
        (
            lambda: reads(nn.ReverB(3), nn.BatchNorm(3), nn.BinaryDense(3, 3, alpha="layer")),
            r"^Layer '2' must read .* alpha 'layer' to be moved, not '1' \(batch_norm\); ",
        ),
        (
            lambda: reads(nn.BinaryDense(3, 3, alpha="layer"), nn.ReverB(3)),
            r"^Layer '0' must read a ReverB neuron .*, not the model's input; ",
        ),
        (
            lambda: reads(nn.Flatten(), nn.BinaryDense(3, 3, alpha="layer")),
            r"^Layer '1' must read a ReverB neuron .*, not '0' \(flatten\); ",
        ),
        (
            lambda: varied(Fork("layer", "layer")),
            r"^Binary layers that read 'neuron' must have equal alphas on their inputs, not 'first' and "
            r"'second' different ones; use alpha='output' there$",
        ),
        (
            lambda: Fork("layer", "none"),
            r"^Binary layers that read 'neuron' must have equal .* and 'second' ",
        ),
        (
            lambda: Fork("output", "input"),
            r"^Binary layers that read 'neuron' must have equal .* and 'second' ",
        ),
        (
            Shortcut,
            r"^Layer 'neuron' must be read by weights only for alpha to be moved into it, not by 'sum' "
            r"\(add\); use alpha='output' in 'dense'$",
        ),
        (
            lambda: reads(nn.ReverB(3), nn.BinaryDense(4, 3, alpha="input")),
            r"^Layer '1' must read a multiple of 3 inputs, as many channels as its neuron has, not 4$",
        ),
    ],
)
def test_what_cannot_be_moved_is_named(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        nn.reparameterize(make())
