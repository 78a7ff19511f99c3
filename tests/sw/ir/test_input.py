"""The input encoding: what is refused, and levels as the trained model sees them."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.ir import Input


@pytest.mark.parametrize("levels", [1, 15, 16, 255])
@pytest.mark.parametrize("span", [(0.0, 1.0), (0.0, 255.0), (-1.7, 0.3), (0.1, 0.7)])
def test_levels_are_those_of_training(levels, span):
    low, high = span
    rng = np.random.default_rng(levels)
    edges = low + (np.arange(levels + 1) - 0.5) * ((high - low) / levels)
    x = np.concatenate(
        [rng.uniform(low - 1, high + 1, 3000), edges, np.nextafter(edges, -9), np.nextafter(edges, 9)]
    )
    for dtype in (np.float32, np.float64):
        sample = x.astype(dtype)[None]
        trained = nn.Input(x.size, levels, low, high).encode(torch.tensor(sample)).numpy()
        np.testing.assert_array_equal(
            Input((x.size,), levels, True, low, high).encode(sample, 1)[:, 0], trained
        )
        assert trained.min() == 0
        assert trained.max() == levels


@pytest.mark.parametrize("static", [True, False])
def test_samples_become_rows_of_levels(static):
    source = Input((2, 3), 16, static)
    x = np.random.default_rng(0).random((7, 2, 3) if static else (7, 4, 2, 3))
    levels = source.encode(x, 4)
    assert levels.shape == ((7, 1, 2, 3) if static else (7, 4, 2, 3))
    assert levels.dtype == np.int64
    np.testing.assert_array_equal(levels, np.floor(x * 16 + 0.5).reshape(levels.shape))
    np.testing.assert_array_equal(source.encode(levels.reshape(x.shape).astype(np.uint8), 4), levels)
    assert source.encode(x[:0], 4).shape == (0, *levels.shape[1:])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((7, 3)), r"^Samples must have shape \(samples, 2, 3\), not \(7, 3\)$"),
        (np.zeros((2, 3)), r"^Samples must have shape \(samples, 2, 3\), not \(2, 3\)$"),
        (np.zeros((7, 2, 3), bool), r"^Samples must be floating-point features or integer levels, not bool$"),
        (np.zeros((7, 2, 3), complex), r"^Samples must be .*, not complex128$"),
        (np.full((7, 2, 3), np.nan), r"^Samples must be finite, but hold NaN or infinity$"),
        (np.full((7, 2, 3), np.inf), r"^Samples must be finite, but hold NaN or infinity$"),
        (
            np.full((7, 2, 3), 17),
            r"^Integer samples must be levels 0\.\.16, not 17\.\.17; pass floating-point",
        ),
        (np.full((7, 2, 3), -1), r"^Integer samples must be levels 0\.\.16, not -1\.\.-1; "),
    ],
)
def test_wrong_samples_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        Input((2, 3), 16).encode(x, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 16), r"^Input shape must be positive integers, not \(\)$"),
        (((3, 0), 16), r"^Input shape must be positive integers, not \(3, 0\)$"),
        (((3.0,), 16), r"^Input shape must be positive integers, not \(3\.0,\)$"),
        (((3,), 0), r"^Input levels must be 1\.\.255, not 0$"),
        (((3,), 256), r"^Input levels must be 1\.\.255, not 256$"),
        (((3,), 4.5), r"^Input levels must be 1\.\.255, not 4\.5$"),
        (((3,), 4, True, 1.0, 1.0), r"^Input range must be finite and increasing, not 1\.0\.\.1\.0$"),
        (((3,), 4, True, 0.0, np.inf), r"^Input range must be finite and increasing, not 0\.0\.\.inf$"),
    ],
)
def test_wrong_inputs_are_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        Input(*arguments)


def test_padding_is_the_level_of_its_channel():
    source = Input((2, 2, 3), 16, False, -1.0, 1.0, (1, 2), (8, 3))
    assert source.levels_shape == (2, 4, 7)
    assert source.size == 56
    x = np.random.default_rng(0).uniform(-1, 1, (5, 3, 2, 2, 3))
    levels = source.encode(x, 3)
    assert levels.shape == (5, 3, 2, 4, 7)
    plain = Input((2, 2, 3), 16, False, -1.0, 1.0)
    np.testing.assert_array_equal(levels[..., 1:3, 2:5], plain.encode(x, 3))
    around = np.ones((4, 7), bool)
    around[1:3, 2:5] = False
    assert (levels[:, :, 0, around] == 8).all()
    assert (levels[:, :, 1, around] == 3).all()
    np.testing.assert_array_equal(source.encode(levels[..., 1:3, 2:5], 3), levels)
    assert source.encode(x[:0], 3).shape == (0, 3, 2, 4, 7)


@pytest.mark.parametrize(
    ("shape", "padding", "pads", "message"),
    [
        (
            (6,),
            (1, 0),
            (1,),
            r"^Padded input must have shape \(channels, height, width\), not \(6,\)$",
        ),
        ((2, 3, 3), (0, 1), (), r"^Pad levels must be one per channel \(2\), not 0$"),
        ((2, 3, 3), (0, 1), (1, 2, 3), r"^Pad levels must be one per channel \(2\), not 3$"),
        ((2, 3, 3), (0, 1), (1, 17), r"^Pad level must be 0\.\.16, not 17$"),
        ((2, 3, 3), (0, 1), (1, 2.0), r"^Pad level must be 0\.\.16, not 2\.0$"),
        ((2, 3, 3), (0, -1), (1, 2), r"^Input padding must be 0\.\.1024, not -1$"),
        ((2, 3, 3), 1, (1, 2), r"^Input padding must be a pair \(rows, columns\), not 1$"),
    ],
)
def test_wrong_paddings_are_refused(shape, padding, pads, message):
    with pytest.raises(ModelError, match=message):
        Input(shape, 16, padding=padding, pad_levels=pads)
