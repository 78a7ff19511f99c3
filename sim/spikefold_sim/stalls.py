"""Random stalls that are a pure function of seed, stream and cycle.

Every engine asks the same function, the native one in C++, so a run with stalls is the same run, cycle
by cycle, on all of them. The function is the output step of SplitMix64 (Steele, Lea, Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014) on a counter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, shown

INPUT, OUTPUT, LOAD = 0, 1, 2
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Stalls:
    """How often each end of the design is made to wait.

    Parameters
    ----------
    input
        Probability, per cycle, that the source offers no new beat; 0 <= p < 1. The load stream has the
        same, and a pattern of its own.
    output
        Probability, per cycle, that the sink is not ready; 0 <= p < 1.
    seed
        Chooses the pattern; any integer from 0 to 2^64 - 1.
    """

    input: float = 0.0
    output: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("input", "output"):
            probability = getattr(self, name)
            if not isinstance(probability, int | float) or not 0 <= probability < 1:
                rule = "at least 0 and below 1"
                raise InputError(f"Stall probability of the {name} must be {rule}, not {shown(probability)}")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 1 << 64:
            raise InputError(f"Stall seed must be 0 to 2^64 - 1, not {shown(self.seed)}")

    @property
    def thresholds(self) -> tuple[int, int, int]:
        """Probabilities of INPUT, OUTPUT and LOAD in units of 2^-32."""
        source, sink = round(self.input * 2**32), round(self.output * 2**32)
        return source, sink, source

    def pattern(self, stream: int, start: int, count: int) -> NDArray[np.bool_]:
        """Whether `stream` (INPUT, OUTPUT or LOAD) stalls in the cycles `start` to `start + count - 1`."""
        key = _mix(np.array([self.seed], np.uint64) + np.uint64(stream))
        cycles = np.arange(start, start + count, dtype=np.uint64)
        return (_mix(key + cycles) >> np.uint64(32)) < np.uint64(self.thresholds[stream])


class StallTable:
    """Stalls of one stream, looked up by cycle, computed a chunk at a time."""

    def __init__(self, stalls: Stalls, stream: int) -> None:
        self._stalls = stalls
        self._stream = stream
        self._start = 0
        self._chunk = self._compute(0)

    def __call__(self, cycle: int) -> int:
        """1 where the stream stalls in `cycle`, else 0."""
        offset = cycle - self._start
        if not 0 <= offset < _CHUNK:
            self._start = cycle - cycle % _CHUNK
            self._chunk = self._compute(self._start)
            offset = cycle - self._start
        return self._chunk[offset]

    def _compute(self, start: int) -> bytes:
        return self._stalls.pattern(self._stream, start, _CHUNK).tobytes()


def _mix(counter: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        x = (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
