"""The neuron as pure functions: values, ties, and gradients against the paper's closed forms."""

import math

import numpy as np
import pytest
import torch

from spikefold.nn.functional import (
    ROUNDINGS,
    Dynamics,
    State,
    encode_levels,
    fire,
    fire_levels,
    membrane,
    min_max,
    round_half_up,
    slope,
    step,
    three_sigma,
    upper_three_sigma,
)


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


def test_ties_go_to_the_even_level() -> None:
    ties = torch.tensor([-0.5, 0.5, 1.5, 2.5, 3.5, 4.5])
    assert fire_levels(ties, torch.ones(()), 4, "half_even").tolist() == [0, 0, 2, 2, 4, 4]
    for way in (-9.0, 9.0):
        beside = torch.nextafter(ties, torch.full((), way))
        assert torch.equal(
            fire_levels(beside, torch.ones(()), 4, "half_even"), fire_levels(beside, torch.ones(()), 4)
        )


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
    fire(u, torch.tensor(a, dtype=torch.float64), levels, rectify=rectify).backward(upstream)
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
    fire(u, a, levels, rectify=0.1).backward(upstream)
    xs = x.numpy()
    inside = (xs >= 0) & (xs <= levels)
    per_element = reference_level(xs, levels) - xs * inside
    np.testing.assert_allclose(a.grad.numpy(), (upstream.numpy() * per_element[:, None]).sum(0), rtol=1e-10)


def test_gradient_of_lif_is_a_rectangle_around_the_threshold() -> None:
    u = torch.tensor([0.49, 0.5, 1.0, 1.5, 1.51], dtype=torch.float64, requires_grad=True)
    fire(u, torch.ones((), dtype=torch.float64), 1, rectify=0.0, rounding="floor").sum().backward()
    assert u.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("levels", [1, 4, 255])
def test_levels_are_exact_in_every_precision(dtype: torch.dtype, levels: int) -> None:
    """Around every tie that the type can hold; the reference is in exact integer and float64 arithmetic."""
    ties = (torch.arange(-2, levels + 3, dtype=torch.float64) + 0.5).to(dtype)
    near = torch.cat([ties, torch.nextafter(ties, ties + 9), torch.nextafter(ties, ties - 9)])
    got = fire_levels(near, torch.ones((), dtype=dtype), levels)
    assert np.array_equal(got.double().numpy(), reference_level(near.double().numpy(), levels))
    floor = fire_levels(near, torch.ones((), dtype=dtype), levels, "floor").double().numpy()
    assert np.array_equal(floor, np.clip(np.floor(near.double().numpy()), 0, levels))
    even = fire_levels(near, torch.ones((), dtype=dtype), levels, "half_even").double().numpy()
    assert np.array_equal(even, np.clip(np.rint(near.double().numpy()), 0, levels))


def reference_slope(x: float, a: float, levels: int, rounding: str, surrogate: str, rectify: float) -> float:
    """The surrogates from their definitions, one number at a time."""
    place = x + (0.0 if rounding == "floor" else 0.5)  # level k is reached at k
    if surrogate == "arctan":
        return 1 / (1 + (math.pi * (place - 1)) ** 2)
    if surrogate == "relsg_et":
        if place < 1:
            return math.exp(a * place - a)
        return 1.0 if place <= levels else math.exp(levels * a - a * place)
    if surrogate == "clip":
        return float(0 <= x <= levels)
    if not 0.5 <= place <= levels + 0.5:
        return 0.0
    if surrogate == "box":
        return 1.0
    return 1 + rectify * (0.5 - abs((place - 0.5) % 1.0 - 0.5))


