"""`spikefold train`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikefold.cli.compile import UNROUNDED
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import InputError

if TYPE_CHECKING:
    from spikefold.train import TrainResult

_HELP = """Train the network that RECIPE (a TOML file) describes.

The recipe names the data ("digits", "mnist5000", "fashion", "npz:FILE", "cifar10:FOLDER", ...), the network
(kinds "mlp", "cnn", "lenet", "vgg11", "preact_resnet", "resnet19", "sew_resnet" and others) and the training.

A run that was stopped goes on where it was when started again with the same recipe and output.

--quantize trains with rounded weights: "bits=4" from the first epoch on, "bits=4,leak_terms=2,after=0.5"
with leaks of two shifts and from half of the epochs on. --from starts from the tensors of a trained model
with the recipe's layers, to tune it or to go on.

torchrun trains on several GPUs or hosts; the processes share every batch.

\b
Examples:
  spikefold train examples/digits.toml -o digits.safetensors
  spikefold train examples/digits.toml -o digits.safetensors --no-resume --json
  spikefold train examples/fashion.toml -o fashion.safetensors
  spikefold train examples/fashion_residual.toml -o residual.safetensors -q
  spikefold train examples/digits.toml -o digits.safetensors --keep-first first.safetensors
  spikefold train examples/fashion.toml -o three.safetensors --quantize bits=3 --from fashion.safetensors
  torchrun --nproc-per-node 4 --no-python spikefold train examples/recipes/pit_cifar10.toml -o m.safetensors
"""
_QUANTIZE = {
    "bits": ("weight_bits", int),
    "leak_terms": ("leak_terms", int),
    "after": ("quantize_after", float),
}


@click.command(help=_HELP)
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Model file to write.")
@click.option("--resume/--no-resume", default=True, help="Go on with a stopped run (default), or start anew.")
@click.option("--quantize", metavar="bits=B[,...]", help="Train with weights rounded to B bits.")
@click.option("--from", "start", type=click.Path(path_type=Path), help="Trained model to start from.")
@click.option(
    "--keep-first",
    type=click.Path(path_type=Path),
    help="Write the model after the first epoch too, for analyze --first.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to compute.")
@click.option("--log-dir", type=click.Path(path_type=Path), help="Folder for TensorBoard's files.")
@framed
def train(
    screen: Screen,
    recipe: Path,
    output: Path,
    resume: bool,
    quantize: str | None,
    start: Path | None,
    keep_first: Path | None,
    device: str | None,
    log_dir: Path | None,
) -> Outcome:
    """Train a recipe."""
    from spikefold.train import Recipe
    from spikefold.train import train as run

    changes = {} if quantize is None else _quantization(quantize)
    changes |= {} if device is None else {"device": device}
    changes |= {} if log_dir is None else {"log_dir": str(log_dir)}
    chosen = Recipe.load(recipe)
    chosen = replace(chosen, training=replace(chosen.training, **changes))
    result = run(chosen, output, resume=resume, progress=not screen.quiet, start=start, keep_first=keep_first)
    return _outcome(result, output)


def _quantization(text: str) -> dict[str, Any]:
    """Return the keys of ``[training]`` that a ``--quantize`` option sets."""
    changes: dict[str, Any] = {"quantize_after": 0.0}
    for item in text.split(","):
        name, _, value = item.partition("=")
        try:
            key, kind = _QUANTIZE[name.strip()]
            changes[key] = kind(value)
        except (KeyError, ValueError) as error:
            raise InputError(
                "Option --quantize must be bits=B, optionally with leak_terms=K and after=FRACTION, "
                f"not {text!r}"
            ) from error
    if "weight_bits" not in changes:
        raise InputError(f"Option --quantize must name the bits, as in bits=4, not {text!r}")
    return changes


def _outcome(result: "TrainResult", output: Path) -> Outcome:
    found = {
        "float": result.accuracy,
        "quantized": result.accuracy_quantized,
        "validation": result.accuracy_validation,
    }
    shares = {key: None if value is None else round(100 * value, 4) for key, value in found.items()}
    fields = {
        "path": str(output),
        **{f"accuracy_{key}": value for key, value in shares.items()},
        "epochs": result.epochs,
        "seconds": round(result.seconds, 3),
    }
    rounded = shares["quantized"] is not None
    names = {
        "quantized": "accuracy as deployed, weights rounded",
        "float": UNROUNDED if rounded else "float accuracy",
        "validation": "best accuracy on held-out data",
    }
    shown = ((name, shares[key]) for key, name in names.items())
    rows = [(name, f"{value:.2f} %") for name, value in shown if value is not None]
    rows += [("epochs of this run", str(result.epochs)), ("seconds", f"{result.seconds:.1f}")]
    return Outcome(fields, [Sheet(str(output), rows)])
