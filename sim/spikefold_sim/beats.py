"""Levels to beats of an event stream and back, and what each beat of a stream must be.

A sample is a fixed number of cells, one for each position and time step, and every cell ends with a mark.
So the marks alone say where a beat belongs, and everything else a beat holds can be checked.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikefold.errors import InputError
from spikefold.flow.ports import BEAT
from spikefold.ir.maps import Map
from spikefold_hw.order import Time

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class StreamShape:
    """What an event stream carries for each sample.

    Parameters
    ----------
    map
        Channels, and the positions they come at, row by row.
    time
        Time steps, and the order of the cells.

    Raises
    ------
    InputError
        Something of this is missing.
    """

    map: Map
    time: Time

    def __post_init__(self) -> None:
        if min(*self.map, self.steps) < 1:
            raise InputError(f"Stream must have channels, positions and steps, not {self!r}")

    @property
    def steps(self) -> int:
        """Time steps."""
        return self.time.steps

    @property
    def cells(self) -> int:
        """Cells of a sample: one for each position and time step."""
        return self.map.positions * self.steps

    @property
    def levels_shape(self) -> tuple[int, int, int, int]:
        """A sample's levels as (steps, channels, height, width)."""
        return (self.steps, *self.map)

    def places(self) -> tuple[Integers, Integers]:
        """Time step and position of each cell, in the order of the stream, both of shape (cells,)."""
        return self.time.places(self.map.positions)


