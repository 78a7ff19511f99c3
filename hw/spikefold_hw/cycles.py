"""The exact cycle model: when every block, event and result happens, from counts of digits alone.

A max-plus recursion over time steps and blocks. It is exact for a source that is always valid and
a sink that is always ready; `docs/architecture.md` derives it. Times are clock cycles; the time of
a transfer is the cycle of its handshake.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.coding import digit_count, digits_of
from spikefold.ir.network import INPUT
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import LayerProfile, Profile, WindowProfile
from spikefold_hw.accumulate import AccumulateCore
from spikefold_hw.neuron import neuron_latency
from spikefold_hw.readout import readout_latency
from spikefold_hw.window import DenseWindow, EventBuffer

_NEVER = -(1 << 60)


@dataclass(frozen=True)
class LayerCycles:
    """Work of one layer: cycles its window was issuing or waiting, and digits it issued per lane."""

    name: str
    lanes: int
    busy: int
    digits: int
    adds: int

    @property
    def lane_use(self) -> float:
        """Lane-adds issued (zero weights counted) over lane-cycles of its busy time."""
        return self.adds / (self.lanes * self.busy) if self.busy else 0.0


@dataclass(frozen=True)
class Cycles:
    """Timing of a run of samples at full load.

    Attributes
    ----------
    starts, results
        Cycle of each sample's first input beat and of its last result beat, the very first input
        beat being cycle 0; shape (samples,).
    layers
        Work per layer, in order.
    """

    starts: Integers
    results: Integers
    layers: tuple[LayerCycles, ...]

    @property
    def total(self) -> int:
        """Cycles from the first input beat to the last result beat, both counted."""
        return int(self.results[-1]) + 1

    @property
    def interval(self) -> float:
        """Mean cycles between two results."""
        if len(self.results) == 1:
            return float(self.total)
        return float(self.results[-1] - self.results[0]) / (len(self.results) - 1)

    @property
    def latency(self) -> int:
        """Cycles of the first sample alone, from its first input beat to its result, both counted."""
        return int(self.results[0] - self.starts[0]) + 1

    @property
    def busiest(self) -> LayerCycles:
        """The layer that sets the pace."""
        return max(self.layers, key=lambda layer: layer.busy)


@dataclass(frozen=True)
class _Traffic:
    """Per sample and presented step: events, their digits, and the first neuron to send something."""

    events: list[list[int]]
    digits: list[list[int]]
    first: list[list[int]]

    @classmethod
    def of(cls, levels: NDArray[np.integer], window: WindowProfile) -> "_Traffic":
        counts = digit_count(levels.astype(np.int64), window.coding)
        fires = levels > 0
        some, size = fires.any(axis=2), levels.shape[2]
        return cls(
            events=fires.sum(axis=2).tolist(),
            digits=counts.sum(axis=2).tolist(),
            # A position without events sends a bare mark at its last neuron's turn.
            first=np.where(some, fires.argmax(axis=2), size - 1).tolist(),
        )


@dataclass
class _Freezes:
    """Cycles in which a rigid pipeline stands still, as intervals [start, end) in order."""

    intervals: list[tuple[int, int]] = field(default_factory=list)

    def add(self, start: int, end: int) -> None:
        self.intervals = [*self.intervals[-3:], (start, end)]

    def next(self, cycle: int) -> int:
        """The first cycle from `cycle` on in which the pipeline moves."""
        for start, end in self.intervals:
            if start <= cycle < end:
                cycle = end
        return cycle

    def after(self, cycle: int, moves: int) -> int:
        """The cycle of the `moves`-th move after the one at `cycle`."""
        goal = cycle + moves
        for start, end in self.intervals:
            if cycle < start <= goal:
                goal += end - start
        return goal


class _LayerClock:
    """Times of one layer, advanced by one time step at a time."""

    def __init__(self, profile: LayerProfile, steps: int):
        self.profile = profile
        self.steps = steps
        self.replays = profile.windows[0].replays
        self.done = _NEVER  # the lanes took the last flush
        self.drained = _NEVER  # the holding registers are free from here on
        self.entered = _NEVER  # the unit took its last sum
        self.released: list[int] = []  # per position: its bank became free
        self.freezes = _Freezes()
        self.busy = self.digits = 0
        self._last_channel_lanes = (profile.channels - 1) % profile.lanes + 1
        self.latency = _unit_latency(profile, steps)
        # With state to keep, the first channel waits until the last one of the step before is written.
        written = -1 if profile.neuron is None else 1
        self._hold_back = self.latency + written if steps > 1 else None

    def free(self, position: int) -> int:
        """First cycle in which an event of `position` is accepted."""
        return self.released[position - 2] + 1 if position >= 2 else _NEVER

    def step(self, mark: int | None, digits: int, replay: int, first: int, free: int) -> int:
        """Compute one time step; returns the cycle in which the last channel leaves.

        Parameters
        ----------
        mark
            Cycle of the position's mark, or None for another replay of the same position.
        digits
            Digits of the position.
        replay
            Which of the position's replays this is.
        first
            The first channel that sends an event (or the mark).
        free
            First cycle in which that event is accepted downstream.
        """
        profile = self.profile
        loaded = begin = self.done if mark is None else max(mark + EventBuffer.latency, self.done)
        for block in range(profile.blocks):
            width = profile.lanes if block < profile.blocks - 1 else self._last_channel_lanes
            loaded = (self.done if block else begin) + digits
            self.done = max(loaded + 1, self.drained)
            offset = block * profile.lanes
            self._drain(width, block == 0, first - offset if offset <= first < offset + width else None, free)
        if replay == self.replays - 1:
            self.released.append(loaded)
        self.busy += self.done - begin
        self.digits += digits * profile.blocks
        return self.freezes.after(self.entered, self.latency)

    def _drain(self, width: int, new_step: bool, first: int | None, free: int) -> None:
        """Pass a block's sums, flushed in cycle `done`, on to the unit."""
        moved = max(self.done + AccumulateCore.latency - 1, self.entered)
        enter = max(moved + 1, self.entered + 1)
        if new_step and self._hold_back is not None and self.entered > _NEVER:
            enter = max(enter, self.freezes.after(self.entered, self._hold_back) + 1)
        enter = self.freezes.next(enter)
        if first is not None:
            appears = self.freezes.after(self.freezes.after(enter, first), self.latency - 1) + 1
            if free > appears:
                self.freezes.add(appears, free)
        self.entered = self.freezes.after(enter, width - 1)
        self.drained = 1 + (moved if width == 1 else self.freezes.after(enter, width - 2))


