"""The benchmark's network, digits and the CNN for Fashion-MNIST on every board that they fit.

    python bench/boards.py [--json] [--boards A,B] [--networks A,B] [--seeds N] [--folder FOLDER]

`patch_equal`: digits on the iCEBreaker with other weights, patched, and made whole; the files are the same.
`link_samples`, `link_wrong`: digits through the simulated board at 1 Mbaud, 1 % of the bytes damaged.

Every bitstream is made whole: design, host on a UART at 1 Mbaud, PLL, pins. `per_second` is what the design
does at the PLL's clock, `per_second_linked` what the serial line lets through of that. Where a design needs
more memory than a board has nothing is placed. Digits are trained here; the data of Fashion-MNIST is found
as for bench/fashion.py.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from figures import show
from numpy.typing import NDArray
from parts import benchmark, digits_design, fashion_design, say

from spikefold.attached.board import link_check
from spikefold.attached.gateware import BAUD, uart_host
from spikefold.demo import RECIPE
from spikefold.design import Design
from spikefold.errors import ToolError
from spikefold.flow.artefact import Artefact
from spikefold.on_board import fit, make_bitstream
from spikefold.train import load_data
from spikefold_boards.boards.bitstream import Options, bitstream
from spikefold_boards.boards.board import BOARDS, Board
from spikefold_boards.boards.patching import patch
from spikefold_boards.patch.record import Record
from spikefold_hw.host.uart.levels import pack_levels

NETWORKS = ("mnist", "digits", "fashion")
SAMPLES = 20

LINK_SAMPLES = 1000
PATCH_MHZ = 40

TARGETS = {
    "benchmark_fmax_mhz": ">= 140",
    "icebreaker_fmax_mhz": ">= 40",
    "seconds_most": "<= 300",
    "patch_equal": "True",
    "patch_seconds": "<= 10",
    "link_samples": "1000",
    "link_wrong": "0",
}

_RESULT_BYTES = 14
"""Of the frame with a result, without logits."""

_BITS = 10
"""Of a byte on the wire, with start and stop."""

Samples = NDArray[np.generic]


def cases(folder: Path, fashion: str) -> dict[str, Callable[[], tuple[Design, Samples]]]:
    """Designs by name, with samples for their timing, each made when it is asked for."""

    @cache
    def mnist() -> tuple[Design, Samples]:
        return benchmark(), load_data("mnist5000", seed=0).test_x[:SAMPLES]

    @cache
    def digits() -> tuple[Design, Samples]:
        data = load_data(RECIPE.data.name, **RECIPE.data.keywords())
        return digits_design(folder), data.test_x[:SAMPLES]

    @cache
    def cnn() -> tuple[Design, Samples]:
        data = load_data(fashion, seed=0)
        return fashion_design(data), data.test_x[:SAMPLES]

    return {"mnist": mnist, "digits": digits, "fashion": cnn}


def wire_bytes(design: Design, x: Samples) -> float:
    """Bytes of a sample on the wire, on average, or of its result where that is longer."""
    sizes = [len(pack_levels(sample, design.network.input.levels)) for sample in design.encode(x)]
    return max(float(np.mean(sizes)), _RESULT_BYTES)


def row(design: Design, x: Samples, board: Board, seeds: int, folder: Path) -> dict[str, Any]:
    """One design on one board."""
    head = {"board": board.name, "network": design.name}
    estimate = fit(design.architecture.cost(design.plan), board)
    if estimate["memory_bits"] > board.fpga.block_ram_bits:
        return {**head, "fits": False, "reason": estimate["reason"]}
    say(f"{design.name} on {board.name}")
    try:
        found = make_bitstream(
            design, board.name, folder / f"{design.name}-{board.name}", Options(seeds=seeds)
        )
    except ToolError as error:
        return {**head, "fits": None, "reason": str(error).splitlines()[0]}
    placed = found.synthesis
    figures = {name: getattr(placed, name) for name in ("lut", "ff", "bram", "fmax_mhz", "seconds")}
    if not placed.fits or found.clock_mhz is None:
        return {**head, "fits": False, "reason": placed.reason, **figures}
    cycles = design.cycles(x).interval
    rate = found.clock_mhz * 1e6 / cycles
    linked = min(rate, BAUD / _BITS / wire_bytes(design, x))
    speed = {"cycles": cycles, "per_second": round(rate), "per_second_linked": round(linked)}
    return {**head, "fits": True, "reason": None, **figures, "clock_mhz": found.clock_mhz, **speed}


@contextmanager
def other_weights(design: Design, hertz: int) -> Iterator[Artefact]:
    """The design with its host, the rows of all weights in reverse."""
    with uart_host(design, hertz) as artefact:
        for path in artefact.images:
            if "weight" in path.name:
                path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
        yield artefact


def patched(design: Design, folder: Path) -> dict[str, Any]:
    """A finished bitstream with other weights beside one that was made whole."""
    say(f"{design.name} patched")
    board, options = BOARDS["icebreaker"], Options(mhz=PATCH_MHZ)
    made, whole, new = (folder / name for name in ("made", "whole", "new"))
    make_bitstream(design, board.name, made, options)
    host = partial(other_weights, design)
    file = bitstream(design.name, host, board, whole, options, baud=BAUD).file
    begin = time.perf_counter()
    patch(Record.read(made), made, host, new)
    seconds = time.perf_counter() - begin
    bits = [(path / str(file)).read_bytes() for path in (made, whole, new)]
    return {"patch_equal": bits[0] != bits[1] == bits[2], "patch_seconds": round(seconds, 2)}


def linked(design: Design, x: Samples) -> dict[str, Any]:
    """Samples through the simulated board."""
    say(f"{design.name} through the wire")
    return link_check(design, x[np.arange(LINK_SAMPLES) % len(x)])


def run(boards: list[str], networks: list[str], seeds: int, fashion: str) -> dict[str, Any]:
    """All figures: one design after the other, then those that need one board or none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = cases(folder, fashion)
        found = [
            row(*made[network](), BOARDS[board], seeds, folder) for network in networks for board in boards
        ]
        figures = {"designs": found, **figures_of(found)}
        if "digits" in networks:
            design, x = made["digits"]()
            figures |= patched(design, folder) if "icebreaker" in boards else {}
            figures |= linked(design, x)
    return figures


def figures_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures that have a target."""
    by_case = {(one["board"], one["network"]): one for one in found}
    named = {"benchmark": ("ulx3s-85f", "mnist"), "icebreaker": ("icebreaker", "digits")}
    figures = {f"{name}_fmax_mhz": by_case.get(case, {}).get("fmax_mhz") for name, case in named.items()}
    seconds = [by_case.get(case, {}).get("seconds") for case in named.values()]
    return {**figures, "seconds_most": max((one for one in seconds if one is not None), default=None)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--boards", default=",".join(BOARDS), help="names, separated by commas (all)")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="of mnist, digits, fashion (all)")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of place and route to try (1)")
    parser.add_argument("--folder", type=Path, help="folder of the four IDX files of Fashion-MNIST")
    arguments = parser.parse_args()
    fashion = "fashion" if arguments.folder is None else f"idx:{arguments.folder}"
    chosen = arguments.boards.split(","), arguments.networks.split(",")
    figures = run(*chosen, arguments.seeds, fashion)
    if arguments.json:
        show("Boards", figures, TARGETS, True)
        return
    for one in figures.pop("designs"):
        show(f"{one['network']} on {one['board']}", one, {}, False)
    show("Boards", figures, TARGETS, False)


if __name__ == "__main__":
    main()
