"""`spikefold train`."""

from pathlib import Path

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen

_HELP = """Train the network that RECIPE (a TOML file) describes.

The recipe names the data ("digits", "mnist5000", "fashion", "npz:FILE", "idx:FOLDER"), the network (kinds
"mlp", "cnn", "lenet", "vgg11", "preact_resnet", "resnet19", "sew_resnet" and others) and the training.

A run that was stopped goes on where it was when started again with the same recipe and output.

\b
Examples:
  spikefold train examples/digits.toml -o digits.safetensors
  spikefold train examples/digits.toml -o digits.safetensors --no-resume --json
  spikefold train examples/fashion.toml -o fashion.safetensors
  spikefold train examples/fashion_residual.toml -o residual.safetensors -q
"""


@click.command(help=_HELP)
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Model file to write.")
@click.option("--resume/--no-resume", default=True, help="Go on with a stopped run (default), or start anew.")
@framed
def train(screen: Screen, recipe: Path, output: Path, resume: bool) -> Outcome:
    """Train a recipe."""
    from spikefold.train import train as run

    result = run(recipe, output, resume=resume, progress=not screen.quiet)
    quantized = result.accuracy_quantized
    fields = {
        "path": str(output),
        "accuracy_float": round(100 * result.accuracy, 4),
        "accuracy_quantized": None if quantized is None else round(100 * quantized, 4),
        "epochs": result.epochs,
        "seconds": round(result.seconds, 3),
    }
    rows = [
        ("float accuracy", f"{fields['accuracy_float']:.2f} %"),
        ("epochs of this run", str(result.epochs)),
        ("seconds", f"{result.seconds:.1f}"),
    ]
    if quantized is not None:
        rows.insert(1, ("accuracy with rounded weights", f"{fields['accuracy_quantized']:.2f} %"))
    return Outcome(fields, [Sheet(str(output), rows)])