def latencies(profile: Profile) -> dict[str, dict[str, int]]:
    """Latency in cycles of every datapath, by layer: window, lanes, and neuron unit or readout."""
    return {
        layer.name: {
            "window": DenseWindow.latency,
            "accumulate": AccumulateCore.latency,
            "neuron" if layer.neuron else "readout": _unit_latency(layer, profile.steps),
        }
        for layer in profile.layers
    }


def _unit_latency(layer: LayerProfile, steps: int) -> int:
    return readout_latency(steps) if layer.neuron is None else neuron_latency(layer, steps)


def longest_position(profile: Profile) -> int:
    """Upper bound of the cycles any layer spends on one position: all neurons firing the costliest level."""

    def of(layer: LayerProfile) -> int:
        (window,) = layer.windows
        digits = max(len(digits_of(level, window.coding)) for level in range(1, window.levels + 1))
        return layer.blocks * (window.inputs * digits + layer.lanes + AccumulateCore.latency + 1)

    return max(map(of, profile.layers))


def predict(profile: Profile, levels: Mapping[str, NDArray[np.integer]]) -> Cycles:
    """Predict the timing of samples that follow each other without a pause.

    Parameters
    ----------
    levels
        Levels of the input, shape (samples, presented steps, size), and of every spiking
        population, shape (samples, T, channels), by source name: the golden model's record.
    """
    clocks = [_LayerClock(layer, profile.steps) for layer in profile.layers]
    traffic = [_Traffic.of(levels[layer.windows[0].source], layer.windows[0]) for layer in profile.layers]
    samples = len(levels[INPUT])
    starts, results = [], []
    mark = _NEVER
    for sample in range(samples):
        for step in range(profile.steps):
            presented = 0 if profile.input_static else step
            arrived: int | None = None
            if step == 0 or not profile.input_static:
                position = sample * (1 if profile.input_static else profile.steps) + presented
                start = max(mark + 1, clocks[0].free(position), 0)
                mark = arrived = start + max(traffic[0].events[sample][presented], 1) - 1
                if step == 0:
                    starts.append(start)
            for k, clock in enumerate(clocks):
                row = presented if k == 0 else step
                source, last = traffic[k], k == len(clocks) - 1
                arrived = clock.step(
                    arrived,
                    source.digits[sample][row],
                    step if clock.replays > 1 else 0,
                    clock.profile.channels - 1 if last else traffic[k + 1].first[sample][step],
                    _NEVER if last else clocks[k + 1].free(sample * profile.steps + step),
                )
        results.append(arrived)
    return Cycles(
        np.array(starts),
        np.array(results),
        tuple(
            LayerCycles(
                c.profile.name,
                c.profile.lanes,
                c.busy,
                c.digits,
                c.digits // c.profile.blocks * c.profile.channels,
            )
            for c in clocks
        ),
    )
