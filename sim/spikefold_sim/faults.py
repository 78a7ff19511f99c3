"""Broken samples: everything that a careless host, or a damaged link, does to a stream of events."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spikefold.flow.ports import BEAT, EventFormat

Beats = NDArray[np.void]
Damage = Callable[[Beats, np.random.Generator, EventFormat], Beats]

MOST_GARBAGE = 60
"""Beats of a sample of garbage at most."""


def _any(beats: Beats, rng: np.random.Generator) -> int:
    return int(rng.integers(len(beats)))


def _lost_beat(beats: Beats, rng: np.random.Generator, _: EventFormat) -> Beats:
    return np.delete(beats, _any(beats, rng))


def _repeated_beat(beats: Beats, rng: np.random.Generator, _: EventFormat) -> Beats:
    place = _any(beats, rng)
    return np.insert(beats, place, beats[place])


def _flipped(flag: str, wanted: bool) -> Damage:
    """Clear (`wanted`) or set a flag where it is set, or is not."""

    def damage(beats: Beats, rng: np.random.Generator, _: EventFormat) -> Beats:
        places = np.flatnonzero(beats[flag] == wanted)
        if len(places):
            beats[flag][rng.choice(places)] = not wanted
        return beats

    return damage


def _any_value(field: str) -> Damage:
    """Any value of the field's width."""

    def damage(beats: Beats, rng: np.random.Generator, events: EventFormat) -> Beats:
        beats[field][_any(beats, rng)] = rng.integers(1 << dict(events.fields).get(field, 0))
        return beats

    return damage


def _swapped(beats: Beats, rng: np.random.Generator, _: EventFormat) -> Beats:
    pair = rng.integers(len(beats), size=2)
    beats[pair] = beats[pair[::-1]]
    return beats


def _cut(beats: Beats, rng: np.random.Generator, _: EventFormat) -> Beats:
    """The host gives up, and closes the sample with its next beat."""
    return np.append(beats[: _any(beats, rng)], beats[-1:])


def _joined(beats: Beats, rng: np.random.Generator, _: EventFormat) -> Beats:
    """More of the same positions: as if two samples met."""
    beats["end_sample"] = False
    beats = np.concatenate([beats, beats[: 1 + _any(beats, rng)]])
    beats["end_sample"][-1] = True
    return beats


def _garbage(beats: Beats, rng: np.random.Generator, events: EventFormat) -> Beats:
    noise = np.zeros(int(rng.integers(1, MOST_GARBAGE)), BEAT)
    for field, width in events.fields:
        noise[field] = rng.integers(1 << width, size=len(noise))
    noise["end_sample"] &= rng.random(len(noise)) < 0.1
    return noise


FAULTS: dict[str, Damage] = {
    "lost beat": _lost_beat,
    "repeated beat": _repeated_beat,
    "lost end_position": _flipped("end_position", True),
    "extra end_position": _flipped("end_position", False),
    "lost end_step": _flipped("end_step", True),
    "extra end_step": _flipped("end_step", False),
    "lost end_sample": _flipped("end_sample", True),
    "extra end_sample": _flipped("end_sample", False),
    "any index": _any_value("index"),
    "any level": _any_value("level"),
    "swapped beats": _swapped,
    "cut short": _cut,
    "joined samples": _joined,
    "garbage": _garbage,
}
"""Ways to break a sample, by name. One may leave it whole: a level may get its own value."""


def with_faults(
    beats: Beats, events: EventFormat, share: float, rng: np.random.Generator
) -> tuple[Beats, dict[str, int]]:
    """Break some samples of a stream, each in one way; the last stays whole.

    Parameters
    ----------
    beats
        Array of `ports.BEAT`, whole samples.
    events
        Widths of the stream.
    share
        Chance of each sample to be broken.

    Returns
    -------
    The stream, and how many samples were broken in each of `FAULTS`.
    """
    frames = np.split(beats, np.flatnonzero(beats["end_sample"])[:-1] + 1)
    counts = dict.fromkeys(FAULTS, 0)
    for k, frame in enumerate(frames[:-1]):
        if rng.random() < share:
            fault = str(rng.choice(list(FAULTS)))
            counts[fault] += 1
            frames[k] = FAULTS[fault](frame.copy(), rng, events)
    return np.concatenate(frames), counts


def damaged_loads(frame: bytes, rng: np.random.Generator) -> bytes:
    """Frames as a careless host sends them: some damaged, then good ones, the later ones while samples come.

    Parameters
    ----------
    frame
        A good frame.
    """
    sent = bytearray()
    for _ in range(rng.integers(1, 4)):
        broken = bytearray(frame)
        place = int(rng.integers(len(frame)))
        kind = rng.integers(4)
        if kind == 0:
            broken[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del broken[place]
        elif kind == 2:
            broken.insert(place, int(rng.integers(256)))
        else:
            broken = bytearray(rng.bytes(int(rng.integers(1, 50))))
        sent += broken
    return bytes(sent) + 3 * frame
