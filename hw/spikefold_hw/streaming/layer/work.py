"""The work of a layer: its windows are gathered, its lanes take digits, its sums are drained."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.lanes import DRAIN_STAGES, RELEASE_LATENCY, accumulate_latency
from spikefold_hw.streaming.drain.clock import state_latency
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.pace import Pace, Work
from spikefold_hw.streaming.times import Levels
from spikefold_hw.streaming.window.clock import TapTimes, window_digits


class LayerWork(Work):
    """Counts of digits, taps and events of a layer."""

    def __init__(self, layer: LayerShape, levels: Levels):
        self._layer = layer
        self._levels = levels
        self._samples = len(levels[layer.projections[0].source])

    def pace(self, lanes: int = 1, units: int = 1) -> Pace:
        layer, group_channels = self._layer, self._layer.blocks.group_channels
        lanes = min(lanes, group_channels)
        digits, flushes = self._digits, len(layer.projections)
        blocks = -(-group_channels // lanes)
        # Holding registers take the next sums only when they are empty.
        wait = accumulate_latency(layer.lanes_shape) - DRAIN_STAGES + RELEASE_LATENCY - 1
        short = (group_channels - 1) % lanes + 1
        held = (blocks - 1) * np.maximum(digits + flushes, lanes // units + wait)
        held += np.maximum(digits + flushes, short // units + wait)
        busy = blocks * (digits + flushes).sum(axis=1)
        drained = np.maximum(self._drained(units), held.sum(axis=1) * (held.sum(axis=1) > busy))
        return Pace.of(self._samples, lanes=busy, drain=drained, gather=self._gathered)

    @cached_property
    def _digits(self) -> Integers:
        """Digits of all windows together, (currents, groups)."""
        layer, groups = self._layer, self._layer.blocks.groups
        total = np.zeros((1, groups), np.int64)
        for projection in layer.projections:
            window = projection.window
            found = np.array(
                window_digits(self._levels[window.source], window, projection.coding, layer.time)
            )
            total = total + found.reshape(-1, window.groups).repeat(groups // window.groups, axis=1)
        return total

    @cached_property
    def _gathered(self) -> Integers:
        """Cycles of gathering the windows of a current, those of the slowest source, (currents,)."""
        slowest = np.zeros(len(self._digits), np.int64)
        for window in self._layer.windows:
            if window.depth:
                taps = TapTimes.of(self._levels[window.source], window, self._layer.time)
                found = np.array(taps.total).reshape(-1, window.groups) + 1
                slowest = np.maximum(slowest, found.sum(axis=1))
        return slowest

    @cached_property
    def _fires(self) -> NDArray[np.bool_]:
        """Which neurons send an event, (cells, channels)."""
        layer = self._layer
        return layer.time.in_cells(self._levels[layer.name], layer.map) > 0

    def _drained(self, units: int) -> Integers:
        """Cycles of draining the sums of a current, once for every time step it serves, (currents,)."""
        layer, currents = self._layer, len(self._digits)
        words, steps = layer.channels // units, layer.time.steps
        if layer.neuron is None:
            # The logits of a sample leave one by one in its last step.
            cells = np.tile([words] * (steps - 1) + [layer.channels], self._samples)
        else:
            events = self._fires.reshape(-1, words, units).sum(axis=2)
            cells = np.maximum(events, 1).sum(axis=1)
        if steps > 1 and (layer.time.order == "position_major" or layer.map.positions == 1):
            # A membrane is read again when it has been written.
            cells = np.maximum(cells, state_latency(layer.drain_shape))
        drained: Integers = cells.reshape(currents, layer.repeats).sum(axis=1)
        return drained
