import dataclasses

import numpy as np
import pytest

from spikefold.errors import InputError
from spikefold.flow.ports import BEAT, RESULT
from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_sim import scoreboard
from spikefold_sim.beats import StreamShape, encode_beats
from spikefold_sim.observation import EventLog, Observation
from spikefold_sim.scoreboard import Mismatch, compare

GENERATOR = np.random.default_rng(1)
SHAPES = {
    "first": StreamShape(Map(6, 2, 3), Time(2, "position_major")),
    "second": StreamShape(Map(4), Time(2, "position_major")),
    "input": StreamShape(Map(9), Time(1, "position_major")),
}
FIRST = GENERATOR.integers(0, 3, (5, 2, 6, 2, 3)).astype(np.uint8)
SECOND = GENERATOR.integers(0, 3, (5, 2, 4)).astype(np.uint8)
LOGITS = GENERATOR.integers(-9, 9, (5, 3))
LOGITS[2] = 4  # a tie: the lowest class wins
TAGS = np.arange(5, dtype=np.uint32) * 3
GOLDEN = {"first": FIRST, "second": SECOND}


def stream_of(name, levels):
    return encode_beats(levels, SHAPES[name])


def check(seen, golden=GOLDEN, logits=LOGITS, shapes=SHAPES):
    return compare(seen, golden, logits, shapes)


def observation(first=None, second=None, results=None):
    events = {}
    for name, stream in (("first", first), ("second", second)):
        stream = stream_of(name, GOLDEN[name]) if stream is None else stream
        events[name] = EventLog(stream, np.arange(len(stream)))
    table = np.zeros((5, 3), RESULT)
    table["logit"], table["index"] = LOGITS, np.arange(3)
    table["winner"][:, -1] = LOGITS.argmax(axis=1)
    table["last"][:, -1] = True
    table["tag"] = TAGS[:, None]
    results = table.reshape(-1) if results is None else results
    cycles = np.arange(len(results))
    return Observation(5, TAGS, results, cycles, events, np.arange(5), 100, {}, 3, 0.0, "none")


def good_results():
    return observation().results.copy()


@pytest.fixture(params=[1, scoreboard._PART_LEVELS], ids=["sample by sample", "at once"], autouse=True)
def part(request, monkeypatch):
    """Levels compared at once."""
    monkeypatch.setattr(scoreboard, "_PART_LEVELS", request.param)


def test_equal():
    comparison = check(observation())
    assert (comparison.samples, comparison.mismatches, comparison.first) == (5, 0, None)


def test_a_wrong_level_is_named():
    wrong = FIRST.copy()
    wrong[3, 1, 4, 1, 2] += 1
    comparison = check(observation(first=stream_of("first", wrong)))
    expected = int(FIRST[3, 1, 4, 1, 2])
    assert comparison.mismatches == 1
    assert comparison.first == Mismatch(3, "first", 4, 1, expected, expected + 1, "level differs", (1, 2))
    assert str(comparison.first) == (
        f"sample 3, layer first, channel 4, row 1, column 2, time step 1: "
        f"expected {expected}, got {expected + 1} (level differs)"
    )


def test_where_there_is_one_position_none_is_named():
    wrong = SECOND.copy()
    wrong[0, 1, 3] += 1
    expected = int(SECOND[0, 1, 3])
    first = check(observation(second=stream_of("second", wrong))).first
    assert first == Mismatch(0, "second", 3, 1, expected, expected + 1, "level differs")
    assert str(first).startswith("sample 0, layer second, channel 3, time step 1: expected")


@pytest.mark.parametrize(("order", "place"), [("position_major", (1, 5, 0, 0)), ("step_major", (0, 2, 0, 1))])
def test_the_first_is_as_the_stream_runs(order, place):
    shapes = {**SHAPES, "first": StreamShape(Map(6, 2, 3), Time(2, order))}
    wrong = FIRST.copy()
    for step, channel, row, column in ((1, 5, 0, 0), (0, 2, 0, 1), (0, 3, 0, 1), (0, 0, 1, 0)):
        wrong[2, step, channel, row, column] += 1
    comparison = check(observation(first=encode_beats(wrong, shapes["first"])), shapes=shapes)
    first = comparison.first
    assert comparison.mismatches == 4
    assert (first.step, first.channel, *first.position) == place


