"""`spikefold export`."""

from pathlib import Path

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen

_HELP = """Write the float network of MODEL in another format.

With --nir it becomes a NIR graph. What NIR cannot say (integer levels, soft reset, scales, the input) is
written as metadata, and importing the file gives the same model back, bit for bit; what readers without the
metadata will do otherwise is told.

\b
Example:
  spikefold export digits.safetensors --nir -o digits.nir
"""


@click.command(help=_HELP)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--nir", "form", flag_value="nir", required=True, help="Write a NIR graph (needs the extra nir)."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--dt", type=float, default=1.0, show_default=True, help="Time step of the constants written.")
@framed
def export(screen: Screen, model: Path, form: str, output: Path, dt: float) -> Outcome:
    """Export a model file."""
    from spikefold import nn
    from spikefold.exporters import exporter

    network = nn.load(model)
    with screen.status("writing"):
        notes = exporter(form).write(network, output, dt)
    for note in notes:
        screen.note(note)
    fields = {"path": str(output), "format": form, "dt": dt, "notes": list(notes)}
    return Outcome(fields, [Sheet(str(output), [("format", form), ("time step", f"{dt:g}")])])
