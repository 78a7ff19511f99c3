"""`spikefold demo`."""

import os
from pathlib import Path

import click

from spikefold.cli.compile import UNROUNDED
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.cli.verify import FAILED

_HELP = """Train, compile, verify and synthesize a network for real handwritten digits, from nothing.

Writes the build directory and, beside it, the trained model. Takes a few minutes on two cores.

\b
Examples:
  spikefold demo
  spikefold demo -o digits --json
"""


@click.command(help=_HELP)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=os.path.join("build", "demo"),
    show_default=True,
    help="Build directory to write.",
)
@framed
def demo(screen: Screen, output: Path) -> Outcome:
    """Run the demo."""
    from spikefold.demo import run

    found = run(output, screen)
    fmax = found.fields["fmax_mhz"]
    rows = [
        ("integer accuracy", f"{found.fields['accuracy_integer']:.2f} %"),
        (UNROUNDED, f"{found.fields['accuracy_float']:.2f} %"),
        ("mismatches", str(found.fields["mismatches"])),
        ("cycles per inference", f"{found.fields['cycles_per_sample']:.1f}"),
        ("LUTs", str(found.fields["lut"])),
        ("Fmax", "not known" if fmax is None else f"{fmax:.1f} MHz"),
        ("multipliers", str(found.fields["multipliers"])),
    ]
    failure = next((each.verdict for each in found.verifications if not each.passed), None)
    sheet = Sheet(f"{output}, {found.fields['device']}", rows)
    return Outcome(found.fields, [sheet], failure, FAILED if failure else 0)
