"""The test bench: one driver, one sink and one monitor for every simulator.

They speak to the design through a `Bus`, once per clock cycle. cocotb (Verilator, Icarus) and
Amaranth's simulator each supply one; `native.cpp` does the same, line by line, in C++.
"""

from typing import Protocol

import numpy as np

from spikefold_sim.runlog import (
    ANY_BROKEN,
    BROKEN,
    FINISHED,
    FIRST_PROBE,
    HUNG,
    INPUT_READY,
    PROBE,
    RESET_CYCLES,
    RESULT,
    RESULT_VALID,
    START,
    Plan,
    RunLog,
)
from spikefold_sim.stalls import INPUT, OUTPUT, StallTable


class Bus(Protocol):
    """Access to the harness around the design (`wrapper.py` describes its ports).

    Values written take effect after the current clock edge; values read are those just before it.
    """

    async def tick(self) -> int:
        """Wait for the next rising edge; the status word."""

    def reset(self, value: int) -> None:
        """Drive the reset."""

    def offer(self, beat: int) -> None:
        """Drive the input stream: `valid << width | payload`."""

    def accept(self, ready: int) -> None:
        """Drive the result stream's ready."""

    def result(self) -> int:
        """Payload of the result stream, 0 while it is not valid."""

    def event(self, probe: int) -> int:
        """Payload of a probe, 0 while it has no handshake."""

    def streams(self) -> int:
        """Valid and ready of every probe."""

    def broken(self) -> int:
        """Which streams broke valid/ready so far."""

    def select(self, counter: int) -> None:
        """Choose a counter."""

    def counter(self) -> int:
        """Value of the chosen counter."""

    def report(self, done: int) -> None:
        """Tell the user how many samples are done."""


class Driver:
    """Offers the beats in order; once offered, a beat stays until it is accepted.

    While nothing is offered the payload is all ones, so that a design which looks at it shows.
    """

    def __init__(self, bus: Bus, plan: Plan, width: int) -> None:
        self._bus = bus
        self._beats = [word | 1 << width for word in plan.words.tolist()]
        self._starts = {start: sample for sample, start in enumerate(plan.sample_starts.tolist())}
        self._idle = (1 << width) - 1
        self._stalled = StallTable(plan.stalls, INPUT)
        self.valid = 0
        self.offered = 0
        bus.offer(self._idle)

    def drive(self, cycle: int) -> None:
        """Offer the next beat unless this cycle is stalled; an offered beat stays."""
        if not self.valid and self.offered < len(self._beats) and not self._stalled(cycle):
            self._bus.offer(self._beats[self.offered])
            self.valid = 1

    def observe(self, monitor: "Monitor", cycle: int, status: int) -> None:
        """Take note of the beat that was accepted at this edge, if any."""
        if self.valid and status >> INPUT_READY & 1:
            sample = self._starts.get(self.offered)
            monitor.seen = cycle
            if sample is not None:
                monitor.record(cycle, START, sample)
            self.offered += 1
            self.valid = 0
            self._bus.offer(self._idle)


class Sink:
    """Drives the result stream's ready."""

    def __init__(self, bus: Bus, plan: Plan) -> None:
        self._bus = bus
        self._stalled = StallTable(plan.stalls, OUTPUT)
        self.ready = 0
        bus.accept(0)

    def drive(self, cycle: int) -> None:
        """Be ready unless this cycle is stalled."""
        ready = 1 - self._stalled(cycle)
        if ready != self.ready:
            self.ready = ready
            self._bus.accept(ready)


class Monitor:
    """Records the handshakes of the result stream and of all probes."""

    def __init__(self, bus: Bus, plan: Plan, result_width: int) -> None:
        self._bus = bus
        self._probes = plan.probes
        self._last = result_width - 1
        self.stamps: list[int] = []
        self.words: list[int] = []
        self.done = 0
        self.seen = 0

    def record(self, cycle: int, source: int, word: int) -> None:
        """Append an entry."""
        self.stamps.append(cycle << 8 | source)
        self.words.append(word)

    def observe(self, cycle: int, status: int, ready: int) -> None:
        """Take note of the handshakes at this edge."""
        if ready and status >> RESULT_VALID & 1:
            word = self._bus.result()
            self.record(cycle, RESULT, word)
            self.seen = cycle
            if word >> self._last:
                self.done += 1
                self._bus.report(self.done)
        fired = status >> FIRST_PROBE
        if fired:
            self.seen = cycle
            for probe in range(self._probes):
                if fired >> probe & 1:
                    self.record(cycle, PROBE + probe, self._bus.event(probe))


async def run_traffic(bus: Bus, plan: Plan, stimulus_width: int, result_width: int) -> RunLog:
    """Reset the design, stream the plan through it and log what happens.

    Ends `plan.drain` cycles after the last awaited result, or when nothing moves for `plan.watchdog`
    cycles, or at once when a stream breaks the valid/ready contract.
    """
    driver, sink = Driver(bus, plan, stimulus_width), Sink(bus, plan)
    monitor = Monitor(bus, plan, result_width)
    await _reset(bus)
    cycle, end, outcome = -1, None, None
    while outcome is None:
        cycle += 1
        driver.drive(cycle)
        sink.drive(cycle)
        valid = driver.valid
        status = await bus.tick()
        if status:
            driver.observe(monitor, cycle, status)
            monitor.observe(cycle, status, sink.ready)
        if end is None and monitor.done >= plan.samples:
            end = cycle + plan.drain
        outcome = _outcome(plan, cycle, end, monitor.seen, status)
    last = (valid, sink.ready, status, bus.streams(), bus.broken())
    counters = await _read_counters(bus, plan.counters)
    stamps = np.array(monitor.stamps, np.uint64)
    words = np.array(monitor.words, np.uint64)
    return RunLog(cycle + 1, outcome, driver.offered, *last, counters, stamps, words)


def _outcome(plan: Plan, cycle: int, end: int | None, seen: int, status: int) -> int | None:
    """How the run ends in this cycle, or None if it goes on."""
    if status >> ANY_BROKEN & 1:
        return BROKEN
    if end is not None:
        return FINISHED if cycle >= end else None
    return HUNG if cycle - seen >= plan.watchdog else None


async def _reset(bus: Bus) -> None:
    bus.select(0)
    bus.reset(1)
    for _ in range(RESET_CYCLES):
        await bus.tick()
    bus.reset(0)


async def _read_counters(bus: Bus, counters: int) -> tuple[int, ...]:
    """Read every counter, giving each two cycles to appear."""
    values = []
    for counter in range(counters):
        bus.select(counter)
        await bus.tick()
        await bus.tick()
        values.append(bus.counter())
    return tuple(values)
