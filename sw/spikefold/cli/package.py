"""`spikefold package`."""

from pathlib import Path

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen

_HELP = """Put the design of BUILD on AXI, as a package for Vivado, FuseSoC, LiteX and PYNQ.

The folder has the Verilog with the top <name>_axi, its memory images, the register map as C header, page and
Python module, drivers, and a test bench with samples and the golden model's results.

\b
Examples:
  spikefold package build/ -o ip/
  spikefold package build/ -o ip/ --bytes 8 --result logits
  spikefold package build/ -o ip/ --input events --json
"""


@click.command(help=_HELP)
@click.argument("build", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--input",
    "samples",
    default="dense",
    show_default=True,
    help="What packets of samples hold: dense (every level a byte) or events (a word each).",
)
@click.option("--bytes", "size", type=int, default=4, show_default=True, help="Of a beat: 1, 2, 4, 8 or 16.")
@click.option(
    "--result", default="class", show_default=True, help="What packets of results hold: class or logits."
)
@framed
def package(screen: Screen, build: Path, output: Path, samples: str, size: int, result: str) -> Outcome:
    """Package a build for systems on chip."""
    from typing import cast

    from spikefold.soc import AxiDesign
    from spikefold.soc.package import write_package
    from spikefold_hw.host.axi.config import AxiConfig, Input, Result

    config = AxiConfig(cast(Input, samples), size, cast(Result, result))
    with screen.status("checking the build"):
        from spikefold.design import load

        axi = AxiDesign(load(build), config)
    with screen.status("writing"):
        files = write_package(axi, output)
    words = axi.format.result_words
    fields = {
        "path": str(output),
        "top": axi.top,
        "files": files,
        "registers": {register.name: register.offset for register in axi.registers.registers},
        "result_words": words,
    }
    rows = [
        ("top", axi.top),
        ("files", str(len(files))),
        ("registers", str(len(axi.registers.registers))),
        ("input", f"{config.input}, {config.bytes} bytes a beat"),
        ("result", f"{config.result}, {words} words"),
    ]
    return Outcome(fields, [Sheet(str(output), rows)])
