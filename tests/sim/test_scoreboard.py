import dataclasses

import numpy as np
import pytest

from spikefold.errors import InputError
from spikefold_sim.beats import encode_beats
from spikefold_sim.observation import EventLog, Observation
from spikefold_sim.ports import BEAT, RESULT
from spikefold_sim.scoreboard import Mismatch, compare

GENERATOR = np.random.default_rng(1)
FIRST = GENERATOR.integers(0, 3, (5, 2, 6))
SECOND = GENERATOR.integers(0, 3, (5, 2, 4))
LOGITS = GENERATOR.integers(-9, 9, (5, 3))
LOGITS[2] = 4  # a tie: the lowest class wins
GOLDEN = {"first": FIRST, "second": SECOND}


def observation(first=None, second=None, results=None):
    events = {}
    for name, stream in (("first", first), ("second", second)):
        stream = encode_beats(GOLDEN[name]) if stream is None else stream
        events[name] = EventLog(stream, np.arange(len(stream)))
    table = np.zeros((5, 3), RESULT)
    table["logit"], table["index"] = LOGITS, np.arange(3)
    table["winner"][:, -1] = LOGITS.argmax(axis=1)
    table["last"][:, -1] = True
    results = table.reshape(-1) if results is None else results
    return Observation(5, results, np.arange(len(results)), events, np.arange(5), 100, {}, 3, 0.0, "none")


def good_results():
    return observation().results.copy()


def test_equal():
    comparison = compare(observation(), GOLDEN, LOGITS)
    assert (comparison.samples, comparison.mismatches, comparison.first) == (5, 0, None)


def test_a_wrong_level_is_named():
    wrong = FIRST.copy()
    wrong[3, 1, 4] += 1
    comparison = compare(observation(first=encode_beats(wrong)), GOLDEN, LOGITS)
    expected, got = int(FIRST[3, 1, 4]), int(FIRST[3, 1, 4]) + 1
    assert comparison.mismatches == 1
    assert comparison.first == Mismatch(3, "first", 4, 1, expected, got, "level differs")
    assert str(comparison.first) == (
        f"sample 3, layer first, neuron 4, time step 1: expected {expected}, got {got} (level differs)"
    )


def test_the_first_is_by_sample_then_network_order_then_step_then_neuron():
    first, second = FIRST.copy(), SECOND.copy()
    first[2, 1, 0] += 1
    second[2, 0, 0] += 1
    second[2, 0, 3] += 1
    results = good_results()
    results["logit"][3] += 1
    comparison = compare(observation(encode_beats(first), encode_beats(second), results), GOLDEN, LOGITS)
    assert comparison.mismatches == 4
    assert (comparison.first.sample, comparison.first.layer) == (1, "logits")
    results = good_results()
    comparison = compare(observation(encode_beats(first), encode_beats(second), results), GOLDEN, LOGITS)
    assert (comparison.first.layer, comparison.first.step) == ("first", 1)
    comparison = compare(observation(None, encode_beats(second), results), GOLDEN, LOGITS)
    assert (comparison.first.layer, comparison.first.step, comparison.first.neuron) == ("second", 0, 0)


def edit(stream, place, **values):
    stream = stream.copy()
    for name, value in values.items():
        stream[name][place] = value
    return stream


STREAM = encode_beats(FIRST)
EVENT = int(np.flatnonzero((STREAM["level"] > 0) & ~STREAM["end_step"])[4])
MARK = int(np.flatnonzero(STREAM["end_step"] & ~STREAM["end_sample"])[1])


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (np.insert(STREAM, EVENT, STREAM[EVENT]), "repeated event"),
        (np.delete(STREAM, EVENT), "level differs"),
        (edit(STREAM, EVENT, index=6), "event out of range"),
        (edit(STREAM, EVENT, level=0), "wrong end flags"),
        (edit(STREAM, MARK, end_position=False), "wrong end flags"),
        (edit(STREAM, MARK, end_sample=True), "wrong end flags"),
        (np.append(STREAM, STREAM[:1]), "surplus beat"),
        (STREAM[:0], "level differs"),
    ],
)
def test_broken_streams_are_mismatches(stream, reason):
    comparison = compare(observation(first=stream), GOLDEN, LOGITS)
    assert comparison.mismatches > 0
    assert comparison.first.layer == "first"
    assert comparison.first.reason == reason or reason in ("wrong end flags", "event out of range")


