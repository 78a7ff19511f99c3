"""`spikefold compile`."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikefold.choices import ModelChoices, names_of
from spikefold.cli.choices import flag_of, options_of
from spikefold.cli.data import data_source, load_source
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import SpikefoldError
from spikefold.numbers import number
from spikefold_hw.architectures import ARCHITECTURES, DEFAULT, config_of

if TYPE_CHECKING:
    from spikefold.design import Design
    from spikefold.train import Dataset

UNROUNDED = "without rounding the weights"

_HELP = """Turn the trained MODEL into a build directory: integer network, Verilog, memory images, report.

Accuracies are measured on the test part, lanes and coding chosen on the training part of the data the
model was trained on, unless --data names other data. An earlier build at the output is replaced.

Without --fps or a budget the layer with most work gets up to 32 lanes, and every other layer the fewest
that keep its pace. LUTs are estimates for ECP5.

\b
Examples:
  spikefold compile digits.safetensors -o build/
  spikefold compile digits.safetensors -o build/ --weight-bits layer0=4,readout=8 --lanes layer0=16
  spikefold compile letters.safetensors -o build/ --weight-bits auto --max-loss 0.3
  spikefold compile resnet.safetensors -o build/ --fps 200 --clock-mhz 120
  spikefold compile resnet.safetensors -o build/ --lut-budget 40000 --device ecp5-85k
  spikefold compile events.safetensors -o build/ --order step-major --units layer2=4 --weights loaded
  spikefold compile retrained.safetensors -o build2/ --fit build/
"""


@click.command("compile", help=_HELP)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--name", help="Name of the design; default: the model file's.")
@options_of(ModelChoices)
@click.option(
    "--architecture",
    default=DEFAULT,
    show_default=True,
    type=click.Choice(list(ARCHITECTURES)),
    help="How the network is built.",
)
@options_of(*map(config_of, ARCHITECTURES))
@click.option(
    "--device",
    help="Compare memory with the block RAM of ecp5-85k, ecp5-25k, ice40-up5k, ice40-hx8k, gowin-9k, "
    "gowin-20k or xc7.",
)
@click.option("--data", help="As in recipes: digits, fashion, cifar10:FOLDER, ..; default: the model's own.")
@click.option(
    "--fit", type=click.Path(path_type=Path), help="Build whose Verilog the model must run on unchanged."
)
@framed
def compile_(
    screen: Screen,
    model: Path,
    output: Path,
    name: str | None,
    architecture: str,
    device: str | None,
    data: str | None,
    fit: Path | None,
    **choices: Any,
) -> Outcome:
    """Compile a model file."""
    from spikefold.build import check_target

    check_target(output)
    began = time.perf_counter()
    options: dict[str, Any] = {"device": device, **_chosen(architecture, choices)}
    with screen.status("loading the model and its data"):
        network, meta = _load(model)
        dataset, source = _data(data, meta, screen)
        if fit is None:
            options |= {"architecture": architecture, "name": design_name(model) if name is None else name}
        else:
            options |= _fitting(fit)
    with screen.status("folding, quantizing, choosing lanes") as say:
        design = _compile(network, dataset, options | {"progress": say})
        say("folded, quantized, lanes chosen")
    if source is not None:
        design.info["data"] = source
    with screen.status("writing Verilog and images"):
        design.write(output)
    fields = _fields(design, output)
    fields["seconds"] = round(time.perf_counter() - began, 3)
    return Outcome(fields, _sheets(fields))


def _chosen(architecture: str, choices: dict[str, Any]) -> dict[str, Any]:
    """The choices that are the model's or this architecture's; others may not be given."""
    known = {*names_of(ModelChoices), *names_of(config_of(architecture))}
    for name in sorted(choices.keys() - known):
        if _is_given(name):
            raise click.UsageError(f"{flag_of(name)} is no option of the architecture {architecture!r}")
    return {name: value for name, value in choices.items() if name in known}


def _fitting(build: Path) -> dict[str, Any]:
    """Options of a design that must run on a build's Verilog, which has chosen all that shapes hardware."""
    from spikefold.design import load

    design = load(build)
    for name in ("name", "architecture", *names_of(design.architecture.config)):
        if _is_given(name):
            raise click.UsageError(f"{flag_of(name)} cannot go with --fit, whose build has chosen it already")
    return {"fit_to": design}


