"""`spikefold bitstream`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.cli.synth import figures
from spikefold.errors import InputError
from spikefold.flow.run import TIMEOUT

if TYPE_CHECKING:
    from spikefold_boards.boards.result import BitstreamResult

_HELP = """Make the bitstream of BUILD, with its host on the board's serial line, for a board.

The design is placed and routed with the board's pins, and clocked by its PLL as fast as the result allows
with some margin. Boards are listed by `spikefold boards`. For a board that only its vendor's tool can
serve, a project for that tool is written. Results are cached by the content of the build.

\b
Examples:
  spikefold bitstream build/ --board icebreaker -o board/
  spikefold bitstream build/ --board ulx3s-85f --seeds 3 --json
  spikefold bitstream build/ --board tang-nano-20k --mhz 60 --baud 3000000
"""


@click.command(help=_HELP)
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--board", required=True, help="A name that `spikefold boards` lists.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write; BUILD-BOARD if not given."
)
@click.option(
    "--mhz", type=float, help="Highest frequency of the clock; the fastest that is met if not given."
)
@click.option("--baud", type=int, help="Bits a second of the serial line.  [default: 1000000]")
@click.option("--seeds", type=int, default=1, show_default=True, help="Placements to try at each clock.")
@click.option(
    "--timeout", type=float, default=TIMEOUT, show_default=True, help="Seconds that a run of a tool may take."
)
@click.option("--cache/--no-cache", default=True, help="Use earlier results (default), or not.")
@framed
def bitstream(
    screen: Screen,
    build: Path,
    board: str,
    output: Path | None,
    mhz: float | None,
    baud: int | None,
    seeds: int,
    timeout: float,
    cache: bool,
) -> Outcome:
    """Make a bitstream."""
    with screen.status("checking the build"):
        from spikefold.attached.gateware import BAUD
        from spikefold.design import load
        from spikefold.on_board import make_bitstream
        from spikefold_boards.boards.bitstream import Options
        from spikefold_boards.boards.board import find_board

        title = find_board(board).title
        options = Options(mhz=mhz, seeds=seeds, timeout=timeout)
        design = load(build)
    output = build.with_name(f"{build.name}-{board}") if output is None else output
    rate = BAUD if baud is None else baud
    with screen.status(f"making the bitstream for {board}") as progress:
        options = Options(mhz=mhz, seeds=seeds, timeout=timeout, progress=progress)
        found = make_bitstream(design, board, output, options, baud=rate, use_cache=cache)
    if found.file is None:
        raise InputError(
            f"Design {design.name!r} must fit {title}, but it does not: {found.synthesis.reason}; "
            "`spikefold boards BUILD` tells which boards are larger"
        )
    fields = {**found.to_json(), "baud": rate, "output": str(output)}
    return Outcome(fields, [_sheet(found, output), _utilization(found)])


def _sheet(found: "BitstreamResult", output: Path) -> Sheet:
    clock = f"{found.clock_mhz:.3f} MHz, from {found.oscillator_mhz:g} MHz"
    rows = [("clock", clock), *figures(found.synthesis)[1:], ("file", str(output / (found.file or "")))]
    return Sheet(f"{found.design} on {found.board} ({found.synthesis.part})", rows)


def _utilization(found: "BitstreamResult") -> Sheet:
    rows = [
        (name, str(entry["used"]), str(entry["available"]), f"{entry['used'] / entry['available']:.0%}")
        for name, entry in found.synthesis.utilization.items()
    ]
    return Sheet("Utilization", rows, ("resource", "used", "available", "share"))
