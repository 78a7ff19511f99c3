"""What goes into a run and what comes out of it, as plain arrays: the contract of all engines.

A log entry is a pair of 64-bit words: `cycle << 16 | source` and the packed payload. The source is
`RESULT` for a result beat, `PROBE + k` for an event on probe k, and `START` for the input's first
handshake of a sample (the payload is the sample's number). Entries are in the order in which they
happened. Cycle 0 is the first rising clock edge without reset.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold_sim.stalls import Stalls

SOURCE_BITS = 16
START, RESULT, PROBE = 0, 1, 2

FINISHED, HUNG, BROKEN = 0, 1, 2
"""Outcomes: all results seen; no handshake for too long; a stream broke its contract."""

# bits of the harness's status word
INPUT_READY, RESULT_VALID, ANY_BROKEN, LOAD_READY, FIRST_PROBE = 0, 1, 2, 3, 4

# bits of a stream's state
VALID, READY, GUILTY = 1, 2, 4

RESET_CYCLES = 4


@dataclass(frozen=True)
class Plan:
    """One run.

    Parameters
    ----------
    words
        Packed input beats.
    load
        Bytes for the load stream, uint8; empty where the design has none.
    samples
        How many results are awaited.
    stalls
        The random stalls at both ends.
    watchdog
        Cycles without any handshake after which the run is given up.
    tail
        Cycles to go on after the last result, so that surplus beats are seen.
    probes
        Number of probes.
    counters
        Number of counters read at the end.
    """

    words: NDArray[np.uint64]
    load: NDArray[np.uint8]
    samples: int
    stalls: Stalls
    watchdog: int
    tail: int
    probes: int
    counters: int

    def __post_init__(self) -> None:
        if self.watchdog < 1:
            raise InputError(f"Watchdog must be a positive number of cycles, not {self.watchdog!r}")
        if self.tail < 0:
            raise InputError(f"Tail must not be negative, not {self.tail!r}")

    def save(self, path: Path) -> None:
        """Write as npz."""
        scalars = (self.samples, self.watchdog, self.tail, self.probes, self.counters)
        np.savez(
            path,
            words=self.words,
            load=self.load,
            probabilities=np.array((self.stalls.input, self.stalls.output), np.float64),
            seed=np.array([self.stalls.seed], np.uint64),
            scalars=np.array(scalars, np.int64),
        )

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            samples, watchdog, tail, probes, counters = data["scalars"].tolist()
            source, sink = data["probabilities"].tolist()
            stalls = Stalls(source, sink, int(data["seed"][0]))
            words, load = data["words"], data["load"]
        return cls(words, load, samples, stalls, watchdog, tail, probes, counters)


@dataclass(frozen=True)
class RunLog:
    """What a run left behind.

    Attributes
    ----------
    cycles
        Clock edges from the first without reset to the last of the run, tail included.
    outcome
        FINISHED, HUNG or BROKEN.
    offered, loaded
        Beats that the design's input, and bytes that its load stream, accepted.
    states
        Of each stream of `Ports.streams` in the last cycle: VALID, READY, and GUILTY if it ever broke its
        contract.
    counters
        Final values.
    stamps, words
        The entries.
    """

    cycles: int
    outcome: int
    offered: int
    loaded: int
    states: tuple[int, ...]
    counters: tuple[int, ...]
    stamps: NDArray[np.uint64]
    words: NDArray[np.uint64]

    _SCALARS = 4

    def to_words(self) -> NDArray[np.uint64]:
        """One array: four scalars, states and counters, each after their number, then pairs of entries."""
        head = [self.cycles, self.outcome, self.offered, self.loaded]
        head += [len(self.states), *self.states, len(self.counters), *self.counters]
        entries = np.stack([self.stamps, self.words], axis=1).reshape(-1)
        return np.concatenate([np.array(head, np.uint64), entries])

    @classmethod
    def from_words(cls, data: NDArray[np.uint64]) -> "RunLog":
        """Inverse of `to_words`; the native engine writes the same array as little-endian bytes."""
        scalars: list[Any] = data[: cls._SCALARS].tolist()
        rest = data[cls._SCALARS :]
        lists = []
        for _ in range(2):
            count = int(rest[0])
            lists.append(tuple(rest[1 : 1 + count].tolist()))
            rest = rest[1 + count :]
        pairs = rest.reshape(-1, 2)
        fields = (*scalars, *lists, pairs[:, 0], pairs[:, 1])
        return cls(*fields)

    def by_source(self, sources: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
        """Cycles and payloads of the entries of source 0, 1, .. `sources - 1`."""
        source = (self.stamps & np.uint64((1 << SOURCE_BITS) - 1)).astype(np.uint16)
        order = np.argsort(source, kind="stable")
        ends = np.cumsum(np.bincount(source, minlength=sources))
        for start, end in zip([0, *ends[: sources - 1]], ends[:sources], strict=True):
            chosen = order[start:end]
            cycles = (self.stamps[chosen] >> np.uint64(SOURCE_BITS)).astype(np.int64)
            yield cycles, self.words[chosen]