def test_the_first_is_by_sample_then_network_order_then_step_then_channel():
    first, second = FIRST.copy(), SECOND.copy()
    first[2, 1, 0] += 1
    second[2, 0, 0] += 1
    second[2, 0, 3] += 1
    streams = stream_of("first", first), stream_of("second", second)
    results = good_results()
    results["logit"][3] += 1
    comparison = check(observation(*streams, results))
    assert comparison.mismatches == 6 + 2 + 1
    assert (comparison.first.sample, comparison.first.layer) == (1, "logits")
    comparison = check(observation(*streams, good_results()))
    assert (comparison.first.layer, comparison.first.step) == ("first", 1)
    comparison = check(observation(None, streams[1], good_results()))
    assert (comparison.first.layer, comparison.first.step, comparison.first.channel) == ("second", 0, 0)


def edit(stream, place, **values):
    stream = stream.copy()
    for name, value in values.items():
        stream[name][place] = value
    return stream


STREAM = stream_of("first", FIRST)
SAMPLE = np.cumsum(STREAM["end_sample"]) - STREAM["end_sample"]
BETWEEN = ~STREAM["end_position"]
EVENT = int(np.flatnonzero(BETWEEN & (SAMPLE == 2))[4])
CELL = int(np.flatnonzero(STREAM["end_position"] & ~STREAM["end_step"] & (SAMPLE == 2))[1])
STEP = int(np.flatnonzero(STREAM["end_step"] & ~STREAM["end_sample"])[2])
END = int(np.flatnonzero(STREAM["end_sample"])[2])


@pytest.mark.parametrize(
    ("stream", "reason", "least"),
    [
        (np.insert(STREAM, EVENT, STREAM[EVENT]), "channels must ascend", 1),
        (np.delete(STREAM, EVENT), "level differs", 1),
        (edit(STREAM, EVENT, index=6), "level differs", 2),
        (edit(STREAM, EVENT, level=0), "level differs", 2),
        (edit(STREAM, EVENT, end_step=True), "wrong end flags", 1),
        (edit(STREAM, EVENT, end_sample=True), "wrong end flags", 3),
        (edit(STREAM, CELL, end_step=True), "wrong end flags", 1),
        (edit(STREAM, CELL, end_position=False), "level differs", 3),
        (edit(STREAM, STEP, end_step=False), "wrong end flags", 1),
        (edit(STREAM, STEP, end_position=False), "channels must ascend", 2),
        (edit(STREAM, END, end_sample=False), "wrong end flags", 3),
        (edit(STREAM, END, end_step=False), "wrong end flags", 1),
        (np.delete(STREAM, CELL), "level differs", 3),
        (np.delete(STREAM, np.flatnonzero(SAMPLE == 2)), "level differs", 3),
        (STREAM[: END + 1], "level differs", 3),
    ],
)
def test_broken_streams_are_mismatches(stream, reason, least):
    comparison = check(observation(first=stream))
    assert comparison.mismatches >= least
    assert (comparison.first.sample, comparison.first.layer) == (3 if len(stream) == END + 1 else 2, "first")
    assert comparison.first.reason == reason


@pytest.mark.parametrize("order", [[1, 0], [0, 1]])
def test_events_of_a_cell_ascend(order):
    """All levels are right in either order."""
    levels = np.zeros_like(SECOND)
    levels[2, 1, [1, 3]] = 2
    stream = stream_of("second", levels)
    pair = np.flatnonzero(stream["level"])
    stream["index"][pair] = stream["index"][pair][order]
    comparison = check(observation(second=stream), {"first": FIRST, "second": levels})
    found = (comparison.mismatches, comparison.first and comparison.first.reason)
    assert found == ((0, None) if order == [0, 1] else (1, "channels must ascend"))


def test_an_event_after_the_mark_of_its_cell_is_a_mismatch():
    """The second event of sample 2, step 0 comes after the mark."""
    levels = np.zeros_like(SECOND)
    levels[2, 0, [1, 3]] = 2
    stream = stream_of("second", levels)
    late = np.flatnonzero(stream["level"])
    for flag in ("end_position", "end_step"):
        stream[flag][late] = [True, False]
    comparison = check(observation(second=stream), {"first": FIRST, "second": levels})
    assert comparison.mismatches == 2
    assert comparison.first == Mismatch(2, "second", 3, 0, 2, 0, "level differs")