def test_every_kind_of_broken_beat_has_a_reason():
    silent = np.zeros((2, 1, 6), int)
    cases = {
        "wrong end flags": np.array([(0, 0, 1, 0, 0), (0, 0, 1, 1, 1), (0, 0, 1, 1, 1)], BEAT),
        "event out of range": np.array([(7, 1, 1, 1, 1), (0, 0, 1, 1, 1)], BEAT),
        "surplus beat": np.array([(0, 0, 1, 1, 1)] * 3, BEAT),
        "sample did not end": np.array([(0, 0, 1, 1, 1)], BEAT),
    }
    for reason, stream in cases.items():
        base = observation()
        seen = dataclasses.replace(
            base, samples=2, results=base.results[:6], events={"x": EventLog(stream, np.arange(len(stream)))}
        )
        comparison = compare(seen, {"x": silent}, LOGITS[:2])
        assert (comparison.mismatches, comparison.first.reason) == (1, reason)


def test_a_bare_mark_after_events_is_equal():
    stream = STREAM.copy()
    stream["end_position"][MARK] = stream["end_step"][MARK] = False
    mark = stream[MARK].copy()
    mark["level"], mark["end_position"], mark["end_step"] = 0, True, True
    assert compare(observation(first=np.insert(stream, MARK + 1, mark)), GOLDEN, LOGITS).mismatches == 0


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (
            lambda r: edit(r, 4, logit=99),
            Mismatch(1, "logits", 1, None, int(LOGITS[1, 1]), 99, "logit differs"),
        ),
        (lambda r: edit(r, 8, winner=2), Mismatch(2, "winner", None, None, 0, 2, "winner differs")),
        (lambda r: r[:-1], Mismatch(4, "logits", 2, None, int(LOGITS[4, 2]), None, "result beat missing")),
        (
            lambda r: np.append(r, r[:1]),
            Mismatch(5, "logits", 0, None, None, int(LOGITS[0, 0]), "result beat out of place"),
        ),
    ],
)
def test_wrong_results_are_named(change, first):
    comparison = compare(observation(results=change(good_results())), GOLDEN, LOGITS)
    assert (comparison.mismatches, comparison.first) == (1, first)


def test_swapped_results_are_mismatches():
    results = good_results()
    results[[0, 1]] = results[[1, 0]]
    comparison = compare(observation(results=results), GOLDEN, LOGITS)
    assert comparison.first.reason == "result beat out of place"


def test_a_surplus_beat_within_a_result_is_a_mismatch():
    results = good_results()
    results["last"][2] = False
    results = np.insert(results, 3, np.array((0, 3, 0, True), RESULT))
    comparison = compare(observation(results=results), GOLDEN, LOGITS)
    assert (comparison.first.sample, comparison.first.reason) == (0, "result beat out of place")


def test_golden_arrays_must_fit():
    with pytest.raises(InputError, match=r"^Golden logits must have the shape \(5, 3\), not \(5, 2\)$"):
        compare(observation(), GOLDEN, LOGITS[:, :2])
    with pytest.raises(InputError, match=r"^Golden layer must be one of \['first', 'second'\], not 'third'$"):
        compare(observation(), {"third": FIRST}, LOGITS)
    with pytest.raises(
        InputError, match=r"^Golden levels of 'first' must have the shape \[5, steps, neurons\]"
    ):
        compare(observation(), {"first": FIRST[:4]}, LOGITS)