def encode_beats(levels: ArrayLike, shape: StreamShape) -> NDArray[np.void]:
    """Beats that carry `levels`.

    Zeros are not sent. The mark of a cell rides on its last event, or is a bare mark (index 0, level 0)
    where the cell has no event.

    Parameters
    ----------
    levels
        Non-negative integers of shape (samples, steps, channels, height, width). With one step they are
        sent again in every step of the stream. With one position the axes after the steps may be any, and
        are numbered in order.
    shape
        The stream.

    Returns
    -------
    Array of `ports.BEAT`, sample by sample, cell by cell, index ascending.

    Raises
    ------
    InputError
        Wrong shape, not integers, or a negative level.
    """
    cells = _by_cell(split_levels("Levels", levels, shape, (1, shape.steps)), shape)
    row, index = np.nonzero(cells)
    events = np.bincount(row, minlength=len(cells))
    marks = np.cumsum(np.maximum(events, 1)) - 1
    beats = np.zeros(marks[-1] + 1 if len(marks) else 0, BEAT)
    place = np.arange(len(row)) + np.cumsum(events == 0)[row]
    beats["index"][place] = index
    beats["level"][place] = cells[row, index]
    beats["end_position"][marks] = True
    end_step, end_sample = _ends(shape)
    beats["end_step"][marks] = np.tile(end_step, len(cells) // shape.cells)
    beats["end_sample"][marks] = np.tile(end_sample, len(cells) // shape.cells)
    return beats


def decode_beats(beats: NDArray[np.void], shape: StreamShape) -> Integers:
    """Levels (samples, steps, channels, height, width) of a well-formed event stream.

    Accepts the mark on the last event or as a bare mark after it.

    Raises
    ------
    InputError
        The stream breaks the contract.
    """
    found = locate(beats, shape)
    samples = int(beats["end_sample"].sum())
    faults = {**found.faults, "surplus beat": found.sample >= samples}
    for reason, wrong in faults.items():
        if wrong.any():
            place = int(np.argmax(wrong))
            raise InputError(f"Event stream must keep its contract, not break it at beat {place} ({reason})")
    levels = np.zeros((samples, *shape.levels_shape), np.int64)
    levels.reshape(-1)[found.slot[found.event]] = beats["level"][found.event]
    return levels


@dataclass(frozen=True)
class Located:
    """Where the beats of a stream belong, counted from the end flags before them; all of shape (beats,).

    Attributes
    ----------
    sample, cell
        Sample, and cell within the sample.
    slot
        Place in an array (samples, steps, channels, height, width), of the beats in `event`.
    event
        Which carry a level of a channel and a cell that exist.
    faults
        Which break the contract of a stream, by the reason. The index of a bare mark may be any.
    """

    sample: Integers
    cell: Integers
    slot: Integers
    event: Flags
    faults: dict[str, Flags]


def locate(beats: NDArray[np.void], shape: StreamShape) -> Located:
    """Find out where every beat belongs and whether it keeps the contract of the stream."""
    sample, marks = _count_before(beats["end_sample"]), _count_before(beats["end_position"])
    starts = np.flatnonzero(np.diff(sample, prepend=-1))
    cell = marks - marks[starts][sample] if len(beats) else marks
    known = np.minimum(cell, shape.cells - 1)
    step, position = (place[known] for place in shape.places())
    surplus, outside = cell >= shape.cells, beats["index"] >= shape.map.channels
    event = beats["level"] > 0
    row = (sample * shape.steps + step) * shape.map.channels + beats["index"]
    faults = {
        "cell too many": surplus,
        "wrong end flags": _wrong_flags(beats, known, shape) & ~surplus,
        "neither event nor mark": ~event & ~beats["end_position"],
        "channel out of range": event & outside,
        "channels must ascend": event & _descends(beats),
    }
    slot = row * shape.map.positions + position
    return Located(sample, cell, slot, event & ~surplus & ~outside, faults)


def split_levels(
    subject: str, levels: ArrayLike, shape: StreamShape, steps: Collection[int]
) -> NDArray[np.integer]:
    """Levels as (samples, steps, channels, positions), a view.

    Parameters
    ----------
    subject
        What an error speaks of.
    levels
        As for `encode_beats`.
    shape
        The stream.
    steps
        How many time steps there may be.

    Raises
    ------
    InputError
        As for `encode_beats`.
    """
    array = np.asarray(levels)
    channels, positions = shape.map.channels, shape.map.positions
    axes = array.shape[2:]
    fits = axes == tuple(shape.map) if positions > 1 else math.prod(axes) == channels
    if array.ndim < 3 or array.shape[1] not in steps or not fits:
        wanted = ", ".join(map(str, shape.map if positions > 1 else (channels,)))
        counts = " or ".join(map(str, sorted(set(steps))))
        raise InputError(f"{subject} must have the shape (samples, {counts}, {wanted}), not {array.shape!r}")
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{subject} must be integers, not {array.dtype.name!r}")
    if array.size and array.min() < 0:
        raise InputError(f"{subject} must not be negative, not {int(array.min())!r}")
    return array.reshape(*array.shape[:2], channels, positions)


def _by_cell(levels: NDArray[np.integer], shape: StreamShape) -> NDArray[np.integer]:
    """Levels (samples, 1 or T, channels, positions) in the order of the stream, (cells, channels)."""
    presented = np.broadcast_to(levels, (len(levels), shape.steps, *levels.shape[2:]))
    return shape.time.in_order(presented.swapaxes(2, 3))


def _ends(shape: StreamShape) -> tuple[Flags, Flags]:
    """Which cells' marks end a step and a sample, both of shape (cells,)."""
    _, position = shape.places()
    return position == shape.map.positions - 1, np.arange(shape.cells) == shape.cells - 1


def _wrong_flags(beats: NDArray[np.void], cell: Integers, shape: StreamShape) -> Flags:
    mark = beats["end_position"]
    end_step, end_sample = (mark & ends[cell] for ends in _ends(shape))
    wrong: Flags = (beats["end_step"] != end_step) | (beats["end_sample"] != end_sample)
    return wrong


def _descends(beats: NDArray[np.void]) -> Flags:
    """Beats whose index is not above that of the beat before in the same cell."""
    descends = np.zeros(len(beats), np.bool_)
    descends[1:] = ~beats["end_position"][:-1] & (beats["index"][1:] <= beats["index"][:-1])
    return descends


def _count_before(flags: Flags) -> Integers:
    return np.cumsum(flags, dtype=np.int64) - flags
