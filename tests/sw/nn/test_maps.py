"""Convolution and pooling of [T, B, C, H, W], against sums over windows written out."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError

RNG = np.random.default_rng


def windows(x: np.ndarray, kernel: tuple, stride: tuple, padding: tuple, fill: float) -> np.ndarray:
    """Cut [N, C, H, W] into [N, C, H', W', rows, columns], the border filled with ``fill``."""
    (ph, pw), (kh, kw), (sh, sw) = padding, kernel, stride
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    rows = range(0, x.shape[2] - kh + 1, sh)
    columns = range(0, x.shape[3] - kw + 1, sw)
    cut = [[x[:, :, i : i + kh, j : j + kw] for j in columns] for i in rows]
    return np.moveaxis(np.array(cut), (0, 1), (2, 3))


CONVOLUTIONS = [
    {"kernel": (3, 3)},
    {"kernel": (1, 1), "stride": (2, 2)},
    {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 2), "groups": 2},
    {"kernel": (5, 7), "bias": False},  # as large as the map
    {"kernel": (3, 3), "padding": (1, 1), "groups": 4},  # depthwise
]


@pytest.mark.parametrize("options", CONVOLUTIONS)
def test_convolution_is_a_sum_over_windows(options: dict) -> None:
    layer = nn.Conv2d(4, 8, **options).double()
    x = RNG(0).normal(size=(3, 2, 4, 5, 7))
    kernel, groups = options["kernel"], options.get("groups", 1)
    cut = windows(x.reshape(6, 4, 5, 7), kernel, layer.stride, layer.padding, 0.0)
    weight = layer.weight.detach().numpy().reshape(groups, 8 // groups, 4 // groups, *kernel)
    cut = cut.reshape(6, groups, 4 // groups, *cut.shape[2:])
    expected = np.einsum("ngcyxij,gocij->ngoyx", cut, weight).reshape(6, 8, *cut.shape[3:5])
    if layer.bias is not None:
        expected = expected + layer.bias.detach().numpy()[:, None, None]
    got = layer(torch.from_numpy(x))
    assert got.shape[:3] == (3, 2, 8)
    np.testing.assert_allclose(got.detach().numpy().reshape(expected.shape), expected, atol=1e-10)


POOLS = [
    {"kernel": 2},
    {"kernel": (3, 2), "stride": (2, 1)},
    {"kernel": 3, "stride": 2, "padding": 1},
    {"kernel": (2, 3), "stride": 1, "padding": (1, 0)},
    {"kernel": (5, 7)},
]


@pytest.mark.parametrize("options", POOLS)
def test_pools_are_mean_and_largest_of_windows(options: dict) -> None:
    x = RNG(0).normal(size=(3, 2, 4, 5, 7)) - 3.0  # mostly negative: zeros would be the largest
    average, largest = nn.AvgPool2d(**options), nn.MaxPool2d(**options)
    sizes = average.kernel_size, average.stride, average.padding
    assert sizes == (largest.kernel_size, largest.stride, largest.padding)
    flat = x.reshape(6, 4, 5, 7)
    got = average(torch.from_numpy(x)).numpy()
    expected = windows(flat, *sizes, 0.0).mean((4, 5))  # the padding counts
    np.testing.assert_allclose(got.reshape(expected.shape), expected, atol=1e-12)
    got = largest(torch.from_numpy(x)).numpy()
    assert got.shape[:3] == (3, 2, 4)
    expected = windows(flat, *sizes, -np.inf).max((4, 5))
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)


def test_global_pool_keeps_the_axes() -> None:
    x = RNG(0).normal(size=(3, 2, 4, 5, 7))
    got = nn.GlobalAvgPool()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(got, x.mean((3, 4))[..., None, None], atol=1e-12)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(4, 3, 3, padding=1), nn.AvgPool2d(2), nn.MaxPool2d(2), nn.GlobalAvgPool()]
)
def test_gradients_flow(layer: torch.nn.Module) -> None:
    x = torch.from_numpy(RNG(0).normal(size=(2, 3, 4, 5, 6))).float().requires_grad_()
    layer(x).square().sum().backward()
    assert float(x.grad.abs().sum()) > 0
    assert all(float(parameter.grad.abs().sum()) > 0 for parameter in layer.parameters())


PAIR = r"must be an integer of at least {} or a pair \(rows, columns\) of them, not "


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(0, 3, 3), r"^Conv2d in_channels must be an integer of at least 1, not 0$"),
        (lambda: nn.Conv2d(3, 3.0, 3), r"^Conv2d out_channels must be an integer of at least 1, not 3\.0$"),
        (lambda: nn.Conv2d(3, 3, 0), "^Conv2d kernel " + PAIR.format(1) + "0$"),
        (lambda: nn.Conv2d(3, 3, (3,)), "^Conv2d kernel " + PAIR.format(1)),
        (lambda: nn.Conv2d(3, 3, 3, stride=(1, 0)), "^Conv2d stride " + PAIR.format(1)),
        (lambda: nn.Conv2d(3, 3, 3, padding=-1), "^Conv2d padding " + PAIR.format(0) + "-1$"),
        (lambda: nn.Conv2d(3, 3, 3, padding="same"), "^Conv2d padding " + PAIR.format(0) + "'same'$"),
        (
            lambda: nn.Conv2d(4, 6, 3, groups=4),
            r"^Conv2d groups must divide the channels \(4 in, 6 out\), not 4$",
        ),
        (lambda: nn.Conv2d(3, 3, 3, dilation=2), r"^Conv2d dilation must be \(1, 1\), not \(2, 2\)$"),
        (
            lambda: nn.Conv2d(3, 3, 3, padding_mode="reflect"),
            r"^Conv2d padding_mode must be 'zeros', not 'reflect'$",
        ),
        (lambda: nn.AvgPool2d(0), "^AvgPool2d kernel " + PAIR.format(1) + "0$"),
        (lambda: nn.MaxPool2d(2, 0), "^MaxPool2d stride " + PAIR.format(1) + "0$"),
        (
            lambda: nn.MaxPool2d(3, padding=(1, 2)),
            r"^MaxPool2d padding must be at most half the kernel \(3, 3\), not \(1, 2\)$",
        ),
        (lambda: nn.AvgPool2d(2, ceil_mode=True), r"^AvgPool2d ceil_mode must be False, not True$"),
        (lambda: nn.MaxPool2d(2, ceil_mode=True), r"^MaxPool2d ceil_mode must be False, not True$"),
        (lambda: nn.MaxPool2d(2, dilation=2), r"^MaxPool2d dilation must be \(1, 1\), not \(2, 2\)$"),
        (
            lambda: nn.AvgPool2d(2, count_include_pad=False),
            r"^AvgPool2d count_include_pad must be True, not False; every window is divided by ",
        ),
    ],
)
def test_bad_parameters_are_named(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            nn.Conv2d(3, 2, 1),
            (5, 3, 4, 4),
            r"^Conv2d input must have shape \[time, batch, 3, height, width\], ",
        ),
        (nn.Conv2d(3, 2, 1), (1, 5, 2, 4, 4), r"^Conv2d input must have shape .*, not \[1, 5, 2, 4, 4\]$"),
        (
            nn.Conv2d(3, 2, (1, 5), padding=(0, 1)),
            (1, 1, 3, 4, 2),
            r"^Conv2d input must be at least as large as the kernel \(1, 5\) with its padding \(0, 1\), "
            r"not \[4, 2\]$",
        ),
        (nn.AvgPool2d(2), (1, 1, 3), r"^AvgPool2d input must have shape \[time, batch, channels, height, "),
        (nn.MaxPool2d(2), (1, 1, 3, 2, 1), r"^MaxPool2d input must be at least as large as the kernel "),
        (nn.GlobalAvgPool(), (1, 3, 2, 1), r"^GlobalAvgPool input must have shape .*, not \[1, 3, 2, 1\]$"),
    ],
)
def test_wrong_input_is_refused(layer: torch.nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        layer(torch.zeros(shape))
