"""Comparing what a design did with what the golden model says. Pure numpy; finds, never raises, faults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold_sim.beats import flag_faults, locate
from spikefold_sim.observation import EventLog, Observation

LOGITS, WINNER = "logits", "winner"


@dataclass(frozen=True)
class Mismatch:
    """One difference.

    Attributes
    ----------
    sample
        Sample number; may be past the last one for surplus beats.
    layer
        Name of the probe, or "logits" or "winner".
    neuron
        Neuron or class; None where the whole result is meant.
    step
        Time step; None for results.
    expected, got
        Values; None where there should be, or is, nothing.
    reason
        What kind of difference.
    """

    sample: int
    layer: str
    neuron: int | None
    step: int | None
    expected: int | None
    got: int | None
    reason: str

    def __str__(self) -> str:
        place = [f"sample {self.sample}", f"layer {self.layer}"]
        place += [f"neuron {self.neuron}"] if self.neuron is not None else []
        place += [f"time step {self.step}"] if self.step is not None else []
        return f"{', '.join(place)}: expected {self.expected!r}, got {self.got!r} ({self.reason})"


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes
    ----------
    samples
        How many samples were compared.
    mismatches
        How many values differ or beats are wrong.
    first
        The first in the order sample, layer (as the network runs), step, neuron; None if equal.
    """

    samples: int
    mismatches: int
    first: Mismatch | None


def compare(
    observation: Observation,
    levels: Mapping[str, NDArray[np.integer]],
    logits: NDArray[np.integer],
) -> Comparison:
    """Hold an observation against golden levels and logits.

    Parameters
    ----------
    observation
        The run.
    levels
        For each probed layer, in network order, levels [samples, steps, neurons].
    logits
        [samples, classes].

    Raises
    ------
    InputError
        The golden arrays do not fit the observation.
    """
    _check(observation, levels, logits)
    found = [
        _compare_events(name, observation.events[name], np.asarray(golden)) for name, golden in levels.items()
    ]
    found += _compare_results(observation, np.asarray(logits).astype(np.int64))
    ranked = [
        ((first.sample, order, first.step or 0, first.neuron or 0), first)
        for order, (_, first) in enumerate(found)
        if first is not None
    ]
    first = min(ranked, key=lambda pair: pair[0])[1] if ranked else None
    return Comparison(observation.samples, sum(count for count, _ in found), first)


_Found = tuple[int, Mismatch | None]


def _compare_events(name: str, log: EventLog, golden: NDArray[np.integer]) -> _Found:
    beats = log.beats
    samples, steps, neurons = golden.shape
    sample, step = locate(beats)
    event = beats["level"] > 0
    surplus = sample >= samples
    misplaced = event & ~surplus & ((step >= steps) | (beats["index"] >= neurons))
    usable = np.flatnonzero(event & ~surplus & ~misplaced)
    slots = np.ravel_multi_index((sample[usable], step[usable], beats["index"][usable]), golden.shape)
    got = np.zeros(golden.size, np.int64)
    got[slots] = beats["level"][usable]
    faults = {
        "surplus beat": np.flatnonzero(surplus),
        "event out of range": np.flatnonzero(misplaced),
        "wrong end flags": np.flatnonzero(~surplus & flag_faults(beats, step, steps)),
        "repeated event": np.delete(usable, np.unique(slots, return_index=True)[1]),
    }
    differing = np.flatnonzero(got != golden.reshape(-1))
    missing = max(0, samples - int(beats["end_sample"].sum()))
    firsts = [_level_mismatch(name, golden, got, int(slot)) for slot in differing[:1]]
    firsts += _beat_mismatches(name, beats, sample, step, golden, faults)
    firsts += [Mismatch(samples - missing, name, None, None, None, None, "sample did not end")] * bool(
        missing
    )
    count = len(differing) + missing + sum(len(places) for places in faults.values())
    return count, min(firsts, key=lambda m: (m.sample, m.step or 0, m.neuron or 0), default=None)


