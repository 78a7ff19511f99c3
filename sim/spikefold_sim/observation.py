"""What was seen on a design's streams during a run, and how a run can fail."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, ToolError
from spikefold.flow.ports import BEAT, Ports
from spikefold_sim.runlog import BROKEN, GUILTY, HUNG, PROBE, READY, VALID, Plan, RunLog
from spikefold_sim.stalls import Stalls

TAIL = 16
WATCHDOG = 200_000

INPUT_STREAM, LOAD_STREAM = 0, 1
"""Their places in `Ports.streams`."""


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
    tags
        The tag that was sent with each, uint32 [samples].
    results
        Beats of the result stream, array of `ports.RESULT`, as observed.
    result_beat_cycles
        The cycle of each.
    events
        For each probe, in network order, what was observed.
    start_cycles
        The cycle of the input's first handshake of each sample.
    cycles
        Length of the run, tail included.
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
    tags: NDArray[np.uint32]
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
        cycles: NDArray[np.int64] = self.result_beat_cycles[self.results["last"]]
        return cycles

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

    @property
    def errors(self) -> NDArray[np.bool_]:
        """Which samples the design calls broken, bool [samples].

        Raises
        ------
        ToolError
            As for `logits`.
        """
        return self._table()["error"][:, -1].copy()

    @property
    def result_tags(self) -> NDArray[np.uint32]:
        """The tag of each result, uint32 [samples].

        Raises
        ------
        ToolError
            As for `logits`.
        """
        return self._table()["tag"][:, -1].copy()

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
    """A stream took back a beat it had offered or changed its payload, or memories were not loaded."""


class UnknownValueError(TrafficError):
    """A handshake signal, or a payload during its handshake, is X (Icarus only)."""


def make_plan(
    ports: Ports, beats: NDArray[np.void], stalls: Stalls, watchdog: int, tail: int, load: bytes
) -> Plan:
    """A run of `beats` (array of `ports.BEAT`) as the engines take it, after `load` where there is a port.

    Raises
    ------
    InputError
        Not an array of BEAT, a value does not fit, the last beat does not end a sample, or bytes to load
        are missing or not wanted.
    """
    if beats.dtype != BEAT or beats.ndim != 1:
        raise InputError(f"Stimulus must be a vector of ports.BEAT, not {beats.dtype!r} {beats.shape!r}")
    if len(beats) and not beats["end_sample"][-1]:
        raise InputError("Stimulus must end with end_sample, not False")
    if bool(load) != ports.load:
        rule = (
            "be given for a design with a load stream" if ports.load else "go to a design with a load stream"
        )
        raise InputError(f"Bytes to load must {rule}, not {len(load)} bytes")
    return Plan(
        words=ports.stimulus.pack(beats),
        load=np.frombuffer(load, np.uint8),
        samples=int(beats["end_sample"].sum()),
        stalls=stalls,
        watchdog=watchdog,
        tail=tail,
        probes=len(ports.probes),
        counters=len(ports.counters),
    )


def observe(ports: Ports, plan: Plan, log: RunLog, seconds: float, simulator: str) -> Observation:
    """Decode a log.

    Raises
    ------
    HangError, ProtocolError
        The run ended that way.
    """
    entries = log.by_source(PROBE + len(ports.probes))
    (starts, _), (result_cycles, results) = next(entries), next(entries)
    events = {
        probe.name: EventLog(probe.format.unpack(words), cycles)
        for probe, (cycles, words) in zip(ports.probes, entries, strict=True)
    }
    sent = ports.stimulus.unpack(plan.words)
    observation = Observation(
        samples=plan.samples,
        tags=sent["tag"][sent["end_sample"]],
        results=ports.result.unpack(results),
        result_beat_cycles=result_cycles,
        events=events,
        start_cycles=starts,
        cycles=log.cycles,
        counters=dict(zip(ports.counters, log.counters, strict=True)),
        classes=ports.result.classes,
        seconds=seconds,
        simulator=simulator,
    )
    error = _hang(ports, plan, log, observation) if log.outcome == HUNG else _broken(ports, plan, log)
    if error is not None:
        error.observation = observation
        raise error
    return observation


def _hang(ports: Ports, plan: Plan, log: RunLog, observation: Observation) -> HangError:
    """Say which streams wait for what."""
    state = "; ".join(
        f"{name} {'' if state & VALID else 'not '}valid, {'' if state & READY else 'not '}ready"
        for number, (name, state) in enumerate(zip(ports.streams, log.states, strict=True))
        if number != LOAD_STREAM or ports.load
    )
    loaded = f"{log.loaded} of {len(plan.load)} bytes loaded, " if ports.load else ""
    return HangError(
        f"Design must move within {plan.watchdog} cycles, but nothing did until cycle {log.cycles - 1} "
        f"({loaded}{log.offered} of {len(plan.words)} beats accepted, "
        f"{int(observation.results['last'].sum())} of {plan.samples} results seen): {state}. "
        "Raise the watchdog if it only needs longer"
    )


def _broken(ports: Ports, plan: Plan, log: RunLog) -> ProtocolError | None:
    """Name the streams that broke the contract, if any did."""
    if log.outcome != BROKEN:
        if log.loaded == len(plan.load):
            return None
        return ProtocolError(
            f"Design must take all {len(plan.load)} bytes of its memories, but took {log.loaded}"
        )
    if log.states[INPUT_STREAM] & GUILTY:
        return ProtocolError(
            f"Input must not be ready before the memories are loaded, but was before cycle {log.cycles - 1} "
            f"({log.loaded} of {len(plan.load)} bytes loaded)"
        )
    guilty = ", ".join(n for n, state in zip(ports.streams, log.states, strict=True) if state & GUILTY)
    return ProtocolError(
        f"Stream must hold valid and payload until ready, but {guilty!r} "
        f"changed a waiting beat before cycle {log.cycles - 1}"
    )
