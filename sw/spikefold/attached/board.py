"""A board that is simulated, and what comes of the wire to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikefold.attached.device import Device
from spikefold.attached.gateware import BAUD, uart_host
from spikefold_sim.wire_engine import Wire, served

if TYPE_CHECKING:
    from spikefold.design import Design

CLOCK_HZ = 12_000_000
"""Of a simulated board: the slower, the fewer cycles a bit takes."""


@contextmanager
def simulated(
    design: "Design", clock_hz: int = CLOCK_HZ, baud: int = BAUD, *, noise: float = 0.0, seed: int = 0
) -> Iterator[str]:
    """A board with a design on it, in Verilator; the path of its port.

    Parameters
    ----------
    clock_hz, baud
        As `uart_host`.
    noise, seed
        Chance that a byte is damaged, either way, and the seed of that.

    Raises
    ------
    InputError
        If an option does not fit, or the design does not check its input.
    MissingToolError, ToolError
        If Verilator is not installed, or fails.
    """
    wire = Wire(clock_hz, baud, noise, seed, quiet=_quiet(design, clock_hz // baud))
    with uart_host(design, clock_hz, baud) as artefact, served(artefact, wire) as port:
        yield port


def link_check(
    design: "Design", x: NDArray[np.generic], *, baud: int = BAUD, noise: float = 0.01, seed: int = 0
) -> dict[str, float]:
    """Send samples through a simulated board whose wire damages bytes, and count wrong answers.

    Returns
    -------
    dict
        `link_samples`, `link_wrong` (classes or logits other than the golden model's), `link_seconds`, and
        `link_resent`, the frames that were sent again.

    Raises
    ------
    InputError, MissingToolError, ToolError, LinkError
        As `simulated` and `Device.simulate`.
    """
    with (
        simulated(design, baud=baud, noise=noise, seed=seed) as port,
        Device(port, design, baud=baud) as device,
    ):
        found = device.verify(x)
        return {
            "link_samples": found.samples,
            "link_wrong": found.wrong,
            "link_seconds": found.seconds,
            "link_resent": device.mended.resent,
        }


def _quiet(design: "Design", bit_cycles: int) -> int:
    """Cycles after the last bit in which the design may still have something to say."""
    longest = design.interface.longest_silence + design.interface.trailing_silence
    return 2 * longest + 1000 * bit_cycles
