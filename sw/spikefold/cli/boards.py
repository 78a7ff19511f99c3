"""`spikefold boards`."""

from pathlib import Path
from typing import Any

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.numbers import number

_HELP = """List the boards that `spikefold bitstream` knows, and whether the design in BUILD fits them.

The answer comes at once, from the bits of memory and an estimate of the LUTs; `spikefold bitstream` has
the last word.

\b
Examples:
  spikefold boards
  spikefold boards build/
  spikefold boards build/ --json
"""


@click.command(help=_HELP)
@click.argument("build", type=click.Path(path_type=Path), required=False)
@framed
def boards(screen: Screen, build: Path | None) -> Outcome:
    """List boards."""
    from spikefold.on_board import capacity, fit
    from spikefold_boards.boards.board import BOARDS

    found = [capacity(board) for board in BOARDS.values()]
    if build is not None:
        with screen.status("checking the build"):
            from spikefold.design import load

            design = load(build)
        cost = design.architecture.cost(design.plan)
        found = [entry | fit(cost, board) for entry, board in zip(found, BOARDS.values(), strict=True)]
    return Outcome({"boards": found}, [_sheet(found)])


def _sheet(found: list[dict[str, Any]]) -> Sheet:
    columns = ["board", "device", "LUTs", "block RAM bits", "oscillator", "gives"]
    judged = "fits" in found[0]
    rows = [_row(entry) + ([_verdict(entry)] if judged else []) for entry in found]
    return Sheet("Boards", rows, [*columns, "fits, by estimate"] if judged else columns)


def _row(entry: dict[str, Any]) -> list[str]:
    return [
        entry["board"],
        entry["device"],
        number(entry["luts"]),
        number(entry["block_ram_bits"]),
        f"{entry['oscillator_mhz']:g} MHz",
        "bitstream" if entry["bitstream"] else "project",
    ]


def _verdict(entry: dict[str, Any]) -> str:
    return "yes" if entry["fits"] else f"no: {entry['reason']}"
