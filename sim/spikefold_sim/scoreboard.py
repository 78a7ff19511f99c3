"""Comparing what a design did with what the golden model says. Pure numpy; finds, never raises, faults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold_sim.beats import Located, StreamShape, locate, split_levels
from spikefold_sim.observation import Observation

LOGITS, WINNER, ERROR, TAG = "logits", "winner", "error", "tag"
_PART_LEVELS = 1 << 22


@dataclass(frozen=True)
class Mismatch:
    """One difference.

    Attributes
    ----------
    sample
        Sample number; may be past the last one for surplus beats.
    layer
        Name of the stage, or "logits", "winner", "error" or "tag".
    channel
        Channel, or class of a logit; None where the whole sample or result is meant.
    step
        Time step; None for results, and past the end of a sample.
    expected, got
        Levels or logits; None where there should be, or is, nothing.
    reason
        What kind of difference.
    position
        (row, column); None where there is one position.
    """

    sample: int
    layer: str
    channel: int | None
    step: int | None
    expected: int | None
    got: int | None
    reason: str
    position: tuple[int, int] | None = None

    def __str__(self) -> str:
        place = [f"sample {self.sample}", f"layer {self.layer}"]
        place += [f"channel {self.channel}"] if self.channel is not None else []
        place += ["row {}, column {}".format(*self.position)] if self.position is not None else []
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
        The first in the order sample, layer (as the network runs), position and time step (as the stream
        runs), channel; None if equal.
    """

    samples: int
    mismatches: int
    first: Mismatch | None


@dataclass(frozen=True)
class _Found:
    """So many differences of one kind, and the first of them, in which cell of its sample."""

    count: int
    cell: int
    first: Mismatch


def compare(
    observation: Observation,
    levels: Mapping[str, NDArray[np.integer]],
    logits: NDArray[np.integer],
    shapes: Mapping[str, StreamShape],
) -> Comparison:
    """Hold an observation against golden levels and logits.

    Parameters
    ----------
    observation
        The run.
    levels
        For every probed stage, levels (samples, steps, channels, height, width), or (samples, steps,
        channels) where it has one position.
    logits
        (samples, classes).
    shapes
        The stream of every probed stage, `dut.shapes_of`; others are ignored.

    Raises
    ------
    InputError
        The golden arrays do not fit the observation.
    """
    golden = _checked(observation, levels, logits, shapes)
    found: list[tuple[int, _Found]] = []
    for order, (name, log) in enumerate(observation.events.items()):
        stage = _Stage(name, shapes[name])
        found += [(order, each) for each in stage.compare(log.beats, golden[name])]
    results = _compare_results(observation, np.asarray(logits).astype(np.int64))
    found += [(len(golden) + order, each) for order, each in enumerate(results)]
    ranked = [((f.first.sample, order, f.cell, f.first.channel or 0), f.first) for order, f in found]
    first = min(ranked, key=lambda pair: pair[0])[1] if ranked else None
    return Comparison(observation.samples, sum(each.count for _, each in found), first)


