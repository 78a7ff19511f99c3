"""Dense layers, batch norm, sums, readout."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError

RNG = np.random.default_rng


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Dense(0, 3), r"^Dense in_features must be an integer of at least 1, not 0$"),
        (lambda: nn.BatchNorm(-1), r"^BatchNorm channels must be an integer of at least 1, not -1$"),
        (lambda: nn.Dropout(1.5), r"^Dropout p must be a number from 0 to 1, not 1\.5$"),
    ],
)
def test_bad_parameters_are_named(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()


def test_batch_norm_uses_statistics_over_time_and_batch() -> None:
    norm = nn.BatchNorm(3)
    x = RNG(0).normal(2.0, 3.0, (4, 5, 3)).astype(np.float32)
    got = norm(torch.from_numpy(x)).detach().numpy()
    flat = x.reshape(-1, 3)
    np.testing.assert_allclose(
        got.reshape(-1, 3), (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5), atol=1e-5
    )
    np.testing.assert_allclose(norm.running_mean, 0.1 * flat.mean(0), rtol=1e-5)


def test_batch_norm_of_maps_has_one_statistic_per_channel() -> None:
    norm = nn.BatchNorm(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, -3.0]))
    x = RNG(0).normal(2.0, 3.0, (4, 5, 3, 6, 7))
    norm.double()
    flat = x.transpose(0, 1, 3, 4, 2).reshape(-1, 3)
    expected = (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5) * [1.0, -2.0, 0.5] + [0.0, 1.0, -3.0]
    got = norm(torch.from_numpy(x)).detach().numpy()
    assert got.shape == x.shape
    np.testing.assert_allclose(got.transpose(0, 1, 3, 4, 2).reshape(-1, 3), expected, atol=1e-9)
    np.testing.assert_allclose(norm.running_mean, 0.1 * flat.mean(0), rtol=1e-6)
    np.testing.assert_allclose(norm.running_var, 0.9 + 0.1 * flat.var(0, ddof=1), rtol=1e-6)
    frozen = norm.eval()(torch.from_numpy(x)).detach().numpy()
    mean, std = norm.running_mean.numpy(), np.sqrt(norm.running_var.numpy() + 1e-5)
    expected = (flat - mean) / std * [1.0, -2.0, 0.5] + [0.0, 1.0, -3.0]
    np.testing.assert_allclose(frozen.transpose(0, 1, 3, 4, 2).reshape(-1, 3), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 4), (2, 5, 3, 4), (2, 5, 4, 3, 3)])
def test_batch_norm_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^BatchNorm input must have shape \[time, batch, 3\], .*, not \["):
        nn.BatchNorm(3)(torch.zeros(shape))


def test_add_sums_from_left_to_right() -> None:
    a, b, c = (torch.from_numpy(RNG(i).normal(size=(2, 3, 4))).float() for i in range(3))
    assert torch.equal(nn.Add()(a, b), a + b)
    assert torch.equal(nn.Add()(a, b, c), (a + b) + c)
    assert torch.equal(nn.Add()(a, a), 2 * a)
    with pytest.raises(InputError, match=r"^Add must be given at least 2 tensors, not 1$"):
        nn.Add()(a)
    with pytest.raises(
        InputError, match=r"^Add inputs must have one shape, not \[2, 3, 4\] and \[2, 1, 4\]$"
    ):
        nn.Add()(a, b[:, :1])


def test_residual_adds_body_and_shortcut() -> None:
    x = torch.from_numpy(RNG(0).normal(size=(2, 3, 4))).float()
    body, shortcut = nn.Dense(4, 4), nn.Dense(4, 4)
    assert torch.equal(nn.Residual(body)(x), body(x) + x)
    assert torch.equal(nn.Residual(body, shortcut)(x), body(x) + shortcut(x))


def test_readout_is_the_mean_over_time() -> None:
    x = torch.from_numpy(RNG(0).normal(size=(4, 5, 3)))
    np.testing.assert_allclose(nn.Readout()(x), x.numpy().mean(0))
