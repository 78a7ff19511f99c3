"""`spikefold compile`."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import InputError, SpikefoldError

if TYPE_CHECKING:
    from spikefold.design import Design
    from spikefold.train import Dataset

_HELP = """Turn the trained MODEL into a build directory: integer network, Verilog, memory images, report.

Accuracies are measured on the test part, lanes and coding chosen on the training part of the data the
model was trained on, unless --data names other data. An earlier build at the output is replaced.

\b
Examples:
  spikefold compile digits.safetensors -o build/
  spikefold compile digits.safetensors -o build/ --weight-bits layer0=4,readout=8 --lanes layer0=16
  spikefold compile retrained.safetensors -o build2/ --fit build/
"""

_CHOSEN_BY_FIT = ("name", "lanes", "coding")


@click.command("compile", help=_HELP)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--name", help="Name of the design; default: the model file's.")
@click.option("--weight-bits", default="4", show_default=True, help="1..8, or layer=bits,..")
@click.option("--input-levels", type=int, help="D_in, 1..255; default: as trained.")
@click.option("--lanes", default="auto", show_default=True, help="auto, a number, or layer=number,..")
@click.option("--coding", default="auto", show_default=True, help="auto, binary, naf or unary.")
@click.option("--membrane-bits", type=int, help="Let membranes saturate at this width; default: never.")
@click.option("--method", default="max", show_default=True, help="Scale of weights: max, or mse.")
@click.option("--data", help="Data set: digits, mnist5000 or npz:PATH; default: the model's own.")
@click.option(
    "--fit", type=click.Path(path_type=Path), help="Build whose Verilog the model must run on unchanged."
)
@framed
def compile_(screen: Screen, model: Path, output: Path, data: str | None, **options: Any) -> Outcome:
    """Compile a model file."""
    from spikefold.build import check_target

    check_target(output)
    began = time.perf_counter()
    with screen.status("loading the model and its data"):
        network, recipe = _load(model)
        dataset, source = _data(data, recipe, screen)
    with screen.status("folding, quantizing, choosing lanes"):
        design = _compile(network, model, dataset, options)
    if source is not None:
        design.info["data"] = source
    with screen.status("writing Verilog and images"):
        design.write(output)
    fields = {
        "path": str(output),
        **{key: value for key, value in design.summary.items() if key not in ("calibration", "quantization")},
        "quantization": design.summary["quantization"],
        "calibration": design.summary["calibration"],
        "seconds": round(time.perf_counter() - began, 3),
    }
    return Outcome(fields, _sheets(design, fields))


def parse_weight_bits(text: str) -> int | dict[str, int]:
    """Read a number for all layers, or `layer=number,..`.

    Raises
    ------
    InputError
        If a part is not a number.
    """
    try:
        if "=" not in text:
            return int(text)
        pairs = (part.partition("=") for part in text.split(","))
        return {name: int(bits) for name, _, bits in pairs}
    except ValueError:
        raise InputError(f"Weight bits must be a number 1..8 or layer=number,.., not {text!r}") from None


def design_name(model: Path) -> str:
    """Make a design's name, [a-z][a-z0-9_]*, of a model file's."""
    name = re.sub(r"[^a-z0-9]+", "_", model.stem.lower()).lstrip("_0123456789").rstrip("_")
    return name or "network"


def _load(model: Path) -> tuple[Any, dict[str, Any] | None]:
    from spikefold import nn

    return nn.load(model), nn.read_meta(model).get("recipe")


def _data(
    name: str | None, recipe: dict[str, Any] | None, screen: Screen
) -> tuple["Dataset | None", dict[str, Any] | None]:
    """The data set and where it is from; without --data one that cannot be had is only noted."""
    from spikefold.train import Recipe, load_data

    if name is not None:
        return load_data(name), {"name": name, "seed": 0}
    if recipe is None:
        screen.note("The model names no data: no accuracies, calibrated on random levels; see --data")
        return None, None
    try:
        options = Recipe.from_dict(recipe).data
        data = load_data(options.name, seed=options.seed)
    except SpikefoldError as error:
        screen.note(f"No accuracies, calibrated on random levels, as the model's data is missing: {error}")
        return None, None
    return data, {"name": options.name, "seed": options.seed}


def _compile(network: Any, model: Path, data: "Dataset | None", options: dict[str, Any]) -> "Design":
    from spikefold.compiler import compile as compile_design
    from spikefold.design import load

    fit, name = options.pop("fit"), options.pop("name")
    options["weight_bits"] = parse_weight_bits(options["weight_bits"])
    if fit is not None:
        _refuse_chosen_by_fit()
        options["fit_to"] = load(fit)
    if data is not None:
        options["data"], options["calibration"] = (data.test_x, data.test_y), data.train_x
    return compile_design(network, name=design_name(model) if name is None else name, **options)


def _refuse_chosen_by_fit() -> None:
    context = click.get_current_context()
    for option in _CHOSEN_BY_FIT:
        if context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{option} cannot go with --fit, whose build has chosen it already")


def _sheets(design: "Design", fields: dict[str, Any]) -> list[Sheet]:
    sources = list(fields["coding"].items())
    layers = [
        (
            layer.name,
            str(layer.channels),
            str(layer.lanes),
            str(layer.windows[0].weight_bits),
            str(layer.widths.accumulator),
            str(layer.widths.membrane),
            f"{source}: {coding}",
        )
        for layer, (source, coding) in zip(design.profile.layers, sources, strict=True)
    ]
    header = ("layer", "neurons", "lanes", "bits", "accumulator", "membrane", "digits")
    rows = [
        ("float accuracy", _percent(fields["accuracy_float"])),
        ("integer accuracy", _percent(fields["accuracy_integer"])),
        ("memory bits", str(fields["memory_bits"])),
    ]
    if fields["calibration"] is not None:
        rows.append(("cycles per sample", f"{fields['calibration']['cycles_interval']:.1f}"))
        rows.append(("cycles of one sample", f"{fields['calibration']['cycles_latency']}"))
    return [Sheet(fields["path"], rows), Sheet("Layers", layers, header)]


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} %"
