"""How many cycles a sample every stage needs by itself, from counts of digits and events.

The pace of a design is that of its slowest stage; the exact model in `spikefold_hw.cycles` adds what stages
wait for each other. All counts are taken once; asking for other lanes costs no more than a few sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spikefold.balance.calibrate import Levels
from spikefold.ir.network import INPUT
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import AddProfile, LayerProfile, PoolProfile, Profile, StageProfile
from spikefold_hw.accumulate import accumulate_latency
from spikefold_hw.neuron import ladder_latency
from spikefold_hw.readout import logit_latency
from spikefold_hw.stage_times import in_cells, presented
from spikefold_hw.window_clock import TapTimes, window_digits


@dataclass(frozen=True)
class Pace:
    """Mean cycles a sample of one stage.

    Attributes
    ----------
    cycles
        All together: of each cell what takes longest, as one cell is overlapped by the next.
    parts
        Cycles by what takes them: "lanes" (digits and flushes), "drain" (words of sums, and events sent one
        per cycle), "gather" (taps and events under the windows), "scan" (channels of a pool or sum) or
        "input" (beats).
    """

    cycles: float
    parts: Mapping[str, float]

    @property
    def bound(self) -> str:
        """What takes most of the cycles."""
        return max(self.parts, key=self.parts.__getitem__)


class Work:
    """The work of a stage on calibration data."""

    def __init__(self, profile: Profile, stage: StageProfile, levels: Levels):
        self._profile = profile
        self._stage = stage
        self._levels = {name: presented(profile, name, values) for name, values in levels.items()}
        self._samples = len(levels[INPUT])

    def pace(self, lanes: int = 1, drain: int = 1) -> Pace:
        """What the stage needs with so many lanes, and neurons drained per cycle; a pool has neither."""
        raise NotImplementedError

    def _pace(self, **parts: Integers) -> Pace:
        """Pace of a stage whose parts work on different cells at once; cycles of every cell by part."""
        slowest = np.maximum.reduce(list(parts.values()))
        means = {name: float(cycles.sum()) / self._samples for name, cycles in parts.items()}
        return Pace(float(slowest.sum()) / self._samples, means)


class LayerWork(Work):
    """A layer: its windows are gathered, its lanes take digits, its sums are drained."""

    _stage: LayerProfile

    def pace(self, lanes: int = 1, drain: int = 1) -> Pace:
        layer = self._stage
        lanes = min(lanes, layer.group_channels)
        digits, flushes = self._digits, len(layer.windows)
        blocks = -(-layer.group_channels // lanes)
        # Holding registers take the next sums only when they are empty.
        wait = accumulate_latency(layer) - 1
        short = (layer.group_channels - 1) % lanes + 1
        held = (blocks - 1) * np.maximum(digits + flushes, lanes // drain + wait)
        held += np.maximum(digits + flushes, short // drain + wait)
        busy = blocks * (digits + flushes).sum(axis=1)
        drained = np.maximum(self._drained(drain), held.sum(axis=1) * (held.sum(axis=1) > busy))
        return self._pace(lanes=busy, drain=drained, gather=self._gathered)

    @cached_property
    def _digits(self) -> Integers:
        """Digits of all windows together, (currents, groups)."""
        layer, order = self._stage, self._profile.order
        total = np.zeros((1, layer.groups), np.int64)
        for window in layer.windows:
            scan = window.scan
            found = np.array(window_digits(self._levels[scan.source], scan, window.coding, order))
            total = total + found.reshape(-1, scan.groups).repeat(layer.groups // scan.groups, axis=1)
        return total

    @cached_property
    def _gathered(self) -> Integers:
        """Cycles of gathering the windows of a current, those of the slowest source, (currents,)."""
        slowest = np.zeros(len(self._digits), np.int64)
        for window in self._stage.windows:
            scan = window.scan
            if scan.depth:
                taps = TapTimes.of(self._levels[scan.source], scan, self._profile.order)
                found = np.array(taps.total).reshape(-1, scan.groups) + 1
                slowest = np.maximum(slowest, found.sum(axis=1))
        return slowest

    @cached_property
    def _fires(self) -> Integers:
        """Which neurons send an event, (cells, channels)."""
        return in_cells(self._levels[self._stage.name], self._stage.map, self._profile.order) > 0

    def _drained(self, drain: int) -> Integers:
        """Cycles of draining the sums of a current, once for every time step it serves, (currents,)."""
        layer, currents = self._stage, len(self._digits)
        words, steps = layer.channels // drain, self._profile.steps
        if layer.neuron is None:
            # The logits of a sample leave one by one in its last step.
            cells = np.tile([words] * (steps - 1) + [layer.channels], self._samples)
        else:
            events = self._fires.reshape(-1, words, drain).sum(axis=2)
            cells = np.maximum(events, 1).sum(axis=1)
        if steps > 1 and (self._profile.order == "innermost" or layer.map.positions == 1):
            # A membrane is read again when it has been written.
            cells = np.maximum(cells, _membrane_latency(layer, steps))
        return cells.reshape(currents, layer.repeats).sum(axis=1)


def _membrane_latency(layer: LayerProfile, steps: int) -> int:
    """Cycles from a word's entry into the unit to that of the same word a time step later, at least."""
    return logit_latency(layer, steps) + 1 if layer.neuron is None else ladder_latency(layer, steps) + 2


class PoolWork(Work):
    """A pool: its windows are gathered, and its channels sent."""

    _stage: PoolProfile

    def pace(self, lanes: int = 1, drain: int = 1) -> Pace:
        scan = self._stage.scan
        taps = TapTimes.of(self._levels[scan.source], scan, self._profile.order)
        gathered = np.array(taps.total) + 1
        return self._pace(gather=gathered, scan=np.full(len(gathered), scan.map.channels))


class AddWork(Work):
    """A sum: its channels are sent."""

    _stage: AddProfile

    def pace(self, lanes: int = 1, drain: int = 1) -> Pace:
        cells = self._samples * self._profile.steps * self._stage.map.positions
        return self._pace(scan=np.full(cells, self._stage.map.channels))


_KINDS: dict[type, type[Work]] = {LayerProfile: LayerWork, PoolProfile: PoolWork, AddProfile: AddWork}


def work_of(profile: Profile, levels: Levels) -> dict[str, Work]:
    """The work of every stage by name."""
    return {stage.name: _KINDS[type(stage)](profile, stage, levels) for stage in profile.stages}


def input_pace(profile: Profile, levels: Levels) -> Pace:
    """What the input stream needs: a beat per event, and one for a cell without any."""
    cells = in_cells(presented(profile, INPUT, levels[INPUT]), profile.input.map, profile.order)
    cycles = float(np.maximum((cells > 0).sum(axis=1), 1).sum()) / len(levels[INPUT])
    return Pace(cycles, {"input": cycles})
