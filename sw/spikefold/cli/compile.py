"""`spikefold compile`."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikefold.cli.data import data_source, load_source
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import InputError, SpikefoldError

if TYPE_CHECKING:
    from spikefold.design import Design
    from spikefold.train import Dataset

_HELP = """Turn the trained MODEL into a build directory: integer network, Verilog, memory images, report.

Accuracies are measured on the test part, lanes and coding chosen on the training part of the data the
model was trained on, unless --data names other data. An earlier build at the output is replaced.

Without --fps or a budget the layer with most work gets up to 32 lanes, and every other layer the fewest
that keep its pace. LUTs are estimates for ECP5.

\b
Examples:
  spikefold compile digits.safetensors -o build/
  spikefold compile digits.safetensors -o build/ --weight-bits layer0=4,readout=8 --lanes layer0=16
  spikefold compile resnet.safetensors -o build/ --fps 200 --clock-mhz 120
  spikefold compile resnet.safetensors -o build/ --lut-budget 40000 --device ecp5-85k
  spikefold compile events.safetensors -o build/ --order step-major --drain layer2=4 --weights loaded
  spikefold compile retrained.safetensors -o build2/ --fit build/
"""

_CHOSEN_BY_FIT = (
    *("name", "lanes", "drain", "coding", "order", "weights"),
    *("fps", "clock_mhz", "lut_budget", "memory_budget"),
)


@click.command("compile", help=_HELP)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--name", help="Name of the design; default: the model file's.")
@click.option("--weight-bits", default="4", show_default=True, help="1..8, or layer=bits,..")
@click.option("--identity-bits", type=int, default=8, show_default=True, help="1..8, of shortcuts' weights.")
@click.option("--input-levels", type=int, help="D_in, 1..255; default: as trained.")
@click.option("--membrane-bits", type=int, help="Let membranes saturate at this width; default: never.")
@click.option("--method", default="max", show_default=True, help="Scale of weights: max, or mse.")
@click.option("--pooling", default="auto", show_default=True, help="Average pools: auto, unit or compose.")
@click.option("--lanes", default="auto", show_default=True, help="auto, a number, or layer=number,..")
@click.option(
    "--drain",
    default="auto",
    show_default=True,
    help="Neurons drained a cycle: auto, a number, or layer=number,..",
)
@click.option("--coding", default="auto", show_default=True, help="auto, binary, naf or unary.")
@click.option(
    "--order", default="auto", show_default=True, help="Order of time: auto, innermost or step-major."
)
@click.option("--weights", default="rom", show_default=True, help="rom, or loaded (by a host after a reset).")
@click.option("--fps", type=float, help="Samples a second to reach, with the fewest lanes that do.")
@click.option(
    "--clock-mhz", type=float, default=100.0, show_default=True, help="Clock that --fps counts with."
)
@click.option("--lut-budget", type=int, help="Most LUTs: the fastest design that fits by estimate.")
@click.option("--memory-budget", type=int, help="Most bits of memory, as --lut-budget.")
@click.option("--device", help="Compare memory with the block RAM of ecp5-85k, ecp5-25k, ice40-up5k or xc7.")
@click.option("--data", help="As in recipes: digits, fashion, cifar10:FOLDER, ..; default: the model's own.")
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
    with screen.status("folding, quantizing, choosing lanes") as say:
        design = _compile(network, model, dataset, options | {"progress": say})
        say("folded, quantized, lanes chosen")
    if source is not None:
        design.info["data"] = source
    with screen.status("writing Verilog and images"):
        design.write(output)
    fields = _fields(design, output)
    fields["seconds"] = round(time.perf_counter() - began, 3)
    return Outcome(fields, _sheets(design, fields))


def _fields(design: "Design", output: Path) -> dict[str, Any]:
    """The JSON object; long lists last."""
    summary = design.summary
    calibration = dict(summary["calibration"])
    pipeline, device = calibration.pop("pipeline"), calibration.pop("device")
    return {
        "path": str(output),
        **{key: value for key, value in summary.items() if key not in ("quantization", "calibration")},
        "device": device,
        "fits": device and device["fits"],
        "order": pipeline["order"],
        "order_reason": pipeline["order_reason"],
        "limit": pipeline["limit"],
        "total": pipeline["total"],
        "pipeline": pipeline["stages"],
        "quantization": summary["quantization"],
        "calibration": calibration,
    }


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
    try:
        source = data_source(name, recipe)
        if source is None:
            screen.note("The model names no data: no accuracies, calibrated on random levels; see --data")
            return None, None
        return load_source(source, screen.quiet), source
    except SpikefoldError as error:
        if name is not None:
            raise
        screen.note(f"No accuracies, calibrated on random levels, as the model's data is missing: {error}")
        return None, None


def _compile(network: Any, model: Path, data: "Dataset | None", options: dict[str, Any]) -> "Design":
    from spikefold.balance.calibrate import MOST_SAMPLES
    from spikefold.compiler import compile as compile_design
    from spikefold.design import load

    fit, name = options.pop("fit"), options.pop("name")
    options["weight_bits"] = parse_weight_bits(options["weight_bits"])
    if fit is not None:
        _refuse_chosen_by_fit()
        options["fit_to"] = load(fit)
    if data is not None:
        options["data"], options["calibration"] = (data.test_x, data.test_y), data.train_x[:MOST_SAMPLES]
    return compile_design(network, name=design_name(model) if name is None else name, **options)


def _refuse_chosen_by_fit() -> None:
    context = click.get_current_context()
    for option in _CHOSEN_BY_FIT:
        if context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            flag = option.replace("_", "-")
            raise click.UsageError(f"--{flag} cannot go with --fit, whose build has chosen it already")


def _sheets(design: "Design", fields: dict[str, Any]) -> list[Sheet]:
    calibration, device = fields["calibration"], fields["device"]
    rows = [
        ("float accuracy", _percent(fields["accuracy_float"])),
        ("integer accuracy", _percent(fields["accuracy_integer"])),
        ("memory bits", _number(fields["memory_bits"])),
        ("estimated LUTs", _number(fields["total"]["luts"])),
        ("cycles per sample", f"{calibration['cycles_interval']:.1f}"),
        ("cycles of one sample", str(calibration["cycles_latency"])),
    ]
    notes = [
        fields["limit"]["text"],
        f"Order of time: {fields['order'].replace('_', '-')}. {fields['order_reason']}",
    ]
    if device is not None:
        rows.append((f"fits the block RAM of {device['device']}", "yes" if device["fits"] else "no"))
        notes += [f"Warning: {device['reason']}."] if device["reason"] else []
    return [
        Sheet(fields["path"], rows),
        _layers(design),
        _pipeline(fields),
        Sheet("", [(note,) for note in notes]),
    ]


def _pipeline(fields: dict[str, Any]) -> Sheet:
    """A row for each stage, the slowest marked with a star, and their total."""
    header = ("stage", "map", "lanes", "Q", "cycles", "bound", "use", "memory", "LUTs")
    rows = [
        (
            row["stage"] + " *" * row["slowest"],
            "x".join(map(str, row["map"])),
            str(row["lanes"] or ""),
            str(row["drain"] or ""),
            _number(row["cycles"]),
            row["bound"],
            "" if row["lane_use"] is None else f"{row['lane_use']:.0%}",
            _number(row["memory_bits"]),
            _number(row["luts"]),
        )
        for row in fields["pipeline"]
    ]
    total = fields["total"]
    blank = ("",) * 3
    numbers = (_number(total["cycles"]), "", "", _number(total["memory_bits"]), _number(total["luts"]))
    return Sheet("Pipeline, cycles a sample", [*rows, ("total", *blank, *numbers)], header)


def _layers(design: "Design") -> Sheet:
    """Widths of every layer, and what it reads: source, digits, weight bits."""
    header = ("layer", "reads", "digits", "bits", "accumulator", "membrane")
    rows = []
    for layer in design.profile.layers:
        windows = [(w.source, w.coding, w.weight_bits) for w in layer.windows]
        reads = windows + [(skip.source, "identity", skip.weight_bits) for skip in layer.skips]
        for k, (source, digits, bits) in enumerate(reads):
            widths = ("", "") if k else (str(layer.widths.accumulator), str(layer.widths.membrane))
            rows.append(("" if k else layer.name, source, digits, str(bits), *widths))
    return Sheet("Layers", rows, header)


def _number(value: float) -> str:
    from spikefold.balance import number

    return number(value)


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} %"
