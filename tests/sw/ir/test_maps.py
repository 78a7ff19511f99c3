"""Windows that slide over maps, against looking at every position of every window."""

from itertools import product

import numpy as np
import pytest

from spikefold.errors import ModelError
from spikefold.ir.maps import Map, Window, as_pair


def axes():
    """Every (size, kernel, stride, padding) of one axis that is a window, up to 4, 5, 3."""
    for size, kernel, stride in product(range(1, 5), range(1, 6), range(1, 4)):
        for padding in range(kernel):
            if kernel <= size + 2 * padding:
                yield size, kernel, stride, padding


def places_read(size, kernel, stride, padding):
    """Positions of one axis that each window reads."""
    windows = []
    for start in range(0, size + 2 * padding - kernel + 1, stride):
        windows.append([start + k - padding for k in range(kernel) if 0 <= start + k - padding < size])
    return windows


def positions_read(rows, columns):
    """Positions, in raster order, that each window of two axes reads."""
    return [
        [y * columns[0] + x for y, x in product(down, across)]
        for down, across in product(places_read(*rows), places_read(*columns))
    ]


def window_of(rows, columns):
    return Window(Map(3, rows[0], columns[0]), *zip(rows[1:], columns[1:], strict=True))


def test_every_small_window():
    count = 0
    for rows, columns in product(axes(), axes()):
        if rows[0] * columns[0] > 12 or (rows[1] == columns[1] == 5 and rows[2] > 1):
            continue
        window, read = window_of(rows, columns), positions_read(rows, columns)
        assert window.outputs == window.height * window.width == len(read)
        assert window.needed.tolist() == [max(positions) for positions in read]
        later = [min(min(p) for p in read[k + 1 :]) for k in range(len(read) - 1)]
        assert window.released.tolist() == [*later, window.map.positions], (rows, columns)
        count += 1
    assert count > 10000


def test_rows_and_columns_of_every_axis():
    for axis in axes():
        window, read = window_of(axis, axis), places_read(*axis)
        for first, after in (window.rows(), window.columns()):
            assert first.tolist() == [places[0] for places in read]
            assert after.tolist() == [places[-1] + 1 for places in read]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "whole"),
    [
        ((3, 4), (1, 1), (0, 0), True),
        ((3, 4), (5, 2), (0, 0), True),
        ((3, 3), (1, 1), (0, 0), False),
        ((3, 4), (1, 1), (1, 0), False),
        ((5, 4), (1, 1), (1, 0), False),
    ],
)
def test_a_whole_window_sees_every_position_at_its_place(kernel, stride, padding, whole):
    assert Window(Map(2, 3, 4), kernel, stride, padding).whole == whole


@pytest.mark.parametrize(
    ("kernel", "padding", "message"),
    [
        (
            (4, 1),
            (0, 0),
            r"^Kernel \(4, 1\) must fit the map of 3x5 positions with padding \(0, 0\), but is larger$",
        ),
        ((1, 8), (0, 1), r"^Kernel \(1, 8\) must fit the map of 3x5 positions with padding \(0, 1\), but is"),
        ((2, 2), (2, 0), r"^Padding must be below the kernel \(2, 2\), not \(2, 0\)$"),
        ((2, 2), (0, 3), r"^Padding must be below the kernel \(2, 2\), not \(0, 3\)$"),
    ],
)
def test_windows_that_do_not_fit_are_refused(kernel, padding, message):
    with pytest.raises(ModelError, match=message):
        Window(Map(1, 3, 5), kernel, (1, 1), padding)


def test_sizes_of_maps():
    assert (Map(3, 4, 5).positions, Map(3, 4, 5).size, Map(7).positions, Map(7).size) == (20, 60, 1, 7)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, r"^Stride must be a pair \(rows, columns\), not 3$"),
        ((1, 2, 3), r"^Stride must be a pair \(rows, columns\), not \(1, 2, 3\)$"),
        ((1, 0), r"^Stride must be 1\.\.1024, not 0$"),
        ((1025, 1), r"^Stride must be 1\.\.1024, not 1025$"),
        ((1.0, 1), r"^Stride must be 1\.\.1024, not 1\.0$"),
    ],
)
def test_wrong_pairs_are_refused(value, message):
    with pytest.raises(ModelError, match=message):
        as_pair("Stride", value, 1)


def test_pairs_of_any_integers():
    pair = as_pair("Stride", [np.int64(2), 3], 1)
    assert pair == (2, 3)
    assert [type(n) for n in pair] == [int, int]
