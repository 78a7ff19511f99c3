"""The exact cycle model: when every cell, block and result happens, from counts of events and digits.

A max-plus recursion over the cells of every stage. It is exact for a source that is always valid and
a sink that is always ready; `docs/architecture.md` derives it. Times are clock cycles; the time of a
transfer is the cycle of its handshake.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.stages import INPUT
from spikefold_hw.cycles import Cycles
from spikefold_hw.streaming.outside import input_latency
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.times import InputTimes, Stream, run


def predict(plan: Plan, levels: Mapping[str, NDArray[np.integer]]) -> Cycles:
    """Predict the timing of samples that follow each other without a pause.

    Parameters
    ----------
    levels
        Levels of the input, shape (samples, presented steps, *shape), and of every stage but the
        readout, shape (samples, T, *shape), by source name: the golden model's record.
    """
    levels = {name: plan.presented(name, values) for name, values in levels.items()}
    streams = {name: Stream() for name in (*plan.sources, plan.stages[-1].name)}
    first, time = plan.input, plan.input.time
    cells = time.in_cells(levels[INPUT], first.map)
    source = InputTimes(cells, first.map.positions * time.steps, streams[INPUT], input_latency(plan))
    stages = [stage.times(levels, streams) for stage in plan.stages]
    run([source, *stages])
    marks = streams[plan.stages[-1].name].marks
    lanes = tuple(stage.lanes for stage in stages if stage.lanes is not None)
    return Cycles(np.array(source.starts), np.array(marks[plan.time.steps - 1 :: plan.time.steps]), lanes)


def latencies(plan: Plan) -> dict[str, dict[str, int]]:
    """Latency in cycles of every datapath, by layer: windows, lanes, and neuron unit or readout."""
    return {stage.name: dict(found) for stage in plan.stages if (found := stage.latencies())}


def longest_silence(plan: Plan) -> int:
    """Upper bound of the cycles between two beats anywhere: what all stages need for one position at worst.

    All neurons fire the costliest level.
    """
    return sum(stage.longest_cell() for stage in plan.stages) * plan.time.steps


def trailing_silence(plan: Plan) -> int:
    """Upper bound of the cycles between two beats after the last result; 0 if nothing comes then.

    Something does where a stage's last position is one that no window reads.
    """
    read = {buffer.source for stage in plan.stages for buffer in stage.buffers}
    for window in (window for stage in plan.stages for window in stage.windows):
        if window.geometry.needed.max() == window.map.positions - 1:
            read.add(window.source)
    return 0 if read >= set(plan.sources) else max(stage.longest_cell() for stage in plan.stages)
