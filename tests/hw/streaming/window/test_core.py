"""ProjectionCore against `ProjectionCore.model`, and what it costs in cycles."""

import numpy as np
import pytest
from cell_samples import random_levels
from projection_bench import edge_positions, issued_by, run_projection
from shape_samples import projection_core, projection_shape, window_shape
from stream_bench import STALLS, stream_run

from spikefold.ir.coding import CODINGS, digit_count
from spikefold.ir.maps import Map, Window
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.streaming.window.core import projection_latency
from spikefold_hw.streaming.window.shape import ProjectionShape


@pytest.mark.usefixtures("not_elaborated")
def test_model_goes_through_blocks_and_weight_sets():
    projection = projection_shape(inputs=3, levels=5, weight_sets=2)
    model = projection_core(projection, 2, Time(2, "position_major")).model(
        np.array([[0, 5, 1], [0, 5, 1], [0, 0, 0], [0, 0, 0]])
    )
    flush = (0, 0, 0, True)
    first = [
        beat
        for base in (0, 3, 6, 9)
        for beat in [(base + 1, 0, 1, False), (base + 1, 2, 1, False), (base + 2, 0, 1, False), flush]
    ]
    assert model == [*first, *[flush] * 4]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("style", ["riding", "bare"])
@pytest.mark.parametrize("coding", CODINGS)
def test_window_issues_every_digit(coding, style, stalls):
    projection = projection_shape(coding=coding, levels=11)
    run_projection(projection, edge_positions(projection), 2, style=style, stalls=stalls)


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
@pytest.mark.parametrize(("steps", "weight_sets"), [(1, 1), (3, 1), (3, 3), (2, 2)])
def test_window_counts_blocks_steps_and_weight_sets(steps, weight_sets, blocks):
    projection = projection_shape(inputs=5, weight_sets=weight_sets)
    cells = edge_positions(projection, count=steps * 2)
    cells = cells[: len(cells) // steps * steps]
    for order in ORDERS:
        for stalls in ((0, 0), (0.6, 0.6)):
            run_projection(projection, cells, blocks, Time(steps, order), stalls=stalls)


MAPS = [
    (Map(3, 4, 5), (3, 3), (1, 1), (1, 1), 1),
    (Map(4, 5, 4), (3, 2), (2, 1), (1, 0), 2),
    (Map(3, 3, 3), (1, 1), (2, 2), (0, 0), 1),
    (Map(4, 3, 3), (3, 3), (1, 1), (1, 1), 4),
    (Map(2, 2, 2), (2, 2), (1, 1), (0, 0), 1),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("weight_sets", [1, 2])
@pytest.mark.parametrize(("map_", "kernel", "stride", "padding", "groups"), MAPS)
def test_window_over_a_map(map_, kernel, stride, padding, groups, weight_sets, order):
    """Groups, blocks, positions and steps count in the order that the drain expects."""
    steps, rng = 2, np.random.default_rng(1)
    together = steps if order == "position_major" else 1
    depth = int(Window(map_, kernel, stride, padding).needed.max()) + 1
    window = window_shape(map_, kernel, stride, padding, groups, steps=together, depth=depth)
    projection = ProjectionShape(window, "binary", 4, weight_sets)
    cells = random_levels(rng, 5, (3 * steps * map_.positions, map_.channels))
    for stalls in ((0, 0), (0.5, 0.5)):
        run_projection(projection, cells, 2, Time(steps, order), stalls=stalls)


@pytest.mark.parametrize("inputs", [1, 2, 4, 8, 9])
@pytest.mark.parametrize("levels", [1, 255])
@pytest.mark.parametrize("style", ["riding", "bare"])
def test_window_of_any_size(style, inputs, levels):
    for coding in CODINGS:
        projection = projection_shape(inputs=inputs, levels=levels, coding=coding)
        positions = edge_positions(projection) if coding != "unary" else edge_positions(projection)[:2]
        run_projection(projection, positions, 1, style=style)


def test_window_serves_a_sink_that_waits():
    projection = projection_shape()
    run_projection(projection, edge_positions(projection), 2, eager=False)


def test_zeros_cost_nothing_even_when_they_are_sent():
    projection = projection_shape(inputs=4)
    beats = [{"index": k, "level": 3 * (k == 1)} for k in range(4)]
    beats[-1]["end_position"] = 1
    record = stream_run(projection_core(projection), beats, 3)
    assert issued_by(record) == [(1, 0, 1, False), (1, 1, 1, False), (0, 0, 0, True)]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("blocks", [1, 3])
def test_window_issues_without_a_gap(coding, blocks):
    """Digits + 1 cycles a block, from `latency` cycles after the first event on."""
    projection = projection_shape(inputs=4, levels=15, coding=coding)
    positions = np.array([[1, 15, 9, 2], [7, 0, 0, 13], [5, 5, 5, 5], [0, 0, 0, 9]])
    # The bench offers an event a cycle, so four blocks of digits cover the next position's arrival.
    record = run_projection(projection, positions, blocks)
    work = blocks * (digit_count(positions, coding).sum(axis=1) + 1)
    assert record.left[0] == record.taken[0] + projection_latency(projection)
    assert record.left == list(range(record.left[0], record.left[0] + int(work.sum())))


def test_empty_positions_take_one_cycle_a_block():
    projection = projection_shape()
    blocks = 5  # two windows' flushes cover the time in which a bank is freed and filled again
    record = run_projection(projection, np.zeros((6, 6), int), blocks)
    first = projection_latency(projection)
    assert record.left == list(range(first, first + 6 * blocks))
