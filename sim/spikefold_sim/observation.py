"""What was seen on a design's streams during a run, and how a run can fail."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, ToolError
from spikefold_sim.ports import BEAT, Ports
from spikefold_sim.runlog import BROKEN, HUNG, INPUT_READY, PROBE, RESULT, RESULT_VALID, START, Plan, RunLog
from spikefold_sim.stalls import Stalls

DRAIN = 16
WATCHDOG = 200_000


@dataclass(frozen=True)
class EventLog:
    """Beats of one event stream in the order of their handshakes, and the cycle of each."""

    beats: NDArray[np.void]
    cycles: NDArray[np.int64]


@dataclass(frozen=True)
class Observation:
    """One run. Cycle 0 is the first rising clock edge without reset.

    Attributes
    ----------
    samples
        How many samples were sent.
    results
        Beats of the result stream, array of `ports.RESULT`, as observed.
    result_beat_cycles
        The cycle of each.
    events
        For each probe, in network order, what was observed.
    start_cycles
        The cycle of the input's first handshake of each sample.
    cycles
        Length of the run, drain included.
    counters
        Final values by name.
    classes
        Result beats per sample.
    seconds
        Wall time of the simulation itself, build excluded.
    simulator
        Its name and version.
    """

    samples: int
    results: NDArray[np.void]
    result_beat_cycles: NDArray[np.int64]
    events: Mapping[str, EventLog]
    start_cycles: NDArray[np.int64]
    cycles: int
    counters: Mapping[str, int]
    classes: int
    seconds: float
    simulator: str

    @property
    def result_cycles(self) -> NDArray[np.int64]:
        """The cycle of the last beat of each result, int64 [results seen]."""
        return self.result_beat_cycles[self.results["last"]]

    @property
    def logits(self) -> NDArray[np.int64]:
        """The logits, int64 [samples, classes].

        Raises
        ------
        ToolError
            The result stream does not hold one beat per class, in order, for each sample.
        """
        return self._table()["logit"].copy()

    @property
    def winners(self) -> NDArray[np.int64]:
        """The class the design chose for each sample, int64 [samples].

        Raises
        ------
        ToolError
            As for `logits`.
        """
        return self._table()["winner"][:, -1].astype(np.int64)

    def _table(self) -> NDArray[np.void]:
        order = np.tile(np.arange(self.classes), self.samples)
        if (
            len(self.results) != len(order)
            or (self.results["index"] != order).any()
            or (self.results["last"] != (order == self.classes - 1)).any()
        ):
            raise ToolError(
                f"Result stream must hold one beat for each of {self.classes} classes, in order, for each "
                f"of {self.samples} samples; it does not ({len(self.results)!r} beats)"
            )
        return self.results.reshape(self.samples, self.classes)


class TrafficError(ToolError):
    """A run that could not be completed; `observation` holds what was seen until then."""

    observation: Observation | None = None


class HangError(TrafficError):
    """Nothing moved for as long as the watchdog waits."""


class ProtocolError(TrafficError):
    """A stream took back a beat it had offered, or changed its payload."""


class UnknownValueError(TrafficError):
    """A handshake signal, or a payload during its handshake, is X (Icarus only)."""


def make_plan(ports: Ports, beats: NDArray[np.void], stalls: Stalls, watchdog: int, drain: int) -> Plan:
    """A run of `beats` (array of `ports.BEAT`) as the engines take it.

    Raises
    ------
    InputError
        Not an array of BEAT, a value does not fit, or the last beat does not end a sample.
    """
    if beats.dtype != BEAT or beats.ndim != 1:
        raise InputError(f"Stimulus must be a vector of ports.BEAT, not {beats.dtype!r} {beats.shape!r}")
    if len(beats) and not beats["end_sample"][-1]:
        raise InputError("Stimulus must end with end_sample, not False")
    ends = np.flatnonzero(beats["end_sample"])
    starts = np.concatenate([[0], ends + 1])[: len(ends)].astype(np.int64)
    words = ports.stimulus.pack(beats)
    return Plan(words, len(ends), starts, stalls, watchdog, drain, len(ports.probes), len(ports.counters))


def observe(ports: Ports, plan: Plan, log: RunLog, seconds: float, simulator: str) -> Observation:
    """Decode a log.

    Raises
    ------
    HangError, ProtocolError
        The run ended that way.
    """
    sources = (log.stamps & np.uint64(0xFF)).astype(np.int64)
    cycles = (log.stamps >> np.uint64(8)).astype(np.int64)
    events = {}
    for number, probe in enumerate(ports.probes):
        chosen = sources == PROBE + number
        events[probe.name] = EventLog(probe.format.unpack(log.words[chosen]), cycles[chosen])
    chosen = sources == RESULT
    observation = Observation(
        samples=plan.samples,
        results=ports.result.unpack(log.words[chosen]),
        result_beat_cycles=cycles[chosen],
        events=events,
        start_cycles=cycles[sources == START],
        cycles=log.cycles,
        counters=dict(zip(ports.counters, log.counters, strict=True)),
        classes=ports.result.classes,
        seconds=seconds,
        simulator=simulator,
    )
    if log.outcome in (HUNG, BROKEN):
        error = _hang(ports, plan, log, observation) if log.outcome == HUNG else _broken(ports, log)
        error.observation = observation
        raise error
    return observation


def _hang(ports: Ports, plan: Plan, log: RunLog, observation: Observation) -> HangError:
    """Say which streams wait for what."""
    ready, valid = log.status >> INPUT_READY & 1, log.status >> RESULT_VALID & 1
    streams = [("input", log.input_valid, ready)]
    for number, probe in enumerate(ports.probes):
        streams.append((probe.name, log.streams >> 2 * number & 1, log.streams >> 2 * number + 1 & 1))
    streams.append(("result", valid, log.output_ready))
    state = "; ".join(
        f"{name} {'' if v else 'not '}valid, {'' if r else 'not '}ready" for name, v, r in streams
    )
    return HangError(
        f"Design must move within {plan.watchdog} cycles, but nothing did until cycle {log.cycles - 1} "
        f"({log.offered} of {len(plan.words)} beats accepted, {int(observation.results['last'].sum())} of "
        f"{plan.samples} results seen): {state}. Raise the watchdog if it only needs longer"
    )


def _broken(ports: Ports, log: RunLog) -> ProtocolError:
    """Name the streams that broke the contract."""
    names = ["result", *(probe.name for probe in ports.probes)]
    guilty = [name for bit, name in enumerate(names) if log.broken >> bit & 1]
    return ProtocolError(
        f"Stream must hold valid and payload until ready, but {', '.join(guilty)!r} "
        f"changed a waiting beat before cycle {log.cycles - 1}"
    )