def _level_mismatch(name: str, golden: NDArray[np.integer], got: NDArray[np.int64], slot: int) -> Mismatch:
    sample, step, neuron = (int(k) for k in np.unravel_index(slot, golden.shape))
    return Mismatch(
        sample, name, neuron, step, int(golden.reshape(-1)[slot]), int(got[slot]), "level differs"
    )


def _beat_mismatches(
    name: str,
    beats: NDArray[np.void],
    sample: NDArray[np.int64],
    step: NDArray[np.int64],
    golden: NDArray[np.integer],
    faults: Mapping[str, NDArray[np.int64]],
) -> Iterator[Mismatch]:
    """The first of each kind of wrong beat, in stream order."""
    for reason, found in faults.items():
        if not len(found):
            continue
        k = int(found[0])
        place = (int(sample[k]), int(step[k]), int(beats["index"][k]))
        inside = all(p < size for p, size in zip(place, golden.shape, strict=True))
        expected = int(golden[place]) if inside else None
        yield Mismatch(place[0], name, place[2], place[1], expected, int(beats["level"][k]), reason)


def _compare_results(observation: Observation, logits: NDArray[np.int64]) -> list[_Found]:
    """Beats out of place, logits and winners, each on its own."""
    results, (samples, classes) = observation.results, logits.shape
    last = results["last"].astype(np.int64)
    sample = np.cumsum(last) - last
    starts = np.flatnonzero(np.diff(sample, prepend=-1))
    place = np.arange(len(results)) - (starts[sample] if len(results) else 0)
    placed = (sample < samples) & (place < classes) & (results["index"] == place)
    good = placed & (last == (place == classes - 1))
    got = np.zeros((samples, classes), np.int64)
    seen = np.zeros((samples, classes), bool)
    got[sample[good], place[good]] = results["logit"][good]
    seen[sample[good], place[good]] = True
    chosen = good & results["last"]
    return [
        _wrong_results(results, sample, np.flatnonzero(~good)),
        _differing(logits, got, seen),
        _wrong_winners(sample[chosen], results["winner"][chosen], logits),
    ]


def _wrong_winners(sample: NDArray[np.int64], got: NDArray[np.uint32], logits: NDArray[np.int64]) -> _Found:
    expected = np.argmax(logits, axis=1)[sample]
    wrong = np.flatnonzero(got != expected)
    if not len(wrong):
        return 0, None
    k = int(wrong[0])
    values = int(expected[k]), int(got[k])
    return len(wrong), Mismatch(int(sample[k]), WINNER, None, None, *values, "winner differs")


def _wrong_results(results: NDArray[np.void], sample: NDArray[np.int64], places: NDArray[np.int64]) -> _Found:
    if not len(places):
        return 0, None
    k = int(places[0])
    neuron, got = int(results["index"][k]), int(results["logit"][k])
    return len(places), Mismatch(int(sample[k]), LOGITS, neuron, None, None, got, "result beat out of place")


def _differing(logits: NDArray[np.int64], got: NDArray[np.int64], seen: NDArray[np.bool_]) -> _Found:
    wrong = (got != logits) | ~seen
    if not wrong.any():
        return 0, None
    sample, neuron = (int(k) for k in np.argwhere(wrong)[0])
    present = bool(seen[sample, neuron])
    value = int(got[sample, neuron]) if present else None
    reason = "logit differs" if present else "result beat missing"
    expected = int(logits[sample, neuron])
    return int(wrong.sum()), Mismatch(sample, LOGITS, neuron, None, expected, value, reason)


def _check(
    observation: Observation, levels: Mapping[str, NDArray[np.integer]], logits: NDArray[np.integer]
) -> None:
    if logits.shape != (observation.samples, observation.classes):
        wanted = (observation.samples, observation.classes)
        raise InputError(f"Golden logits must have the shape {wanted!r}, not {logits.shape!r}")
    for name, golden in levels.items():
        if name not in observation.events:
            raise InputError(f"Golden layer must be one of {sorted(observation.events)!r}, not {name!r}")
        if golden.ndim != 3 or len(golden) != observation.samples:
            shape = f"[{observation.samples}, steps, neurons]"
            raise InputError(f"Golden levels of {name!r} must have the shape {shape}, not {golden.shape!r}")
