"""The module that cocotb runs inside the simulator: `traffic.py` on a bus of simulator handles.

The plusarg `spikefold_job` names the folder with `job.json` and `plan.npz`; the log goes there as
`log.npy`, or `unknown.json` if a value was X.
"""

import json
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from spikefold_sim.runlog import Plan
from spikefold_sim.traffic import run_traffic

_REPORT_SECONDS = 0.5


class _UnknownError(Exception):
    """A port that must be known is X; carries the port's name and its value as text."""


class _CocotbBus:
    """`traffic.Bus` on the ports of `sim_top`."""

    def __init__(self, dut: Any, streams: list[str], progress: Path) -> None:
        self._dut = dut
        self._edge = RisingEdge(dut.clk)
        self._status = dut.status
        self._names = streams
        self._events = [getattr(dut, f"event_{k}") for k in range(len(streams) - 3)]
        self._progress = progress
        self._reported = time.monotonic()
        self._resetting = False

    async def tick(self) -> int:
        await self._edge
        text = str(self._status.value)
        try:
            return int(text, 2)
        except ValueError:
            if self._resetting:
                return 0
            raise _UnknownError(*self._name_unknown(text)) from None

    def reset(self, value: int) -> None:
        self._resetting = bool(value)
        self._dut.rst.value = value

    def offer(self, beat: int) -> None:
        self._dut.i_beat.value = beat

    def load(self, byte: int) -> None:
        self._dut.i_byte.value = byte

    def accept(self, ready: int) -> None:
        self._dut.o_ready.value = ready

    def result(self) -> int:
        return self._read(self._dut.o_word, "result payload")

    def event(self, probe: int) -> int:
        return self._read(self._events[probe], f"payload of {self._names[3 + probe]!r}")

    def streams(self) -> int:
        return self._read(self._dut.streams, "handshakes")

    def broken(self) -> int:
        return self._read(self._dut.broken, "contract flags")

    def select(self, counter: int) -> None:
        self._dut.counter_select.value = counter

    def counter(self) -> int:
        return self._read(self._dut.counter_value, "counter_value")

    def report(self, done: int) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_SECONDS:
            self._reported = now
            fresh = self._progress.with_suffix(".new")
            fresh.write_text(str(done))
            fresh.replace(self._progress)

    def _read(self, handle: Any, what: str) -> int:
        text = str(handle.value)
        try:
            return int(text, 2)
        except ValueError:
            raise _UnknownError(what, text) from None

    def _name_unknown(self, status: str) -> tuple[str, str]:
        """Which handshake signal made the status unknown."""
        for position, value in enumerate(reversed(str(self._dut.streams.value))):
            if value not in "01":
                return f"{('valid', 'ready')[position % 2]} of {self._names[position // 2]!r}", value
        return "loaded or a check of a stream", status


@cocotb.test()
async def traffic(dut: Any) -> None:
    """Run the plan of the job folder."""
    job = Path(str(cocotb.plusargs["spikefold_job"]))
    settings = json.loads((job / "job.json").read_text())
    plan = Plan.read(job / "plan.npz")
    Clock(dut.clk, 2, unit="ns").start()
    bus = _CocotbBus(dut, settings["streams"], job / "progress")
    start = time.perf_counter()
    try:
        log = await run_traffic(bus, plan, settings["stimulus_bits"], settings["result_bits"])
    except _UnknownError as error:
        what, value = error.args
        cycle = cocotb.simtime.get_sim_time("ns") / 2
        (job / "unknown.json").write_text(json.dumps({"what": what, "value": value, "cycle": int(cycle)}))
        return
    (job / "seconds").write_text(repr(time.perf_counter() - start))
    np.save(job / "log.npy", log.to_words())
