"""The benchmark's network, digits and the CNN for Fashion-MNIST on every board that they fit.

    python bench/boards.py [--json] [--boards A,B] [--networks A,B] [--seeds N] [--folder FOLDER]

Every bitstream is made whole: design, host on a UART at 1 Mbaud, PLL, pins. `per_second` is what the design
does at the PLL's clock, `per_second_linked` what the serial line lets through of that. Where a design needs
more memory than a board has nothing is placed. Digits are trained here; the data of Fashion-MNIST is found
as for bench/fashion.py.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from figures import show
from numpy.typing import NDArray
from parts import benchmark, digits_design, fashion_design, say

from spikefold.attached.gateware import BAUD
from spikefold.demo import RECIPE
from spikefold.design import Design
from spikefold.errors import ToolError
from spikefold.on_board import fit, make_bitstream
from spikefold.train import load_data
from spikefold_boards.boards.bitstream import Options
from spikefold_boards.boards.board import BOARDS, Board
from spikefold_hw.host.uart.levels import pack_levels

NETWORKS = ("mnist", "digits", "fashion")
SAMPLES = 20

TARGETS = {"benchmark_fmax_mhz": ">= 140", "icebreaker_fmax_mhz": ">= 40", "seconds_most": "<= 300"}

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


def rows(boards: list[str], networks: list[str], seeds: int, fashion: str) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        made = cases(Path(folder), fashion)
        for network in networks:
            design, x = made[network]()
            for board in boards:
                yield row(design, x, BOARDS[board], seeds, Path(folder))


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
    found = list(rows(*chosen, arguments.seeds, fashion))
    figures = figures_of(found)
    if arguments.json:
        show("Boards", {"designs": found, **figures}, TARGETS, True)
        return
    for one in found:
        show(f"{one['network']} on {one['board']}", one, {}, False)
    show("Boards", figures, TARGETS, False)


if __name__ == "__main__":
    main()
