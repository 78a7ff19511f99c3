"""The place between two blocks."""

import pytest
from amaranth.lib import stream
from stream_bench import stream_run

from spikefold_hw.host.uart.slot import Slot


@pytest.mark.parametrize("stalls", [(0.0, 0.0), (0.5, 0.2), (0.1, 0.7)])
def test_beats_pass_in_order_every_second_cycle_at_most(stalls):
    dut = Slot(stream.Signature(8))
    beats = [k * 37 % 256 for k in range(60)]
    record = stream_run(dut, beats, len(beats), stalls=stalls, seed=3)
    assert record.beats == dut.model(beats)
    if stalls == (0.0, 0.0):
        assert record.left[0] - record.taken[0] == dut.latency
        assert record.taken[-1] - record.taken[0] == 2 * (len(beats) - 1)
