"""`spikefold patch`."""

import time
from pathlib import Path

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen

_HELP = """Put the weights of BUILD into the bitstream in FOLDER, without place and route.

FOLDER is what `spikefold bitstream` wrote for a build of the same plan: compile BUILD with --fit and that
build. The result is the bitstream that BUILD would get itself, bit for bit.

\b
Examples:
  spikefold compile better.safetensors -o build2/ --fit build/
  spikefold patch board/ build2/ -o board2/
  spikefold patch board/ build2/ --json
"""


@click.command(help=_HELP)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("build", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write; FOLDER itself if not given."
)
@framed
def patch(screen: Screen, folder: Path, build: Path, output: Path | None) -> Outcome:
    """Replace the weights in a bitstream."""
    began = time.perf_counter()
    with screen.status("checking the build"):
        from spikefold.design import load
        from spikefold.on_board import patch_bitstream

        design = load(build)
    output = folder if output is None else output
    with screen.status("packing"):
        record = patch_bitstream(design, folder, output)
    images = {place.block.image for place in record.places}
    seconds = round(time.perf_counter() - began, 2)
    fields = {
        "board": record.made.board,
        "design": design.name,
        "file": record.made.packed,
        "images": len(images),
        "blocks": len(record.places),
        "seconds": seconds,
        "output": str(output),
    }
    rows = [
        ("images", f"{len(images)} in {len(record.places)} block RAMs"),
        ("file", str(output / record.made.packed)),
        ("seconds", f"{seconds:.1f}"),
    ]
    return Outcome(fields, [Sheet(f"{design.name} on {record.made.board}", rows)])
