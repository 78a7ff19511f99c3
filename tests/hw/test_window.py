"""EventBuffer, DigitIssuer and DenseWindow against `DenseWindow.model`."""

import numpy as np
import pytest
from layer_samples import random_levels
from stream_bench import STALLS, event_beats, stream_run

from spikefold.ir.coding import CODINGS, digit_count, digits_of
from spikefold.ir.profile import WindowProfile
from spikefold_hw.window import DenseWindow, DigitIssuer, EventBuffer


def window_profile(inputs=6, levels=5, coding="binary", weight_sets=1, replays=1):
    return WindowProfile("input", inputs, levels, coding, 4, weight_sets, replays)


def edge_positions(profile, seed=0, count=4):
    """Empty, full, single events at both ends, and random positions in between."""
    rng = np.random.default_rng(seed)
    ends = np.zeros((2, profile.inputs), int)
    ends[0, 0] = ends[1, -1] = profile.levels
    empty, full = np.zeros((1, profile.inputs), int), np.full((1, profile.inputs), profile.levels)
    noise = random_levels(rng, profile.levels, (count, profile.inputs))
    return np.concatenate([empty, full, full, ends, empty, noise, empty, full])


def issued_by(record):
    """Beats of a window in the form of its model."""
    return [
        (0, 0, 0, True)
        if beat["flush"]
        else (beat["row"], beat["shift"], -1 if beat["negative"] else 1, False)
        for beat in record.beats
    ]


def run_window(profile, positions, blocks, steps, style="riding", **options):
    dut = DenseWindow(profile, blocks, steps)
    expected = dut.model(positions)
    record = stream_run(
        dut, event_beats(positions, style=style, steps=steps // profile.replays), len(expected), **options
    )
    assert issued_by(record) == expected
    return record


@pytest.mark.usefixtures("not_elaborated")
def test_model_replays_every_block_and_rewinds():
    profile = window_profile(inputs=3, levels=5, weight_sets=2, replays=2)
    model = DenseWindow(profile, 2, 2).model(np.array([[0, 5, 1], [0, 0, 0]]))
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
    profile = window_profile(coding=coding, levels=11)
    run_window(profile, edge_positions(profile), 2, 1, style, stalls=stalls)


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("steps", "replays", "weight_sets"),
    [(1, 1, 1), (3, 1, 1), (3, 1, 3), (3, 3, 1), (3, 3, 3), (2, 2, 2), (5, 5, 1)],
)
def test_window_counts_blocks_steps_and_weight_sets(steps, replays, weight_sets, blocks):
    profile = window_profile(inputs=5, weight_sets=weight_sets, replays=replays)
    positions = edge_positions(profile, count=steps * 2)
    positions = positions[: len(positions) // steps * steps]
    for stalls in ((0, 0), (0.6, 0.6)):
        run_window(profile, positions, blocks, steps, stalls=stalls)


@pytest.mark.parametrize("inputs", [1, 2, 4, 8, 9])
@pytest.mark.parametrize("levels", [1, 255])
@pytest.mark.parametrize("style", ["riding", "bare"])
def test_window_of_any_size(style, inputs, levels):
    for coding in CODINGS:
        profile = window_profile(inputs=inputs, levels=levels, coding=coding)
        positions = edge_positions(profile) if coding != "unary" else edge_positions(profile)[:2]
        run_window(profile, positions, 1, 1, style)


def test_window_serves_a_sink_that_waits():
    profile = window_profile()
    run_window(profile, edge_positions(profile), 2, 1, eager=False)


def test_zeros_cost_nothing_even_when_they_are_sent():
    profile = window_profile(inputs=4)
    beats = [{"index": k, "level": 3 * (k == 1)} for k in range(4)]
    beats[-1]["end_position"] = 1
    record = stream_run(DenseWindow(profile, 1, 1), beats, 3)
    assert issued_by(record) == [(1, 0, 1, False), (1, 1, 1, False), (0, 0, 0, True)]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("blocks", [1, 3])
def test_window_issues_without_a_gap(coding, blocks):
    """Digits + 1 cycles a block, from `latency` cycles after the first mark on."""
    profile = window_profile(inputs=4, levels=15, coding=coding)
    positions = np.array([[1, 15, 9, 2], [7, 0, 0, 13], [5, 5, 5, 5], [0, 0, 0, 9]])
    # The bench offers an event a cycle, so four blocks of digits cover the next position's arrival.
    record = run_window(profile, positions, blocks, 1)
    work = blocks * (digit_count(positions, coding).sum(axis=1) + 1)
    assert record.left[0] == record.taken[3] + DenseWindow.latency
    assert record.left == list(range(record.left[0], record.left[0] + int(work.sum())))


def test_empty_positions_take_one_cycle_a_block():
    record = run_window(window_profile(), np.zeros((6, 6), int), 4, 1)
    assert record.left == list(range(DenseWindow.latency, DenseWindow.latency + 24))


def test_second_bank_fills_while_the_first_is_replayed():
    profile = window_profile(inputs=4, levels=1)
    record = stream_run(EventBuffer(profile, 10, 1), event_beats(np.ones((4, 4), int)), 4 * 50)
    assert record.taken[:8] == list(range(8))
    # The third position waits until the first bank's last slot has left, the fourth for the second's.
    assert record.taken[8] == record.left[49] + 1
    assert record.taken[12] == record.left[99] + 1


@pytest.mark.parametrize("stalls", STALLS)
def test_buffer_replays_events_and_flushes(stalls):
    profile = window_profile(inputs=3, levels=4, weight_sets=2, replays=2)
    positions = np.array([[0, 4, 1], [0, 0, 0], [2, 2, 2]])
    expected = []
    for levels in positions:
        events = [(k, int(level)) for k, level in enumerate(levels) if level]
        for replay in range(2):
            for block in range(2):
                expected += [*events, ("flush", replay == block == 1)]
    record = stream_run(
        EventBuffer(profile, 2, 2), event_beats(positions), len(expected), stalls=stalls, tail=60
    )
    got = [("flush", bool(b["rewind"])) if b["flush"] else (b["index"], b["pending"]) for b in record.beats]
    assert got == expected
    if stalls == (0, 0):
        assert record.left[0] == record.taken[1] + EventBuffer.latency


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("coding", CODINGS)
def test_issuer_takes_slots_apart(coding, stalls):
    profile = window_profile(inputs=3, levels=15, coding=coding)
    masks = {
        level: level if coding != "naf" else sum(1 << shift for shift, _ in digits_of(level, coding))
        for level in range(1, 16)
    }
    slots, expected = [], []
    for level, mask in masks.items():
        slot = {"index": level % 3, "pending": mask}
        if coding == "naf":
            slot["negative"] = sum(1 << shift for shift, sign in digits_of(level, coding) if sign < 0)
        slots += [slot, {"flush": 1, "rewind": level % 2}]
        base = 3 * (level % 2 and level > 1)
        expected += [(base + level % 3, *digit, False) for digit in digits_of(level, coding)]
        expected.append((0, 0, 0, True))
    record = stream_run(DigitIssuer(profile, 2), slots, len(expected), stalls=stalls)
    assert issued_by(record) == expected
    if stalls == (0, 0):
        assert record.left == list(range(DigitIssuer.latency, DigitIssuer.latency + len(expected)))