@pytest.mark.parametrize("surrogate", ["rectified", "box", "arctan", "relsg_et", "clip"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", [1, 3, 255])
def test_surrogates_equal_their_definitions(surrogate: str, rounding: str, levels: int) -> None:
    a = 0.25  # keeps every place on the ladder exact
    x = torch.cat([torch.arange(-20, 8 * levels + 30) / 8.0, torch.tensor([-1e6, 1e6])]).double()
    u = (x * a).requires_grad_()
    scale = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    fire(u, scale, levels, rounding=rounding, surrogate=surrogate, rectify=0.2).sum().backward()
    expected = [reference_slope(v, a, levels, rounding, surrogate, 0.2) for v in x.tolist()]
    np.testing.assert_allclose(u.grad.numpy(), expected, rtol=1e-12, atol=1e-300)
    lift = 0.0 if rounding == "floor" else 0.5
    whole = np.rint(x.numpy()) if rounding == "half_even" else np.floor(x.numpy() + lift)
    n = np.clip(whole, 0, levels)
    windows = [reference_slope(v, a, levels, rounding, surrogate, 0.0) for v in x.tolist()]
    np.testing.assert_allclose(scale.grad.item(), (n - x.numpy() * windows).sum(), rtol=1e-11)
    g, window = slope(u.detach(), scale.detach(), levels, rounding, surrogate, 0.2)
    np.testing.assert_allclose(g.numpy(), expected, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(window.numpy(), windows, rtol=1e-12, atol=1e-300)


def test_a_fire_floor_silences_what_is_below_it() -> None:
    u = torch.tensor([-1.0, 0.5, 1.24, 1.25, 3.0, 9.0], dtype=torch.float64, requires_grad=True)
    a = torch.ones((), dtype=torch.float64, requires_grad=True)
    s = fire(u, a, 3, rounding="floor", surrogate="clip", floor=1.25)
    assert s.tolist() == [0, 0, 0, 1, 3, 3]
    s.sum().backward()
    assert u.grad.tolist() == [0, 0, 0, 1, 1, 0]
    assert a.grad.item() == pytest.approx((1 - 1.25) + (3 - 3) + 3)


@pytest.mark.parametrize("floor", [0.0, -2.0])
def test_a_fire_floor_that_is_not_positive_changes_no_spike(floor: float) -> None:
    u = torch.linspace(-3, 5, 33, dtype=torch.float64, requires_grad=True)
    a = torch.ones((), dtype=torch.float64)
    with_floor = fire(u, a, 3, rounding="floor", surrogate="clip", floor=floor)
    assert torch.equal(with_floor, fire(u, a, 3, rounding="floor", surrogate="clip"))
    with_floor.sum().backward()
    assert u.grad.tolist() == [float(0 <= v <= 3) for v in u.tolist()]


@pytest.mark.parametrize(("reset", "left"), [("subtract", -0.25), ("zero", 0.0), ("none", 1.75)])
def test_step_charges_fires_and_resets(reset: str, left: float) -> None:
    p = Dynamics(levels=4, leak=0.5, reset=reset)
    before = State(torch.tensor([[0.5]]), torch.zeros(1, 1))
    s, state = step(torch.tensor([[1.5]]), before, torch.ones(1), p)
    assert (s.item(), membrane(state, p).item()) == (2.0, left)
    silent, state = step(torch.tensor([[0.25]]), None, torch.ones(1), p)
    assert (silent.item(), membrane(state, p).item()) == (0.0, 0.25)


def test_scaling_reset_acts_once_in_the_step_after_a_spike() -> None:
    p = Dynamics(levels=3, leak=0.5, rounding="floor", reset="scale", factor=0.25)
    state, seen = None, []
    for current in (2.5, 1.5, 0.25, 0.25):
        s, state = step(torch.tensor([current]), state, torch.ones(1), p)
        seen.append((state.u.item(), s.item()))
    # 2.5 fires; (1.25 + 1.5) / 4 does not; 0.34375 + 0.25 is not scaled; nor is what follows
    assert seen == [(2.5, 2.0), (0.6875, 0.0), (0.59375, 0.0), (0.546875, 0.0)]


def test_input_gain_scales_the_current_and_scale_is_what_a_level_is_worth() -> None:
    p = Dynamics(levels=4, leak=0.5, input_gain=0.5)
    s, state = step(torch.tensor([4.0]), None, torch.full((1,), 0.1), p, torch.tensor([10.0]))
    assert (s.item(), state.u.item()) == (40.0, 2.0)
    assert state.s.item() == pytest.approx(0.4)


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


def test_other_statistics_equal_numpy() -> None:
    u = np.random.default_rng(2).normal(0.5, 1, size=(5, 3, 4, 2))
    u[:, 2] = 0
    x = torch.from_numpy(u)
    np.testing.assert_allclose(min_max(x, 4), np.maximum(np.abs(u).max((0, 2, 3)) / 4, 1e-3), rtol=1e-14)
    np.testing.assert_allclose(min_max(x, 4, per_channel=False), [np.abs(u).max() / 4], rtol=1e-14)
    low, high = u.mean() - 3 * u.std(), u.mean() + 3 * u.std()
    np.testing.assert_allclose(three_sigma(x, 9, per_channel=False), [max(-low, high) / 3], rtol=1e-12)
    np.testing.assert_allclose(upper_three_sigma(x, 15), [high / 15], rtol=1e-12)
    assert upper_three_sigma(x - 100, 15).tolist() == [1e-3]


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
