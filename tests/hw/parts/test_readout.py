"""Readout against its model: logits, ties and the latency of the last step."""

import numpy as np
import pytest
from cell_samples import cell_beats, random_levels
from layer_samples import Fed, full_range_layer, random_weight
from stream_bench import STALLS, stream_run

from spikefold_hw.parts.readout import Readout, readout_latency


def expected_beats(unit, population, sums, skips):
    """Beats of samples' sums, (samples, steps, classes); `winner` is checked on the last beat only."""
    beats = []
    for number, sample in enumerate(sums):
        logits, winner = unit.model(population, sample, [skip[number] for skip in skips])
        last = len(logits) - 1
        beats += [
            {"logit": int(logit), "index": k, "last": int(k == last)}
            | ({"winner": winner} if k == last else {})
            for k, logit in enumerate(logits)
        ]
    return beats


def check_readout(sample, sums, skips=(), **options):
    unit = Readout(sample.drain_shape, sample.contents)
    expected = expected_beats(unit, sample.population, sums, skips)
    words = [{k: int(value) for k, value in enumerate(word)} for word in sums.reshape(-1, sample.layer.units)]
    feeds = {
        f"skip{k}": [beat for cell in skip.reshape(-1, skip.shape[-1]) for beat in cell_beats(cell, 1, 0)]
        for k, skip in enumerate(skips)
    }
    record = stream_run(Fed(unit, feeds), words, len(expected), **options)
    got = [{name: beat[name] for name in want} for beat, want in zip(record.beats, expected, strict=True)]
    assert got == expected
    for k, beat in enumerate(record.beats):
        sofar = [b["logit"] for b in record.beats[k - beat["index"] : k + 1]]
        assert beat["winner"] == int(np.argmax(sofar))
    assert unit.latency == readout_latency(sample.drain_shape)
    return unit, record


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("channels", "units"), [(1, 1), (2, 1), (10, 1), (2, 2), (10, 5), (12, 4)])
def test_logits_and_class(channels, units, steps, stalls):
    rng = np.random.default_rng(channels + steps)
    bias = rng.integers(-3000, 3000, (steps, channels))
    sample = full_range_layer(channels, steps, bias=bias, fraction=2, units=units)
    sums = rng.integers(-128 * 15, 127 * 15 + 1, (8, steps, channels))
    sums[0], sums[1] = -128 * 15, 127 * 15
    check_readout(sample, sums, stalls=stalls)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("channels", "units"), [(4, 1), (6, 3)])
def test_identities_are_added(channels, units, steps, stalls):
    rng = np.random.default_rng(channels)
    skips = [(9, random_weight(rng, 8, (steps, channels)), 8), (2, random_weight(rng, 1, (1, channels)), 1)]
    sample = full_range_layer(channels, steps, units=units, skips=skips)
    sums = rng.integers(-1920, 1906, (5, steps, channels))
    levels = [random_levels(rng, largest, sums.shape) for largest, _, _ in skips]
    added = sum(weight * level for (_, weight, _), level in zip(skips, levels, strict=True))
    _, record = check_readout(sample, sums, levels, stalls=stalls)
    assert [beat["logit"] for beat in record.beats] == (sums + added).sum(axis=1).ravel().tolist()


@pytest.mark.parametrize(
    ("logits", "winner"),
    [
        ([0, 0, 0, 0], 0),
        ([-5, -5, -9, -5], 0),
        ([-9, -5, -5, -9], 1),
        ([-1920, -1920, -1920, -1919], 3),
        ([1905, -1920, 1905, 1905], 0),
        ([-1920, 1905, -1920, 1905], 1),
        ([-1, 0, -1, 0], 1),
    ],
)
def test_lowest_class_wins_a_tie(logits, winner):
    """The winner of the sample before must not linger, so each case comes between two opposite ones."""
    sample = full_range_layer(4, 1)
    sums = np.array([[[0, 0, 0, 1905]], [logits], [[-1920, -1, -1920, -1920]]])
    _, record = check_readout(sample, sums)
    assert [beat["winner"] for beat in record.beats if beat["last"]] == [3, winner, 1]


def test_one_class_always_wins():
    sample = full_range_layer(1, 1)
    _, record = check_readout(sample, np.array([[[-7]], [[0]], [[9]]]))
    assert [(beat["winner"], beat["last"]) for beat in record.beats] == [(0, 1)] * 3


def test_logits_reach_both_ends_of_their_width():
    steps = 3
    sample = full_range_layer(3, steps, bias=np.array([[-4096, 0, 4095]]))
    low, high = np.full((1, steps, 3), -1920), np.full((1, steps, 3), 1905)
    _, record = check_readout(sample, np.concatenate([low, high, low, high]))
    bits = sample.layer.widths.membrane
    assert min(beat["logit"] for beat in record.beats) < -(1 << (bits - 2))
    assert max(beat["logit"] for beat in record.beats) >= 1 << (bits - 2)


@pytest.mark.parametrize(
    ("steps", "channels", "units"), [(1, 1, 1), (1, 6, 1), (2, 1, 1), (3, 6, 1), (3, 6, 6)]
)
def test_latency_of_the_last_step(steps, channels, units):
    rng = np.random.default_rng(0)
    sums = rng.integers(-1920, 1906, (4, steps, channels))
    unit, record = check_readout(full_range_layer(channels, steps, units=units), sums)
    words = channels // units
    taken = np.array(record.taken).reshape(4, steps, words)[:, -1].reshape(-1)
    assert (np.array(record.left)[::units] - taken == unit.latency).all()


@pytest.mark.parametrize("steps", [1, 2])
def test_readout_serves_a_sink_that_waits(steps):
    rng = np.random.default_rng(1)
    check_readout(full_range_layer(3, steps), rng.integers(-1920, 1906, (3, steps, 3)), eager=False)
