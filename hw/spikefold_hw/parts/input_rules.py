"""The rules that a host keeps when it sends samples, and what becomes of a sample that breaks them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from spikefold_hw.streams import EventStream

CAUSES: Mapping[str, str] = {
    "index": "an index that is not below the number of channels",
    "order": "an index that is not above the one before it in the same position",
    "level": "a level above the largest, or level 0 without end_position",
    "marks": "end_position, end_step or end_sample where positions and time steps do not have it, or lack it",
}
"""What a host can do wrong, by the name of the counter. Ascending indices bound the events of a position."""


@dataclass(frozen=True)
class Beat:
    """A beat of the input stream."""

    index: int
    level: int
    end_position: bool = False
    end_step: bool = False
    end_sample: bool = False
    tag: int = 0


@dataclass(frozen=True)
class Admitted:
    """What becomes of one sample that a host sent.

    Attributes
    ----------
    beats
        What the network gets.
    causes
        What was wrong with the first wrong beat; none of a good sample.
    tag
        Of its last beat.
    """

    beats: tuple[Beat, ...]
    causes: tuple[str, ...]
    tag: int


def admit(events: EventStream, beats: Iterable[Beat]) -> Iterator[Admitted]:
    """What becomes of each sample of a stream; beats behind the last `end_sample` give none.

    At the first wrong beat of a sample the rest is discarded up to its `end_sample`; then the positions that
    are missing follow as bare marks.
    """
    sample: list[Beat] = []
    for beat in beats:
        sample.append(beat)
        if beat.end_sample:
            yield _admit(events, sample)
            sample = []


def _admit(events: EventStream, sample: list[Beat]) -> Admitted:
    positions, steps = events.map.positions, events.time.steps
    _, position = events.time.places(positions)
    ends = [(bool(p == positions - 1), k == positions * steps - 1) for k, p in enumerate(position)]
    good: list[Beat] = []
    cell, above = 0, -1
    causes: tuple[str, ...] = ()
    for beat in sample:
        flags = ends[cell] if beat.end_position else (False, False)
        broken = {
            "index": beat.level > 0 and beat.index >= events.map.channels,
            "order": beat.level > 0 and beat.index <= above,
            "level": beat.level > events.levels or not (beat.level or beat.end_position),
            "marks": (beat.end_step, beat.end_sample) != flags,
        }
        causes = tuple(cause for cause in CAUSES if broken[cause])
        if causes:
            break
        good.append(beat)
        above = -1 if beat.end_position else max(above, beat.index if beat.level else -1)
        cell += beat.end_position
    good += [Beat(0, 0, True, *flags) for flags in ends[cell:]]
    return Admitted(tuple(good), causes, sample[-1].tag)
