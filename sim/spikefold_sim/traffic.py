"""The test bench: one driver, one sink and one monitor for every simulator.

They speak to the design through a `Bus`, once per clock cycle. cocotb (Verilator, Icarus) and
Amaranth's simulator each supply one; `native.cpp` does the same, line by line, in C++.
"""

from array import array
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spikefold_sim.runlog import (
    ANY_BROKEN,
    BROKEN,
    FINISHED,
    FIRST_PROBE,
    GUILTY,
    HUNG,
    INPUT_READY,
    LOAD_READY,
    PROBE,
    RESET_CYCLES,
    RESULT,
    RESULT_VALID,
    SOURCE_BITS,
    START,
    Plan,
    RunLog,
)
from spikefold_sim.stalls import INPUT, LOAD, OUTPUT, StallTable


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

    def load(self, byte: int) -> None:
        """Drive the load stream: `valid << 8 | payload`."""

    def accept(self, ready: int) -> None:
        """Drive the result stream's ready."""

    def result(self) -> int:
        """Payload of the result stream, 0 while it is not valid."""

    def event(self, probe: int) -> int:
        """Payload of a probe, 0 while it has no handshake."""

    def streams(self) -> int:
        """Valid and ready of every stream."""

    def broken(self) -> int:
        """Which streams broke their contract so far."""

    def select(self, counter: int) -> None:
        """Choose a counter."""

    def counter(self) -> int:
        """Value of the chosen counter."""

    def report(self, done: int) -> None:
        """Tell the user how many samples are done."""


class Driver:
    """Offers words in order; once offered, a word stays until it is accepted.

    While nothing is offered the payload is all ones, so that a design which looks at it shows.
    """

    def __init__(
        self,
        offer: Callable[[int], None],
        words: NDArray[np.unsignedinteger],
        width: int,
        stalled: StallTable,
    ) -> None:
        self._offer = offer
        self._words = np.ascontiguousarray(words).data
        self._valid, self._idle = 1 << width, (1 << width) - 1
        self._stalled = stalled
        self.valid = 0
        self.accepted = 0
        offer(self._idle)

    def drive(self, cycle: int) -> None:
        """Offer the next word unless this cycle is stalled; an offered word stays."""
        if not self.valid and self.accepted < len(self._words) and not self._stalled(cycle):
            self._offer(self._words[self.accepted] | self._valid)
            self.valid = 1

    def observe(self, ready: int) -> bool:
        """Whether a word was accepted at this edge."""
        if not (self.valid and ready):
            return False
        self.accepted += 1
        self.valid = 0
        self._offer(self._idle)
        return True


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
    """Records the first beat of each sample, and the handshakes of the result stream and of all probes."""

    def __init__(self, bus: Bus, plan: Plan, stimulus_width: int, result_width: int) -> None:
        self._bus = bus
        self._probes = plan.probes
        self._last = result_width - 1
        self._ends = plan.words >> np.uint64(stimulus_width - 1)
        self._started = 0
        self.stamps, self.words = array("Q"), array("Q")
        self.done = 0
        self.seen = 0

    def record(self, cycle: int, source: int, word: int) -> None:
        """Append an entry."""
        self.stamps.append(cycle << SOURCE_BITS | source)
        self.words.append(word)

    def observe_input(self, cycle: int, number: int) -> None:
        """Take note that beat `number` of the input was accepted at this edge."""
        self.seen = cycle
        if number == 0 or self._ends[number - 1]:
            self.record(cycle, START, self._started)
            self._started += 1

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
            while fired:
                probe = (fired & -fired).bit_length() - 1
                self.record(cycle, PROBE + probe, self._bus.event(probe))
                fired &= fired - 1


async def run_traffic(bus: Bus, plan: Plan, stimulus_width: int, result_width: int) -> RunLog:
    """Reset the design, stream the plan through it and log what happens.

    Bytes to load and samples are both offered from cycle 0 on; it is the design that takes the bytes first.
    Ends when, after the last awaited result, nothing moves for `plan.tail` cycles, or before it for
    `plan.watchdog` cycles, or at once when a stream breaks its contract.
    """
    driver = Driver(bus.offer, plan.words, stimulus_width, StallTable(plan.stalls, INPUT))
    loader = Driver(bus.load, plan.load, 8, StallTable(plan.stalls, LOAD))
    sink, monitor = Sink(bus, plan), Monitor(bus, plan, stimulus_width, result_width)
    await _reset(bus)
    cycle, outcome = -1, None
    while outcome is None:
        cycle += 1
        driver.drive(cycle)
        loader.drive(cycle)
        sink.drive(cycle)
        status = await bus.tick()
        if status:
            if loader.observe(status >> LOAD_READY & 1):
                monitor.seen = cycle
            if driver.observe(status >> INPUT_READY & 1):
                monitor.observe_input(cycle, driver.accepted - 1)
            monitor.observe(cycle, status, sink.ready)
        outcome = _outcome(plan, cycle - monitor.seen, monitor.done, status)
    states = _states(bus, plan.probes)
    counters = await _read_counters(bus, plan.counters)
    entries = (np.frombuffer(column, np.uint64) for column in (monitor.stamps, monitor.words))
    return RunLog(cycle + 1, outcome, driver.accepted, loader.accepted, states, counters, *entries)


def _states(bus: Bus, probes: int) -> tuple[int, ...]:
    """What every stream does in this cycle, input, load and result first."""
    streams, broken = bus.streams(), bus.broken()
    return tuple(streams >> 2 * k & 3 | (broken >> k & 1) * GUILTY for k in range(3 + probes))


def _outcome(plan: Plan, silence: int, done: int, status: int) -> int | None:
    """How the run ends in this cycle, or None if it goes on."""
    if status >> ANY_BROKEN & 1:
        return BROKEN
    if done >= plan.samples:
        return FINISHED if silence >= plan.tail else None
    return HUNG if silence >= plan.watchdog else None


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
