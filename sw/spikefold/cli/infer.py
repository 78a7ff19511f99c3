"""`spikefold infer`."""

import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikefold.cli.data import levels_option
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import InputError
from spikefold.files import write_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spikefold.design import Design

_HELP = """Run samples on a device that is attached to a serial port.

The input is a .npy file as for `simulate`, or an image file. With the build that the device was made of it is
checked that it holds that network, features and images are encoded, and loaded weights are loaded. Without
one the input must hold input levels.

\b
Examples:
  spikefold infer --port /dev/ttyUSB1 --build build/ x.npy
  spikefold infer --port /dev/ttyUSB1 --build build/ seven.png --json
"""


@click.command(help=_HELP)
@click.argument("path", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--port", required=True, help="Serial port, as /dev/ttyUSB1 or COM3, or a URL of pyserial.")
@click.option("--build", type=click.Path(path_type=Path), help="Build that the device was made of.")
@click.option("--baud", type=int, default=1_000_000, show_default=True, help="Bits a second.")
@click.option("--timeout", type=float, default=5.0, show_default=True, help="Seconds to wait for an answer.")
@levels_option
@click.option("--output", type=click.Path(path_type=Path), help="Logits, as a .npy file to write.")
@click.option("--check", is_flag=True, help="Hold every answer against the golden model; needs --build.")
@framed
def infer(
    screen: Screen,
    path: Path,
    port: str,
    build: Path | None,
    baud: int,
    timeout: float,
    levels: bool | None,
    output: Path | None,
    check: bool,
) -> Outcome:
    """Run samples on a device."""
    with screen.status("reading the input"):
        from spikefold.attached import Device
        from spikefold.design import load

        if check and build is None:
            raise InputError("Option --check needs the network: give the build with --build")
        if output is not None and output.is_dir():
            raise InputError(f"Output must be a file, not the directory {str(output)!r}; add a file name")
        design = None if build is None else load(build)
        x = _samples(path, design, levels)
    with Device(port, design, baud=baud, timeout=timeout) as device:
        with screen.samples("inferring") as progress:
            found = device.simulate(x, logits=check or output is not None, progress=progress)
        fields: dict[str, Any] = {
            "samples": len(found.classes),
            "classes": found.classes.tolist(),
            "seconds": found.seconds,
            "per_second": round(len(found.classes) / found.seconds, 1) if len(found.classes) else None,
            "network": f"{device.hello.register('network'):08x}",
            "mended": asdict(found.mended),
            "counters": device.counters(),
            "wrong": found.differ_from(device.golden(x)) if check else None,
            "output": None if output is None else str(output),
        }
    if output is not None:
        if found.logits is None:
            raise InputError(
                "Output must be of a device that sends logits, but this one has too many classes"
            )
        _write(output, found.logits)
    failure = f"{fields['wrong']} samples differ from the golden model" if fields["wrong"] else None
    return Outcome(fields, [_sheet(port, fields)], failure, 6 if failure else 0)


def _samples(path: Path, design: "Design | None", levels: bool | None) -> "NDArray[Any]":
    """The samples of a file: arrays, or an image for a design."""
    from spikefold.cli.samples import read_picture, read_samples, read_understood

    if path.suffix.lower() == ".npy":
        return read_samples(path) if design is None else read_understood(path, levels, design.network)[0]
    if design is None:
        raise InputError(f"Image {str(path)!r} needs the network's input: give the build with --build")
    return read_picture(path, design.network)


def _write(output: Path, logits: "NDArray[Any]") -> None:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, logits, allow_pickle=False)
    write_atomic(output, buffer.getvalue())


def _sheet(port: str, fields: dict[str, Any]) -> Sheet:
    classes = fields["classes"]
    rows = [
        ("samples", str(fields["samples"])),
        ("classes", " ".join(map(str, classes[:16])) + " .." * (len(classes) > 16)),
        ("seconds", f"{fields['seconds']:.3f}"),
        ("samples per second", "none" if fields["per_second"] is None else f"{fields['per_second']:,}"),
        ("network", fields["network"]),
        ("frames sent again", str(fields["mended"]["resent"])),
    ]
    if fields["wrong"] is not None:
        rows.append(("differ from the golden model", str(fields["wrong"])))
    return Sheet(port, rows)
