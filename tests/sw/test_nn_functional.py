"""The neuron as pure functions: values, ties, and gradients against the paper's closed forms."""

import numpy as np
import pytest
import torch

from spikefold.nn.functional import encode_levels, fire_levels, pit_step, round_half_up, step, three_sigma


def boundary_inputs(levels: int, seed: int) -> torch.Tensor:
    """u/a over and beyond [0, D], with every integer, every half, and their neighbours."""
    grid = torch.arange(-4, 2 * levels + 8, dtype=torch.float64) / 2
    nudged = torch.cat([grid, torch.nextafter(grid, grid + 1), torch.nextafter(grid, grid - 1)])
    rng = np.random.default_rng(seed)
    nudged = torch.where(nudged.abs() < 1e-300, nudged.sign() * 1e-300, nudged)  # survives scaling by a
    return torch.cat([nudged, torch.from_numpy(rng.uniform(-3, levels + 3, 500))])


def reference_level(x: np.ndarray, levels: int) -> np.ndarray:
    """Half up without a sum: one level for every k with x >= k - 1/2."""
    return sum((x >= k - 0.5).astype(float) for k in range(1, levels + 1))


@pytest.mark.parametrize("levels", [1, 3, 4, 255])
def test_level_counts_the_half_thresholds_passed(levels: int) -> None:
    x = boundary_inputs(levels, seed=levels)
    assert np.array_equal(fire_levels(x, torch.ones(()), levels).numpy(), reference_level(x.numpy(), levels))


def test_ties_round_up_and_just_below_does_not() -> None:
    ties = torch.tensor([0.5, 1.5, 2.5, 3.5, -0.5])
    assert round_half_up(ties).tolist() == [1, 2, 3, 4, 0]
    below = torch.nextafter(ties, torch.full((), -9.0))
    assert round_half_up(below).tolist() == [0, 1, 2, 3, -1]


def test_floor_rounding_fires_at_the_threshold() -> None:
    threshold = torch.tensor(0.7)
    u = torch.stack(
        [threshold, torch.nextafter(threshold, torch.zeros(())), torch.tensor(5.0), torch.tensor(-1.0)]
    )
    assert fire_levels(u, threshold, 1, "floor").tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("levels", [1, 4, 9])
@pytest.mark.parametrize("rectify", [0.0, 0.01, 0.1])
def test_gradient_of_the_membrane_is_equation_30(levels: int, rectify: float) -> None:
    # A power of two keeps u / a exact, so the boundaries are hit exactly.
    a = 0.25
    x = boundary_inputs(levels, seed=7)
    u = (x * a).requires_grad_()
    upstream = torch.from_numpy(np.random.default_rng(1).normal(size=len(x)))
    pit_step(u, torch.tensor(a, dtype=torch.float64), levels, rectify).backward(upstream)
    xs = x.numpy()
    dis = xs - np.floor(xs) - 0.5
    expected = (1 + rectify * (0.5 - np.sign(dis) * dis)) * ((xs >= 0) & (xs <= levels))
    np.testing.assert_allclose(u.grad.numpy(), upstream.numpy() * expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("levels", [1, 4, 9])
def test_gradient_of_the_scale_is_equation_32(levels: int) -> None:
    x = boundary_inputs(levels, seed=3)
    a = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    u = (x[:, None] * a).detach()
    upstream = torch.from_numpy(np.random.default_rng(2).normal(size=tuple(u.shape)))
    pit_step(u, a, levels, 0.1).backward(upstream)
    xs = x.numpy()
    inside = (xs >= 0) & (xs <= levels)
    per_element = reference_level(xs, levels) - xs * inside
    np.testing.assert_allclose(a.grad.numpy(), (upstream.numpy() * per_element[:, None]).sum(0), rtol=1e-10)


def test_gradient_of_lif_is_a_rectangle_around_the_threshold() -> None:
    u = torch.tensor([0.49, 0.5, 1.0, 1.5, 1.51], dtype=torch.float64, requires_grad=True)
    pit_step(u, torch.ones((), dtype=torch.float64), 1, 0.0, "floor").sum().backward()
    assert u.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(("reset", "left"), [("subtract", -0.25), ("zero", 0.0), ("none", 1.75)])
def test_step_charges_fires_and_resets(reset: str, left: float) -> None:
    s, v = step(torch.tensor([[1.5]]), torch.tensor([[0.5]]), torch.ones(1), levels=4, leak=0.5, reset=reset)
    assert (s.item(), v.item()) == (2.0, left)
    silent, kept = step(torch.tensor([[0.25]]), torch.zeros(1, 1), torch.ones(1), levels=4, reset=reset)
    assert (silent.item(), kept.item()) == (0.0, 0.25)


def test_three_sigma_equals_numpy() -> None:
    rng = np.random.default_rng(0)
    u = rng.normal(rng.normal(size=6), rng.uniform(0.1, 3, 6), size=(40, 6))
    u[:, 5] = 0.0
    got = three_sigma(torch.from_numpy(u), levels=4, floor=1e-3).numpy()
    mean, sigma = u.mean(0), u.std(0)
    expected = np.maximum(np.abs(mean - 3 * sigma), np.abs(mean + 3 * sigma)) / 2.0
    np.testing.assert_allclose(got[:5], expected[:5], rtol=1e-12)
    assert got[5] == 1e-3


def test_three_sigma_of_feature_maps_is_per_channel() -> None:
    u = np.random.default_rng(1).normal(size=(5, 3, 4, 2))
    got = three_sigma(torch.from_numpy(u), levels=2).numpy()
    mean, sigma = u.mean((0, 2, 3)), u.std((0, 2, 3))
    expected = np.maximum(np.abs(mean - 3 * sigma), np.abs(mean + 3 * sigma)) / np.sqrt(2)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("levels", "low", "high"), [(16, 0.0, 16.0), (15, 0.0, 255.0), (255, -1.0, 1.0), (1, 0, 3)]
)
def test_input_levels_round_half_up_and_saturate(levels: int, low: float, high: float) -> None:
    ties = low + (np.arange(levels) + 0.5) * (high - low) / levels
    x = np.concatenate([np.random.default_rng(0).uniform(low - 1, high + 1, 1000), ties])
    got = encode_levels(torch.from_numpy(x), levels, low, high).numpy()
    expected = np.clip(np.floor((x - low) * levels / (high - low) + 0.5), 0, levels)
    assert np.array_equal(got, expected)
    assert got.min() == 0
    assert got.max() == levels
