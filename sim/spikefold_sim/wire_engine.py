"""A board that is not there: a design with a host on a UART in Verilator, behind a pseudo-terminal."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spikefold.errors import InputError, ToolError
from spikefold.flow.artefact import Artefact
from spikefold.flow.run import Leash, run
from spikefold.flow.tools import Tool, find_tool
from spikefold.flow.work import work_folder
from spikefold_sim.build import build_wire, simulator_cache
from spikefold_sim.wrapper import TOP

_START_SECONDS = 60.0


@dataclass(frozen=True)
class Wire:
    """What the wire of a simulated board is like.

    Attributes
    ----------
    clock_hz, baud
        As the design was made for.
    noise
        Chance of a byte, either way, that some of its bits flip.
    seed
        Of the noise.
    quiet
        Cycles without a bit after which the clock stands still until a byte comes; more than the design ever
        takes from a sample to its result.
    """

    clock_hz: int
    baud: int
    noise: float = 0.0
    seed: int = 0
    quiet: int = 1_000_000

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise InputError(f"Noise must be a chance from 0 to 1, not {self.noise!r}")

    @property
    def arguments(self) -> list[str]:
        """Of the executable."""
        numbers = (self.clock_hz, self.baud, min(round(self.noise * 2**32), 2**32 - 1), self.seed, self.quiet)
        return ["wire", *map(str, numbers)]


def build(artefact: Artefact, cache: Path | None = None) -> Path:
    """The executable of a design with a host on a UART; compiled if it was not before.

    Raises
    ------
    MissingToolError
        Verilator is not installed.
    ToolError
        The Verilog does not compile.
    """
    return build_wire(find_tool("verilator"), artefact, simulator_cache(cache)) / TOP


@contextmanager
def served(artefact: Artefact, wire: Wire, cache: Path | None = None) -> Iterator[str]:
    """Run the board for the length of the block; the path of its port, which programs may open and close.

    Raises
    ------
    InputError
        If an option of the wire is out of its range.
    MissingToolError, ToolError
        As `build`, or the simulator does not start.
    """
    tool = Tool(TOP, (str(build(artefact, cache)),))
    told: queue.Queue[str] = queue.Queue()
    with work_folder() as folder, Leash() as leash:
        artefact.link_images(folder)

        def hear(line: str) -> bool:
            told.put(line)
            return line.startswith("port ")

        def serve() -> None:
            finished = run(tool, wire.arguments, folder, check=False, on_line=hear, leash=leash)
            told.put(f"ended {finished.output}")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield _port(told)
        finally:
            leash.cut()
            thread.join()


def _port(told: "queue.Queue[str]") -> str:
    """Wait for the name of the port."""
    try:
        first, _, name = told.get(timeout=_START_SECONDS).strip().partition(" ")
    except queue.Empty:
        raise ToolError(f"Simulated board must start within {_START_SECONDS:g} s, but did not") from None
    if first != "port":
        raise ToolError(f"Simulated board must start, but ended: {name or first}")
    return name
