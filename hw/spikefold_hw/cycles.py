"""The exact cycle model: when every cell, block and result happens, from counts of events and digits.

A max-plus recursion over the cells of every stage. It is exact for a source that is always valid and
a sink that is always ready; `docs/architecture.md` derives it. Times are clock cycles; the time of a
transfer is the cycle of its handshake.
"""

from dataclasses import dataclass

import numpy as np

from spikefold.ir.coding import digits_of
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import (
    LayerProfile,
    Profile,
    StageProfile,
    WindowProfile,
    buffers_of,
    scans_of,
)
from spikefold_hw.accumulate import accumulate_latency
from spikefold_hw.drain_clock import unit_latency
from spikefold_hw.stage_times import Levels, network_times
from spikefold_hw.window import window_latency


@dataclass(frozen=True)
class LayerCycles:
    """Work of one layer: cycles its lanes were issuing or draining, digits they took, adds of all lanes."""

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


def predict(profile: Profile, levels: Levels) -> Cycles:
    """Predict the timing of samples that follow each other without a pause.

    Parameters
    ----------
    levels
        Levels of the input, shape (samples, presented steps, *shape), and of every stage but the
        readout, shape (samples, T, *shape), by source name: the golden model's record.
    """
    first, layers = network_times(profile, levels)
    return Cycles(
        np.array(first.starts),
        np.array(layers[-1].results),
        tuple(LayerCycles(s.profile.name, s.profile.lanes, s.busy, s.digits, s.adds) for s in layers),
    )


def latencies(profile: Profile) -> dict[str, dict[str, int]]:
    """Latency in cycles of every datapath, by layer: windows, lanes, and neuron unit or readout."""
    return {layer.name: _latencies(layer, profile) for layer in profile.layers}


def _latencies(layer: LayerProfile, profile: Profile) -> dict[str, int]:
    return {
        "window": max(map(window_latency, layer.windows)),
        "accumulate": accumulate_latency(layer),
        "neuron" if layer.neuron else "readout": unit_latency(layer, profile.steps),
    }


def longest_silence(profile: Profile) -> int:
    """Upper bound of the cycles between two beats anywhere: what all stages need for one position at worst.

    All neurons fire the costliest level.
    """
    return sum(_longest_cell(stage) for stage in profile.stages) * profile.steps


def trailing_silence(profile: Profile) -> int:
    """Upper bound of the cycles between two beats after the last result; 0 if nothing comes then.

    Something does where a stage's last position is one that no window reads.
    """
    read = {buffer.source for stage in profile.stages for buffer in buffers_of(stage)}
    for scan in (scan for stage in profile.stages for scan in scans_of(stage)):
        if scan.window.needed.max() == scan.map.positions - 1:
            read.add(scan.source)
    return 0 if read >= set(profile.sources) else max(map(_longest_cell, profile.stages))


def _longest_cell(stage: StageProfile) -> int:
    overhead = 64 + 2 * stage.map.channels
    scans = sum(2 * (scan.inputs + scan.kernel[0] * scan.kernel[1]) for scan in scans_of(stage))
    if not isinstance(stage, LayerProfile):
        return overhead + scans
    digits = sum(layer_window.inputs * _most_digits(layer_window) for layer_window in stage.windows)
    return overhead + scans + stage.blocks * (digits + stage.lanes + 8)


def _most_digits(window: WindowProfile) -> int:
    return max(len(digits_of(level, window.coding)) for level in range(1, window.levels + 1))
