"""Read a harmed file and say how that ended: within limits of time and memory, and with which result."""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from victims import Victim

from spikefold.errors import SpikefoldError

SECONDS, PATIENCE = 10, 300
"""Of processor time, tools included, and by the clock: the machine may be busy."""
BYTES = 640 << 20
"""More memory than a process had before; one with torch has some 350 MiB, so this keeps it within 1 GiB."""

REFUSED, HARMLESS, OTHER = "refused", "harmless", "other"
CRASH, HANG, BLOWUP, ALTERED, EXECUTED = "crash", "hang", "blowup", "altered", "executed"
"""Refused with a documented error; accepted, and computes the same; accepted as the file of another, who gave
it fitting digests or whose format has none. And what must not be: another exception, too much time or memory,
accepted although damage must be noticed, run as code."""


@dataclass(frozen=True)
class Outcome:
    """How the reading of a file ended; `detail` names an error."""

    kind: str
    seed: int
    end: str
    detail: str = ""


class _TooLong(BaseException):
    """No library may catch it."""


def endure(victim: Victim, expected: str, place: Path, seed: int) -> Outcome:
    """Harm a copy of a victim at `place`, read it there, and see how that ends.

    Parameters
    ----------
    expected
        What reading the whole victim computes.
    """
    forged = victim.harmed(place, seed)
    os.chdir(place)
    try:
        with _watched() as watch:
            found = victim.read(place)
        must_refuse = victim.sealed if forged else victim.signed
        end, detail = (HARMLESS if found == expected else ALTERED if must_refuse else OTHER), ""
    except SpikefoldError as error:
        end, detail = REFUSED, f"{type(error).__name__}: {error}"
    except _TooLong:
        end, detail = HANG, "took too long"
    except Exception as error:
        end, detail = CRASH, f"{type(error).__name__}: {error}"
    if watch.seconds > SECONDS:
        end, detail = HANG, f"took {watch.seconds:.1f} s"
    if watch.peak > BYTES and end != HANG:
        end, detail = BLOWUP, f"{watch.peak >> 20} MiB"
    if any(place.rglob("executed")):
        end = EXECUTED
    return Outcome(victim.kind, seed, end, detail[:300])


class _Watch:
    peak = 0  # bytes beyond those held at the start
    seconds = 0.0  # of processor time


@contextmanager
def _watched() -> Iterator[_Watch]:
    """Raise `_TooLong` when it is time; note the time used, and the memory held beyond what was before."""
    watch = _Watch()
    _forget_peak()
    held, used = _peak(), sum(os.times()[:4])
    clocks = {signal.ITIMER_REAL: signal.SIGALRM, signal.ITIMER_PROF: signal.SIGPROF}
    before = {number: signal.signal(number, _end) for number in clocks.values()}
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield watch
    finally:
        for clock in clocks:
            signal.setitimer(clock, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        watch.peak, watch.seconds = _peak() - held, sum(os.times()[:4]) - used


def limit_memory() -> None:
    """Let this process write to at most 3 GiB more than it has: no file may take the machine along.

    Addresses are free: tools in WebAssembly set many aside.
    """
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    most = pages * resource.getpagesize() + (3 << 30)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _end(number: int, frame: FrameType | None) -> None:
    raise _TooLong


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Bytes that the process held at most since its peak was forgotten."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
