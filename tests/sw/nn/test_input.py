"""Input encoding, normalisation and padding."""

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


def test_a_mean_per_channel_is_a_mean_for_every_pixel() -> None:
    mean, std = np.array([0.25, 0.5]), np.array([0.5, 2.0])
    layer = nn.Input((2, 3, 4), 16, mean=mean, std=std, steps=2)
    pixels = [np.ones((2, 3, 4)) * value[:, None, None] for value in (mean, std)]
    same = nn.Input((2, 3, 4), 16, mean=pixels[0], std=pixels[1], steps=2)
    x = torch.from_numpy(RNG(0).uniform(0, 1, (5, 2, 3, 4)))
    assert layer.mean.shape == (2,)
    assert torch.equal(layer(x), same(x))
    raw = (layer.encode(x) / 16).numpy()
    np.testing.assert_allclose(layer(x)[1], (raw - pixels[0]) / pixels[1], rtol=1e-5, atol=1e-6)
    assert torch.equal(layer.scale.expand(2, 3, 4), same.scale)
    assert torch.equal(layer.shift.expand(2, 3, 4), same.shift)


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        (None, None, (0, 0, 0)),
        (0.5, 0.25, (8, 8, 8)),
        ([0.0, 0.49, 2.0], [0.1, 3.0, 1.0], (0, 8, 16)),  # 7.84 rounds up, 32 is clipped
        ([-0.3, 1 / 32, 0.03124], None, (0, 1, 0)),  # -4.8 is clipped, 0.5 rounds up, just below does not
    ],
)
def test_padding_is_the_level_nearest_zero(mean: object, std: object, expected: tuple[int, ...]) -> None:
    layer = nn.Input((3, 4, 5), 16, mean=mean, std=std, pad=(1, 2))
    assert layer.pad_levels == expected
    assert layer.out_shape == (3, 6, 9)
    zero = (-layer.shift / layer.scale).expand(3, 1, 1).flatten().clamp(0, 16).numpy()
    assert np.abs(np.array(expected) - zero).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("static", [True, False])
def test_levels_are_framed_by_the_padding(static: bool) -> None:
    layer = nn.Input(
        (2, 3, 4), 10, maximum=10.0, mean=[2.0, 7.0], std=2.0, steps=3, static=static, pad=(2, 1)
    )
    x = torch.from_numpy(RNG(0).integers(0, 11, (5, 2, 3, 4) if static else (3, 5, 2, 3, 4))).float()
    levels = layer.encode(x).numpy()
    expected = np.empty((*x.shape[:-2], 7, 6), dtype=np.int64)
    expected[..., 0, :, :], expected[..., 1, :, :] = 2, 7
    expected[..., 2:5, 1:5] = x
    np.testing.assert_array_equal(levels, expected)
    value = layer(x)
    assert value.shape == (3, 5, 2, 7, 6)
    means = np.array([2.0, 7.0])[:, None, None]
    np.testing.assert_allclose(value, np.broadcast_to((expected - means) / 2.0, value.shape), atol=1e-6)
    assert float(value[..., :2, :].abs().max()) == float(value[..., -1].abs().max()) == 0.0


def test_a_padded_input_stands_for_the_padding_of_a_convolution() -> None:
    """Where the mean is a level, padding the levels is what zero padding of the normalised pixels is."""
    options = {"levels": 8, "mean": [0.25, 0.5], "std": [0.5, 2.0], "steps": 2}
    conv = nn.Conv2d(2, 3, 3, stride=2, padding=0)
    x = torch.from_numpy(RNG(0).uniform(0, 1, (5, 2, 6, 7)))
    plain = nn.Input((2, 6, 7), **options)(x)
    expected = torch.nn.functional.conv2d(plain.flatten(0, 1), conv.weight, conv.bias, 2, 1)
    got = conv(nn.Input((2, 6, 7), **options, pad=1)(x))
    torch.testing.assert_close(got.flatten(0, 1), expected, rtol=1e-5, atol=1e-5)


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
        (
            lambda: nn.Input((3, 4, 5), mean=[1.0, 2.0]),
            r"^Input mean must be a number or have shape \(3, 4, 5\) or \(3,\), not \(2,\)$",
        ),
        (
            lambda: nn.Input((3, 4), std=[1.0, 2.0, 3.0]),
            r"^Input std must be a number or have shape \(3, 4\), not \(3,\)$",
        ),
        (
            lambda: nn.Input((3, 4, 5), pad=-1),
            r"^Input pad must be an integer of at least 0 or a pair \(rows, columns\) of them, not -1$",
        ),
        (lambda: nn.Input((3, 4, 5), pad=(1, 1, 1)), r"^Input pad must be .*, not \(1, 1, 1\)$"),
        (lambda: nn.Input((3, 4, 5), pad=True), r"^Input pad must be .*, not True$"),
        (
            lambda: nn.Input((3, 4), pad=1),
            r"^Input pad must be 0 unless the shape is \(channels, height, width\), not \(1, 1\) with ",
        ),
        (
            lambda: nn.Input((1, 2, 2), pad=(0, 1), mean=np.zeros((1, 2, 2))),
            r"^Input mean must be a number or one per channel where the input is padded, not of shape ",
        ),
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
