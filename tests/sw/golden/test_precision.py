"""Integers in floating point: the division, the shifts, and the settings that keep products exact."""

import numpy as np
import pytest
import torch
from random_networks import random_levels, random_network, scalar_run

from spikefold import golden
from spikefold.golden import Golden
from spikefold.golden.currents import product_of
from spikefold.golden.precision import exact_dtype, floor_divide, full_precision, shift_right
from spikefold.ir import Conv, Dense, Input, Map, Network, Neuron, Population

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
        got = shift_right(a.to(dtype, copy=True), places)
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


# samples, source channels, edge, targets, kernel, stride, padding, groups
CONVOLUTIONS = [
    (1, 1, 5, 1, 3, 1, 1, 1),
    (2, 1, 28, 16, 3, 1, 1, 1),
    (16, 16, 14, 16, 3, 1, 1, 1),
    (16, 64, 16, 32, 3, 1, 1, 1),
    (32, 64, 8, 64, 3, 1, 1, 1),
    (3, 64, 8, 64, 3, 2, 1, 1),
    (1, 128, 8, 16, 3, 1, 1, 1),
    (17, 32, 9, 32, 3, 1, 0, 1),
    (16, 16, 12, 16, 5, 1, 2, 1),
    (16, 8, 12, 16, 4, 2, 1, 1),
    (2, 512, 4, 32, 3, 1, 1, 1),
    (16, 512, 1, 40, 1, 1, 0, 1),
    (2, 64, 8, 128, 1, 2, 0, 1),
    (16, 32, 14, 32, 3, 1, 1, 32),
    (1, 32, 14, 32, 3, 1, 1, 32),
    (4, 16, 9, 32, 3, 1, 1, 16),
    (4, 24, 9, 48, 3, 1, 1, 4),
    (4, 16, 9, 16, 5, 2, 2, 16),
]


def worst_case(shape, rng):
    """Levels and weights whose sums come as near to 2^24 as they may, and the exact sums."""
    samples, channels, edge, targets, kernel, stride, padding, groups = shape
    share = channels // groups
    largest = (LIMIT - 1) // (share * kernel * kernel * 255)
    weight = largest - rng.integers(0, max(largest // 50, 1), (1, targets, share, kernel, kernel))
    weight[:, 1::2] *= rng.choice([-1, 1], weight[:, 1::2].shape)
    levels = rng.integers(245, 256, (samples, channels, edge, edge))
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(levels, around), (kernel, kernel), (2, 3))
    windows = windows[:, :, ::stride, ::stride].astype(np.float64)
    windows = windows.reshape(samples, groups, share, *windows.shape[2:])
    filters = weight[0].reshape(groups, -1, share, kernel, kernel).astype(np.float64)
    sums = np.einsum("ngcyxij,gocij->ngoyx", windows, filters, optimize=True)
    return levels, weight, sums.reshape(samples, targets, *sums.shape[3:])


def convolve(shape, levels, weight):
    _, channels, edge, _, _, stride, padding, groups = shape
    projection = Conv("input", weight // abs(weight), 2, (stride, stride), (padding, padding), groups)
    product = product_of(projection, Map(channels, edge, edge), weight, torch.float32)
    maps = torch.tensor(levels, dtype=torch.float32)[None]
    for layout in (maps, maps.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)):
        yield product(layout)[0]


@pytest.mark.parametrize("shape", CONVOLUTIONS, ids=str)
def test_convolutions_are_exact_up_to_the_limit(shape):
    levels, weight, sums = worst_case(shape, np.random.default_rng(3))
    assert LIMIT * 0.9 < abs(sums).max() < LIMIT
    with full_precision():
        for got in convolve(shape, levels, weight):
            np.testing.assert_array_equal(got.numpy(), sums)


@pytest.fixture
def without_onednn():
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    yield
    torch._C._set_mkldnn_enabled(before)


@pytest.mark.usefixtures("without_onednn")
@pytest.mark.parametrize("shape", CONVOLUTIONS[1:6], ids=str)
def test_convolutions_are_exact_without_onednn(shape):
    levels, weight, sums = worst_case(shape, np.random.default_rng(4))
    before = torch._C._get_nnpack_enabled()
    with full_precision():
        assert not torch._C._get_nnpack_enabled()
        for got in convolve(shape, levels, weight):
            np.testing.assert_array_equal(got.numpy(), sums)
    assert torch._C._get_nnpack_enabled() == before


@pytest.mark.usefixtures("without_onednn")
@pytest.mark.skipif(not torch.backends.nnpack.is_available(), reason="this torch has no NNPACK")
def test_nnpack_is_not_exact():
    """So that the test above is known to look in the right place."""
    shape = CONVOLUTIONS[3]
    levels, weight, sums = worst_case(shape, np.random.default_rng(4))
    with torch.inference_mode():
        assert any((got.numpy() != sums).any() for got in convolve(shape, levels, weight))


def test_depthwise_weights_keep_off_winograd():
    """torch's own kernel for these (on ARM and RISC-V) asks for contiguous weights."""
    for channels, groups in ((1, 1), (8, 8)):
        projection = Conv("input", np.ones((1, 8, 1, 3, 3), int), 2, groups=groups)
        product = product_of(projection, Map(channels, 4, 4), projection.weight, torch.float32)
        assert not product.weight[0].is_contiguous()
        assert product.weight[0].tolist() == projection.weight[0].tolist()


@pytest.mark.parametrize(
    ("extra", "expected"), [(0, (torch.float32, torch.float32)), (1, (torch.float64, torch.float64))]
)
def test_sums_of_convolutions_change_type_at_the_limit(extra, expected):
    """255 · 65793 is 2^24 - 1; the same in one-channel windows and in many channels."""
    weight = np.array([128] * 514 + [1 + extra])
    for shape, kernel in (((1, 5, 103), (5, 103)), ((515, 1, 1), (1, 1))):
        projection = Conv("input", -weight.reshape(1, 1, shape[0], *kernel), 8)
        readout = Population("readout", (projection,), np.array([[0]]))
        network = Network(Input(shape, 255), 1, (readout,))
        assert Golden(network).dtypes == {"readout": expected}
        logits = golden.run(network, np.full((2, 1, *shape), 255)).logits
        assert logits.tolist() == [[-255 * (65793 + extra)]] * 2


@pytest.mark.parametrize("static", [True, False])
def test_shift_and_bias_leave_float32_alone(static):
    """Sums fit float32, the shifted and biased current does not: only that is computed in float64."""
    weight = np.full((1, 2, 1, 2, 2), 127)
    bias = np.array([[12345, -3], [1 << 26, 7]]) if not static else np.array([[(1 << 25) + 1, -3]])
    layer = Population("layer", (Conv("input", weight, 8),), bias, 8, Neuron(255, np.array([[100003, 9]])))
    last = Population("readout", (Dense("layer", np.ones((1, 1, 8), int), 2),), np.array([[0]]))
    network = Network(Input((1, 3, 3), 255, static), 2, (layer, last))
    assert Golden(network).dtypes["layer"] == (torch.float32, torch.float64)
    levels = np.random.default_rng(0).integers(0, 256, (3, 1 if static else 2, 1, 3, 3))
    run = golden.run(network, levels, record=True)
    for k, sample in enumerate(levels):
        assert run.membranes["layer"][k].tolist() == scalar_run(network, sample)[1]["layer"]