@dataclass(frozen=True)
class _Stage:
    """Compares the stream of one stage, part by part, which keeps the memory small."""

    name: str
    shape: StreamShape

    def compare(self, beats: NDArray[np.void], golden: NDArray[np.integer]) -> Iterator[_Found]:
        """`golden` has the shape (samples, steps, channels, positions)."""
        samples, shape = len(golden), self.shape
        ends = np.flatnonzero(beats["end_sample"])[:samples] + 1
        starts = np.full(samples + 1, len(beats))
        starts[: len(ends) + 1] = np.append(0, ends)
        part = max(1, _PART_LEVELS // (shape.cells * shape.map.channels))
        for first in range(0, samples, part):
            last = min(first + part, samples)
            yield from self._compare_part(beats[starts[first] : starts[last]], golden[first:last], first)
        if missing := samples - len(ends):
            sample = len(ends)
            mismatch = Mismatch(sample, self.name, None, None, None, None, "sample did not end")
            yield _Found(missing, shape.cells, mismatch)
        elif surplus := len(beats) - int(starts[samples]):
            index, level = (int(beats[field][starts[samples]]) for field in ("index", "level"))
            mismatch = Mismatch(samples, self.name, index, None, None, level, "surplus beat")
            yield _Found(surplus, 0, mismatch)

    def _compare_part(
        self, beats: NDArray[np.void], golden: NDArray[np.integer], first: int
    ) -> Iterator[_Found]:
        """Compare whole samples, number `first` and on."""
        found = locate(beats, self.shape)
        got = np.zeros(golden.shape, np.uint32)
        got.reshape(-1)[found.slot[found.event]] = beats["level"][found.event]
        if (wrong := got != golden).any():
            yield self._wrong_level(golden, got, wrong, first)
        for reason, wrong in found.faults.items():
            if wrong.any():
                yield self._wrong_beat(beats, golden, found, reason, first)

    def _wrong_level(
        self,
        golden: NDArray[np.integer],
        got: NDArray[np.uint32],
        wrong: NDArray[np.bool_],
        first: int,
    ) -> _Found:
        sample = int(np.argmax(wrong.any(axis=(1, 2, 3))))
        step, position = self.shape.places()
        cell, channel = divmod(
            int(np.argmax(wrong[sample].transpose(0, 2, 1)[step, position])), wrong.shape[2]
        )
        place = (sample, int(step[cell]), channel, int(position[cell]))
        mismatch = self._mismatch(place, first, int(golden[place]), int(got[place]), "level differs")
        return _Found(int(wrong.sum()), cell, mismatch)

    def _wrong_beat(
        self,
        beats: NDArray[np.void],
        golden: NDArray[np.integer],
        found: Located,
        reason: str,
        first: int,
    ) -> _Found:
        wrong = found.faults[reason]
        k = int(np.argmax(wrong))
        sample, cell = int(found.sample[k]), int(found.cell[k])
        channel, level = int(beats["index"][k]), int(beats["level"][k])
        if cell >= self.shape.cells:
            mismatch = Mismatch(first + sample, self.name, channel, None, None, level, reason)
            return _Found(int(wrong.sum()), cell, mismatch)
        step, position = (int(place[cell]) for place in self.shape.places())
        place = (sample, step, channel, position)
        expected = int(golden[place]) if channel < self.shape.map.channels else None
        mismatch = self._mismatch(place, first, expected, level, reason)
        return _Found(int(wrong.sum()), cell, mismatch)

    def _mismatch(
        self, place: tuple[int, int, int, int], first: int, expected: int | None, got: int, reason: str
    ) -> Mismatch:
        sample, step, channel, position = place
        where = divmod(position, self.shape.map.width) if self.shape.map.positions > 1 else None
        return Mismatch(first + sample, self.name, channel, step, expected, got, reason, where)


def _compare_results(observation: Observation, logits: NDArray[np.int64]) -> Iterator[_Found]:
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
    yield from _wrong_results(results, sample, np.flatnonzero(~good))
    yield from _differing(logits, got, seen)
    yield from _wrong_fields(WINNER, sample[chosen], results["winner"][chosen], np.argmax(logits, axis=1))
    yield from _wrong_fields(ERROR, sample[good], results["error"][good], np.zeros(samples, int))
    yield from _wrong_fields(TAG, sample[good], results["tag"][good], observation.tags)


def _wrong_fields(
    name: str, sample: NDArray[np.int64], got: NDArray[np.generic], wanted: NDArray[np.integer]
) -> Iterator[_Found]:
    """What belongs to a whole sample; `wanted` has the shape (samples,)."""
    wrong = np.flatnonzero(got != wanted[sample])
    if not len(wrong):
        return
    k = int(wrong[0])
    values = int(wanted[sample[k]]), int(got[k])
    yield _Found(len(wrong), 0, Mismatch(int(sample[k]), name, None, None, *values, f"{name} differs"))


def _wrong_results(
    results: NDArray[np.void], sample: NDArray[np.int64], places: NDArray[np.int64]
) -> Iterator[_Found]:
    if not len(places):
        return
    k = int(places[0])
    label, got = int(results["index"][k]), int(results["logit"][k])
    mismatch = Mismatch(int(sample[k]), LOGITS, label, None, None, got, "result beat out of place")
    yield _Found(len(places), 0, mismatch)


def _differing(
    logits: NDArray[np.int64], got: NDArray[np.int64], seen: NDArray[np.bool_]
) -> Iterator[_Found]:
    wrong = (got != logits) | ~seen
    if not wrong.any():
        return
    sample, label = (int(k) for k in np.argwhere(wrong)[0])
    present = bool(seen[sample, label])
    value = int(got[sample, label]) if present else None
    reason = "logit differs" if present else "result beat missing"
    expected = int(logits[sample, label])
    yield _Found(int(wrong.sum()), 0, Mismatch(sample, LOGITS, label, None, expected, value, reason))


def _checked(
    observation: Observation,
    levels: Mapping[str, NDArray[np.integer]],
    logits: NDArray[np.integer],
    shapes: Mapping[str, StreamShape],
) -> dict[str, NDArray[np.integer]]:
    """Golden levels of every probed stage as (samples, steps, channels, positions)."""
    wanted = (observation.samples, observation.classes)
    if logits.shape != wanted:
        raise InputError(f"Golden logits must have the shape {wanted!r}, not {logits.shape!r}")
    names = sorted(observation.events)
    if sorted(levels) != names:
        raise InputError(f"Golden levels must be those of {names!r}, not of {sorted(levels)!r}")
    if missing := [name for name in names if name not in shapes]:
        raise InputError(f"Stream shapes must hold every probed stage, not lack {missing!r}")
    golden = {}
    for name, array in levels.items():
        subject, shape = f"Golden levels of {name!r}", shapes[name]
        golden[name] = split_levels(subject, array, shape, (shape.steps,))
        if len(array) != observation.samples:
            raise InputError(f"{subject} must be of {observation.samples} samples, not {len(array)}")
    return golden