def _is_given(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is click.core.ParameterSource.COMMANDLINE


def _fields(design: "Design", output: Path) -> dict[str, Any]:
    """The JSON object; long lists last."""
    summary = design.summary
    calibration = dict(summary["calibration"])
    pipeline, device = calibration.pop("pipeline"), calibration.pop("device")
    return {
        "path": str(output),
        **{key: value for key, value in summary.items() if key not in ("quantization", "calibration")},
        "rounding": design.info.get("rounding"),
        "loss": design.info.get("loss"),
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


def design_name(model: Path) -> str:
    """Make a design's name, [a-z][a-z0-9_]*, of a model file's."""
    from spikefold.ir.stages import MAX_NAME

    name = re.sub(r"[^a-z0-9]+", "_", model.stem.lower()).lstrip("_0123456789").rstrip("_")
    return name[:MAX_NAME] or "network"


def _load(model: Path) -> tuple[Any, dict[str, Any]]:
    from spikefold import nn

    return nn.load(model), nn.read_meta(model)


def _data(
    name: str | None, meta: dict[str, Any], screen: Screen
) -> tuple["Dataset | None", dict[str, Any] | None]:
    """The data set and where it is from; without --data one that cannot be had is only noted."""
    try:
        source = data_source(name, meta)
        if source is None:
            screen.note("The model names no data: no accuracies, calibrated on random levels; see --data")
            return None, None
        return load_source(source, screen.quiet), source
    except SpikefoldError as error:
        if name is not None:
            raise
        screen.note(f"No accuracies, calibrated on random levels, as the model's data is missing: {error}")
        return None, None


def _compile(network: Any, data: "Dataset | None", options: dict[str, Any]) -> "Design":
    from spikefold.compiler import compile as compile_design

    if data is not None:
        options["data"], options["calibration"] = (data.test_x, data.test_y), (data.train_x, data.train_y)
    return compile_design(network, **options)


def _sheets(fields: dict[str, Any]) -> list[Sheet]:
    calibration, device = fields["calibration"], fields["device"]
    rows = [
        ("integer accuracy", _percent(fields["accuracy_integer"])),
        (_float_name(fields["rounding"]), _percent(fields["accuracy_float"])),
        ("memory bits", number(fields["memory_bits"])),
        ("estimated LUTs", number(fields["total"]["luts"])),
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
        _layers(fields),
        _pipeline(fields),
        Sheet("", [(note,) for note in notes]),
    ]


def _float_name(rounding: dict[str, Any] | None) -> str:
    """What the float network's accuracy is called: after training with rounded weights nobody deploys it."""
    return UNROUNDED if rounding is not None and rounding["trained"] else "float accuracy"


def _pipeline(fields: dict[str, Any]) -> Sheet:
    """A row for each stage, the slowest marked with a star, and their total."""
    header = ("stage", "map", "lanes", "Q", "cycles", "bound", "use", "memory", "LUTs")
    rows = [
        (
            row["stage"] + " *" * row["slowest"],
            "x".join(map(str, row["map"])),
            str(row["lanes"] or ""),
            str(row["units"] or ""),
            number(row["cycles"]),
            row["bound"],
            "" if row["lane_use"] is None else f"{row['lane_use']:.0%}",
            number(row["memory_bits"]),
            number(row["luts"]),
        )
        for row in fields["pipeline"]
    ]
    total = fields["total"]
    blank = ("",) * 3
    numbers = (number(total["cycles"]), "", "", number(total["memory_bits"]), number(total["luts"]))
    return Sheet("Pipeline, cycles a sample", [*rows, ("total", *blank, *numbers)], header)


def _layers(fields: dict[str, Any]) -> Sheet:
    """Widths of every layer, and what it reads: source, digits, weight bits."""
    header = ("layer", "reads", "digits", "bits", "accumulator", "membrane")
    rows = []
    for name, reads in fields["reads"].items():
        widths = fields["widths"][name]
        for k, row in enumerate(reads):
            sums = ("", "") if k else (str(widths["accumulator"]), str(widths["membrane"]))
            read = (row["source"], row["digits"], str(row["weight_bits"]))
            rows.append(("" if k else name, *read, *sums))
    return Sheet("Layers", rows, header)


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} %"
