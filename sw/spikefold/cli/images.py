"""`spikefold images`."""

from pathlib import Path

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen

_HELP = """Write the memory images of BUILD in the format of a vendor's tool.

\b
  coe         Vivado's block memory generator
  xilinx-mif  Vivado: a binary word a line
  intel-mif   Quartus: memory initialization file
  intel-hex   Quartus: Intel HEX, a record a word
  gowin-mi    Gowin EDA
  mem, bin    as they are in BUILD: $readmemh, and bytes for a host

\b
Examples:
  spikefold images build/ --format coe -o coe/
  spikefold images build/ --format intel-mif --json
"""


@click.command(help=_HELP)
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--format", "form", required=True, help="One of the names above.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write; BUILD-FORMAT if not given."
)
@framed
def images(screen: Screen, build: Path, form: str, output: Path | None) -> Outcome:
    """Write memory images."""
    with screen.status("checking the build"):
        from spikefold.design import load
        from spikefold.vendor_images import write_images

        design = load(build)
    output = build.with_name(f"{build.name}-{form}") if output is None else output
    with screen.status("writing"):
        files = write_images(design.images, form, output)
    found = [
        {"name": name, "file": file.name, "bits": image.width, "rows": len(image.data)}
        for (name, image), file in zip(design.images.items(), files, strict=True)
    ]
    rows = [(str(each["file"]), str(each["bits"]), str(each["rows"])) for each in found]
    sheet = Sheet(f"{output}, {form}", rows, ("file", "bits", "rows"))
    return Outcome({"format": form, "output": str(output), "images": found}, [sheet])
