"""Integers in floating point: the division, the shifts, and the settings that keep products exact."""

import numpy as np
import pytest
import torch
from random_networks import random_levels, random_network

from spikefold import golden
from spikefold.golden.precision import exact_dtype, floor_divide, full_precision, shift_right

LIMIT = 1 << 24


def adversarial_pairs(limit, rng, count):
    """Numerators next to multiples of their denominators, where a rounded quotient is most in danger."""
    b = np.concatenate([np.arange(1, 3000), rng.integers(1, limit, count), limit - np.arange(1, 3000)])
    quotient = (limit - 1) // b
    k = np.concatenate([quotient, np.maximum(quotient - 1, 0), rng.integers(0, quotient + 1)])
    b = np.tile(b, 3)
    a = np.concatenate([k * b + d for d in (-1, 0, 1)] + [k * b + b - 1])
    b = np.tile(b, 4)
    inside = abs(a) < limit
    a, b = a[inside], b[inside]
    return np.concatenate([a, -a]), np.concatenate([b, b])


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, LIMIT), (torch.float64, 1 << 53)])
def test_division_is_exact_next_to_every_multiple(dtype, limit):
    a, b = adversarial_pairs(limit, np.random.default_rng(0), 100_000)
    got = floor_divide(torch.tensor(a).to(dtype), torch.tensor(b).to(dtype))
    np.testing.assert_array_equal(got.to(torch.int64).numpy(), a // b)


def test_division_is_exact_for_every_small_pair():
    a, b = np.meshgrid(np.arange(-1500, 1501), np.arange(1, 700), indexing="ij")
    got = floor_divide(torch.tensor(a).float(), torch.tensor(b).float())
    np.testing.assert_array_equal(got.numpy(), a // b)


def test_division_is_exact_for_every_numerator_below_the_limit():
    a = torch.arange(-LIMIT + 1, LIMIT, dtype=torch.int64)
    for b in (3, 4097):
        got = floor_divide(a.float(), torch.tensor(float(b)))
        assert torch.equal(got.to(torch.int64), torch.div(a, b, rounding_mode="floor"))


def test_division_beyond_the_limit_does_fail():
    """So that the tests above are known to look in the right places."""
    a, b = adversarial_pairs(1 << 26, np.random.default_rng(0), 1000)
    got = floor_divide(torch.tensor(a).float(), torch.tensor(b).float())
    assert (got.to(torch.int64).numpy() != a // b).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_shifts_round_down(dtype):
    a = torch.arange(-5000, 5000)
    for places in (1, 4, 15):
        got = shift_right(a.to(dtype), places)
        assert got.dtype == dtype
        assert got.to(torch.int64).tolist() == [int(v) >> places for v in a]


@pytest.mark.parametrize(
    ("magnitude", "dtype"),
    [
        (0, torch.float32),
        (LIMIT - 1, torch.float32),
        (LIMIT, torch.float64),
        ((1 << 53) - 1, torch.float64),
        (1 << 53, torch.int64),
    ],
)
def test_type_by_magnitude(magnitude, dtype):
    assert exact_dtype(magnitude) is dtype


@pytest.fixture
def reduced_precision():
    """The user's own setting of reduced precision; restored."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


def product(rng):
    x = torch.tensor(rng.integers(0, 1 << 10, (512, 64)), dtype=torch.float32)
    w = torch.tensor(rng.integers(-255, 256, (256, 64)), dtype=torch.float32)
    exact = x.to(torch.float64) @ w.to(torch.float64).T
    assert exact.abs().max() < LIMIT
    return lambda: bool((torch.nn.functional.linear(x, w).to(torch.float64) == exact).all())


def setting():
    """What oneDNN may do to a float32 product; before torch 2.9 there is only the global setting."""
    mkldnn = torch.backends.mkldnn
    return mkldnn.matmul.fp32_precision if hasattr(mkldnn, "matmul") else torch.get_float32_matmul_precision()


@pytest.mark.usefixtures("reduced_precision")
def test_products_are_exact_whatever_the_user_has_set():
    """By result where every CPU shows it (autocast), by setting where only some have the instructions."""
    is_exact = product(np.random.default_rng(1))
    before = setting()
    assert before in ("bf16", "medium")
    with torch.autocast("cpu"):
        assert not is_exact()
        with full_precision():
            assert is_exact()
            assert setting() in ("ieee", "highest")
        assert not is_exact()
    assert setting() == before


@pytest.mark.usefixtures("reduced_precision")
def test_settings_come_back_after_an_error():
    before = setting()
    with pytest.raises(RuntimeError, match=r"^mine$"), full_precision():
        raise RuntimeError("mine")
    assert setting() == before
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.usefixtures("reduced_precision")
def test_golden_ignores_autocast_and_default_types():
    rng = np.random.default_rng(2)
    network = random_network(rng, steps=2, size=300, channels=64, bits=8, input_levels=255, levels=255)
    levels = random_levels(rng, network, 64)
    torch.set_float32_matmul_precision("highest")
    expected = golden.run(network, levels, record=True)
    torch.set_float32_matmul_precision("medium")
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu"):
            got = golden.run(network, levels, record=True)
    finally:
        torch.set_default_dtype(torch.float32)
    for name in expected.membranes:
        np.testing.assert_array_equal(got.membranes[name], expected.membranes[name])
