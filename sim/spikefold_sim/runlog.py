"""What goes into a run and what comes out of it, as plain arrays: the contract of all engines.

A log entry is a pair of 64-bit words: `cycle << 8 | source` and the packed payload. The source is
`RESULT` for a result beat, `PROBE + k` for an event on probe k, and `START` for the input's first
handshake of a sample (the payload is the sample's number). Entries are in the order in which they
happened. Cycle 0 is the first rising clock edge without reset.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold_sim.stalls import Stalls

RESULT, PROBE, START = 0, 1, 255

FINISHED, HUNG, BROKEN = 0, 1, 2
"""Outcomes: all results seen; no handshake for too long; a stream broke valid/ready."""

# bits of the harness's status word
INPUT_READY, RESULT_VALID, ANY_BROKEN, FIRST_PROBE = 0, 1, 2, 3

RESET_CYCLES = 4


@dataclass(frozen=True)
class Plan:
    """One run.

    Parameters
    ----------
    words
        Packed input beats.
    samples
        How many results are awaited.
    sample_starts
        For each sample, the position of its first beat in `words`.
    stalls
        The random stalls at both ends.
    watchdog
        Cycles without any handshake after which the run is given up.
    drain
        Cycles to go on after the last result, so that surplus beats are seen.
    probes
        Number of probes.
    counters
        Number of counters read at the end.
    """

    words: NDArray[np.uint64]
    samples: int
    sample_starts: NDArray[np.int64]
    stalls: Stalls
    watchdog: int
    drain: int
    probes: int
    counters: int

    def __post_init__(self) -> None:
        if self.watchdog < 1:
            raise InputError(f"Watchdog must be a positive number of cycles, not {self.watchdog!r}")
        if self.drain < 0:
            raise InputError(f"Drain must not be negative, not {self.drain!r}")

    def save(self, path: Path) -> None:
        """Write as npz."""
        stalls = (self.stalls.input, self.stalls.output, self.stalls.seed)
        scalars = (self.samples, self.watchdog, self.drain, self.probes, self.counters)
        np.savez(
            path,
            words=self.words,
            sample_starts=self.sample_starts,
            probabilities=np.array(stalls[:2], np.float64),
            seed=np.array([stalls[2]], np.uint64),
            scalars=np.array(scalars, np.int64),
        )

    @classmethod
    def load(cls, path: Path) -> "Plan":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            samples, watchdog, drain, probes, counters = data["scalars"].tolist()
            first, second = data["probabilities"].tolist()
            stalls = Stalls(first, second, int(data["seed"][0]))
            words, starts = data["words"], data["sample_starts"]
        return cls(words, samples, starts, stalls, watchdog, drain, probes, counters)


@dataclass(frozen=True)
class RunLog:
    """What a run left behind.

    Attributes
    ----------
    cycles
        Clock edges from the first without reset to the last of the run, drain included.
    outcome
        FINISHED, HUNG or BROKEN.
    offered
        Beats accepted by the design's input.
    input_valid, output_ready
        What the test bench drove in the last cycle.
    status
        The harness's status word in the last cycle.
    streams
        Probe k's valid and ready in bits 2k and 2k+1, in the last cycle.
    broken
        Bit 0 for the result stream, bit k+1 for probe k: broke valid/ready.
    counters
        Final values.
    stamps, words
        The entries.
    """

    cycles: int
    outcome: int
    offered: int
    input_valid: int
    output_ready: int
    status: int
    streams: int
    broken: int
    counters: tuple[int, ...]
    stamps: NDArray[np.uint64]
    words: NDArray[np.uint64]

    _SCALARS = 8

    def to_words(self) -> NDArray[np.uint64]:
        """One array: the eight scalars, the number of counters, the counters, then pairs of entries."""
        last = (self.input_valid, self.output_ready, self.status, self.streams, self.broken)
        scalars = [self.cycles, self.outcome, self.offered, *last, len(self.counters), *self.counters]
        entries = np.stack([self.stamps, self.words], axis=1).reshape(-1)
        return np.concatenate([np.array(scalars, np.uint64), entries])

    @classmethod
    def from_words(cls, data: NDArray[np.uint64]) -> "RunLog":
        """Inverse of `to_words`; the native engine writes the same array as little-endian bytes."""
        first = cls._SCALARS + 1
        entries = first + int(data[cls._SCALARS])
        cycles, outcome, offered, valid, ready, status, streams, broken = data[: cls._SCALARS].tolist()
        counters = tuple(data[first:entries].tolist())
        pairs = data[entries:].reshape(-1, 2)
        last = (valid, ready, status, streams, broken)
        return cls(cycles, outcome, offered, *last, counters, pairs[:, 0], pairs[:, 1])
