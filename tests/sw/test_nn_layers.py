"""Input encoding, dense layers, batch norm, readout, models."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError

RNG = np.random.default_rng


def test_input_emits_the_value_of_each_level() -> None:
    layer = nn.Input((3,), levels=8, minimum=-1.0, maximum=3.0, steps=2)
    x = torch.from_numpy(RNG(0).uniform(-2, 4, (5, 3))).float()
    levels = layer.encode(x)
    assert levels.dtype == torch.int64
    expected = (levels * layer.scale + layer.shift).float()
    assert torch.equal(layer(x), torch.stack([expected, expected]))
    np.testing.assert_allclose(layer(x)[0], x.clamp(-1, 3), atol=0.25 + 1e-6)


def test_normalisation_is_part_of_scale_and_shift() -> None:
    mean, std = np.array([1.0, 2.0, 3.0]), np.array([0.5, 2.0, 4.0])
    layer = nn.Input((3,), levels=10, minimum=0.0, maximum=10.0, mean=mean, std=std)
    x = torch.tensor([[1.0, 2.0, 3.0], [10.0, 0.0, 7.0]])
    np.testing.assert_allclose(layer(x)[0], (x.numpy() - mean) / std, rtol=1e-6, atol=1e-6)
    assert layer.scale.dtype == layer.shift.dtype == torch.float64
    assert layer.float().scale.dtype == torch.float64
    np.testing.assert_array_equal(layer.scale, 1.0 / std)
    np.testing.assert_array_equal(layer.shift, -mean / std)


def test_input_takes_whole_numbers_and_follows_the_dtype_of_the_model() -> None:
    layer = nn.Input((2,), levels=255, maximum=255.0)
    x = torch.tensor([[0, 255], [7, 128]], dtype=torch.uint8)
    assert torch.equal(layer.encode(x), x.to(torch.int64))
    assert layer(x).dtype == torch.float32
    assert layer.double()(x).dtype == torch.float64


def test_input_that_changes_over_time_is_not_repeated() -> None:
    layer = nn.Input((2,), levels=4, steps=3, static=False)
    x = torch.rand(3, 5, 2, generator=torch.Generator().manual_seed(0))
    assert layer(x).shape == (3, 5, 2)
    with pytest.raises(InputError, match=r"^Input must have shape \[3, batch, 2\], not \[5, 2\]$"):
        layer(x[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Input((3,), levels=0), r"^Input levels must be an integer from 1 to 255, not 0$"),
        (lambda: nn.Input((3,), levels=256), r"^Input levels must be an integer from 1 to 255, not 256$"),
        (lambda: nn.Input(()), r"^Input shape must have at least one axis, not \(\)$"),
        (lambda: nn.Input((3, 0)), r"^Input shape axis must be an integer of at least 1, not 0$"),
        (lambda: nn.Input((3,), maximum=0.0), r"^Input maximum must exceed the minimum 0\.0, not 0\.0$"),
        (lambda: nn.Input((3,), maximum=float("nan")), r"^Input maximum must be a finite number, not nan$"),
        (lambda: nn.Input((3,), std=0.0), r"^Input std must be above 0, not 0\.0$"),
        (
            lambda: nn.Input((3,), mean=[1.0, 2.0]),
            r"^Input mean must be a number or have shape \(3,\), not \(2,\)$",
        ),
        (
            lambda: nn.Input((3,), mean=float("inf")),
            r"^Input mean must be finite, but it holds NaN or infinity$",
        ),
        (lambda: nn.Dense(0, 3), r"^Dense in_features must be an integer of at least 1, not 0$"),
        (lambda: nn.BatchNorm(-1), r"^BatchNorm channels must be an integer of at least 1, not -1$"),
        (lambda: nn.Dropout(1.5), r"^Dropout p must be a number from 0 to 1, not 1\.5$"),
    ],
)
def test_bad_parameters_are_named(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(5, 4), r"^Input must have shape \[batch, 3\], not \[5, 4\]$"),
        (torch.zeros(3), r"^Input must have shape \[batch, 3\], not \[3\]$"),
        (torch.zeros(5, 3, dtype=torch.bool), r"^Input must be a real-valued torch tensor, not torch\.bool$"),
        (
            torch.zeros(5, 3, dtype=torch.cfloat),
            r"^Input must be a real-valued torch tensor, not torch\.complex64$",
        ),
        (np.zeros((5, 3)), r"^Input must be a real-valued torch tensor, not ndarray$"),
        (torch.tensor([[0.0, float("nan"), 1.0]]), r"^Input must be finite, but it holds NaN or infinity; "),
        (torch.tensor([[0.0, float("inf"), 1.0]]), r"^Input must be finite, but it holds NaN or infinity; "),
    ],
)
def test_bad_input_is_refused(x: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        nn.Input((3,))(x)


def test_batch_norm_uses_statistics_over_time_and_batch() -> None:
    norm = nn.BatchNorm(3)
    x = RNG(0).normal(2.0, 3.0, (4, 5, 3)).astype(np.float32)
    got = norm(torch.from_numpy(x)).detach().numpy()
    flat = x.reshape(-1, 3)
    np.testing.assert_allclose(
        got.reshape(-1, 3), (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5), atol=1e-5
    )
    np.testing.assert_allclose(norm.running_mean, 0.1 * flat.mean(0), rtol=1e-5)
    with pytest.raises(
        InputError, match=r"^BatchNorm input must have shape \[time, batch, 3\], not \[5, 3\]$"
    ):
        norm(torch.zeros(5, 3))


def test_dense_applies_a_weight_per_step() -> None:
    layer = nn.Dense(3, 2)
    x = torch.from_numpy(RNG(0).normal(size=(4, 5, 3))).float()
    plain = layer(x)
    weight = layer.weight.detach()
    del layer.weight
    layer.weight = weight.expand(4, 2, 3) * torch.arange(1, 5)[:, None, None]
    bias = layer.bias.detach()
    for t in range(4):
        torch.testing.assert_close(layer(x)[t] - bias, (t + 1) * (plain[t] - bias), rtol=1e-5, atol=1e-6)


def test_readout_is_the_mean_over_time() -> None:
    x = torch.from_numpy(RNG(0).normal(size=(4, 5, 3)))
    np.testing.assert_allclose(nn.Readout()(x), x.numpy().mean(0))


@pytest.mark.parametrize("neuron", ["pit", "ilif", "lif"])
def test_mlp_trains_and_returns_logits(neuron: str) -> None:
    model = nn.models.mlp((4, 3), [8, 6], 5, neuron=neuron, steps=3, maximum=16.0, dropout=0.1)
    x = torch.rand(7, 4, 3, generator=torch.Generator().manual_seed(0)) * 16
    logits = model(x)
    assert logits.shape == (7, 5)
    logits.square().sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters())
    assert float(model.dense1.weight.grad.abs().sum()) > 0


def test_mlp_input_is_worth_zero_to_one() -> None:
    layer = nn.models.mlp(3, [4], 2, minimum=-4.0, maximum=12.0, input_levels=16).input
    assert layer(torch.tensor([[-4.0, 12.0, 4.0]]))[0].tolist() == [[0.0, 1.0, 0.5]]


def test_mlp_refuses_unknown_neurons_and_levels_of_lif() -> None:
    with pytest.raises(ModelError, match=r"^Neuron must be one of 'pit', 'ilif', 'lif', not 'relu'$"):
        nn.models.mlp(3, [4], 2, neuron="relu")
    with pytest.raises(
        ModelError, match=r"^LIF levels \(D\) must be 1, not 4; use 'ilif' or 'pit' for more$"
    ):
        nn.models.mlp(3, [4], 2, neuron="lif", levels=4)