def test_every_kind_of_broken_beat_has_a_reason():
    silent = np.zeros((2, 1, 6), int)
    shape = {"x": StreamShape(Map(6), Time(1, "position_major"))}
    cases = {
        "wrong end flags": np.array([(0, 0, 1, 0, 1, 0), (0, 0, 1, 1, 1, 0)], BEAT),
        "cell too many": np.array([(0, 0, 1, 1, 0, 0), (0, 0, 1, 1, 1, 0), (0, 0, 1, 1, 1, 0)], BEAT),
        "neither event nor mark": np.array(
            [(0, 0, 1, 1, 1, 0), (0, 0, 0, 0, 0, 0), (0, 0, 1, 1, 1, 0)], BEAT
        ),
        "channel out of range": np.array([(7, 1, 1, 1, 1, 0), (0, 0, 1, 1, 1, 0)], BEAT),
        "surplus beat": np.array([(0, 0, 1, 1, 1, 0)] * 3, BEAT),
        "sample did not end": np.array([(0, 0, 1, 1, 1, 0)], BEAT),
    }
    for reason, stream in cases.items():
        base = observation()
        seen = dataclasses.replace(
            base, samples=2, results=base.results[:6], events={"x": EventLog(stream, np.arange(len(stream)))}
        )
        comparison = compare(seen, {"x": silent}, LOGITS[:2], shape)
        assert comparison.mismatches == (2 if reason == "cell too many" else 1)
        assert comparison.first.reason == ("wrong end flags" if reason == "cell too many" else reason)


def test_a_bare_mark_after_events_is_equal():
    stream = STREAM.copy()
    stream["end_position"][STEP] = stream["end_step"][STEP] = False
    mark = stream[STEP].copy()
    mark["level"], mark["end_position"], mark["end_step"] = 0, True, True
    assert check(observation(first=np.insert(stream, STEP + 1, mark))).mismatches == 0


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
    comparison = check(observation(results=change(good_results())))
    assert (comparison.mismatches, comparison.first) == (1, first)


def test_swapped_results_are_mismatches():
    results = good_results()
    results[[0, 1]] = results[[1, 0]]
    comparison = check(observation(results=results))
    assert comparison.first.reason == "result beat out of place"


def test_a_surplus_beat_within_a_result_is_a_mismatch():
    results = good_results()
    results["last"][2] = False
    results = np.insert(results, 3, np.array((0, 3, 0, True, False, 0), RESULT))
    comparison = check(observation(results=results))
    assert (comparison.first.sample, comparison.first.reason) == (0, "result beat out of place")


@pytest.mark.parametrize(("field", "value", "expected"), [("error", True, 0), ("tag", 7, 9)])
def test_a_wrong_ticket_is_a_mismatch(field, value, expected):
    """Of any beat of a result."""
    for beat in (9, 10, 11):
        results = good_results()
        results[field][beat] = value
        comparison = check(observation(results=results))
        first = Mismatch(3, field, None, None, expected, int(value), f"{field} differs")
        assert (comparison.mismatches, comparison.first) == (1, first)


def test_golden_arrays_must_fit():
    with pytest.raises(InputError, match=r"^Golden logits must have the shape \(5, 3\), not \(5, 2\)$"):
        check(observation(), logits=LOGITS[:, :2])
    message = r"^Golden levels must be those of \['first', 'second'\], not of \['first'\]$"
    with pytest.raises(InputError, match=message):
        check(observation(), {"first": FIRST})
    message = r"^Golden levels of 'first' must be of 5 samples, not 4$"
    with pytest.raises(InputError, match=message):
        check(observation(), {"first": FIRST[:4], "second": SECOND})
    message = r"^Golden levels of 'first' must have the shape \(samples, 2, 6, 2, 3\), not \(5, 1, 6, 2, 3\)$"
    with pytest.raises(InputError, match=message):
        check(observation(), {"first": FIRST[:, :1], "second": SECOND})
    message = r"^Stream shapes must hold every probed stage, not lack \['first'\]$"
    with pytest.raises(InputError, match=message):
        check(observation(), shapes={"second": SHAPES["second"]})
