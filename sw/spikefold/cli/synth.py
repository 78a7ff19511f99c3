"""`spikefold synth`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.flow.run import TIMEOUT

if TYPE_CHECKING:
    from spikefold_boards.result import SynthResult

_HELP = """Synthesize the Verilog of BUILD for a device, and place and route it where an open tool can.

A device that is too small is a result, not an error: fits is then no (false), with the reason. Results
are cached by the content of the build.

\b
Examples:
  spikefold synth build/ --device ecp5-85k
  spikefold synth build/ --device ecp5-25k --speed 8 --seeds 3
  spikefold synth build/ --device ice40-up5k --no-cache --json
"""


@click.command(help=_HELP)
@click.argument("build", type=click.Path(path_type=Path))
@click.option(
    "--device",
    required=True,
    help="ecp5-85k, ecp5-25k, ice40-up5k, ice40-hx8k, gowin-9k, gowin-20k or xc7 (resources only).",
)
@click.option("--speed", type=int, help="Speed grade of an ECP5: 6 (default), 7 or 8.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Placements to try.")
@click.option(
    "--timeout", type=float, default=TIMEOUT, show_default=True, help="Seconds that a run of a tool may take."
)
@click.option("--cache/--no-cache", default=True, help="Use earlier results (default), or not.")
@click.option("--record", is_flag=True, help="Keep the result in the build, and show it in its report.html.")
@framed
def synth(
    screen: Screen,
    build: Path,
    device: str,
    speed: int | None,
    seeds: int,
    timeout: float,
    cache: bool,
    record: bool,
) -> Outcome:
    """Synthesize a build."""
    with screen.status("checking the build"):
        from spikefold.design import load
        from spikefold.record import record as keep
        from spikefold_boards.fpgas import find_fpga

        find_fpga(device).at_speed(speed)
        design = load(build)
    with screen.status(f"synthesizing for {device}") as progress:
        found = design.synth(
            device, speed=speed, seeds=seeds, use_cache=cache, timeout=timeout, progress=progress
        )
    if record:
        keep(design, found)
    return Outcome(found.to_json(), [_sheet(found)])


def _sheet(found: "SynthResult") -> Sheet:
    return Sheet(f"{found.device} ({found.part})", figures(found))


def figures(found: "SynthResult") -> list[tuple[str, str]]:
    """What and how fast it is, for people; whether it fits comes first."""
    return [
        ("fits", "yes" if found.fits else f"no: {found.reason}"),
        ("LUTs", str(found.lut)),
        ("flip-flops", str(found.ff)),
        ("block RAMs", str(found.bram)),
        ("DSP blocks", str(found.dsp)),
        ("multipliers", str(found.multipliers)),
        ("Fmax", fmax_text(found)),
        ("seconds", f"{found.seconds:.1f}" + (" (cached)" if found.cached else "")),
    ]


def fmax_text(found: "SynthResult") -> str:
    """Fmax for people."""
    return "not known" if found.fmax_mhz is None else f"{found.fmax_mhz:.1f} MHz"
