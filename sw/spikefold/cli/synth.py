"""`spikefold synth`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikefold.cli.cells import Cells
from spikefold.cli.figures import fmax_text, seconds_text
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.flow.run import TIMEOUT

if TYPE_CHECKING:
    from spikefold_boards.result import SynthResult

_HELP = """Synthesize the Verilog of BUILD for a device, and place and route it where an open tool can; or map
it to the standard cells of an ASIC.

A device that is too small is a result, not an error: fits is then no (false), with the reason. Results
are cached by the content of the build.

With --cells nothing is placed: area is that of cells, memories are black boxes whose bits are counted, and
the frequency has wires only as the library guesses them by fan-out. --energy runs samples through the
gates and adds up what every change of every net takes.

\b
Examples:
  spikefold synth build/ --device ecp5-85k
  spikefold synth build/ --device ecp5-25k --speed 8 --seeds 3
  spikefold synth build/ --device ice40-up5k --no-cache --json
  spikefold synth build/ --cells sky130 --period 5
  spikefold synth build/ --cells nangate45 --energy 20 --json
"""


@click.command(help=_HELP)
@click.argument("build", type=click.Path(path_type=Path))
@click.option(
    "--device",
    help="ecp5-85k, ecp5-25k, ice40-up5k, ice40-hx8k, gowin-9k, gowin-20k or xc7 (resources only).",
)
@click.option("--cells", help="Instead of a device, a cell library: nangate45 or sky130.")
@click.option("--speed", type=int, help="Speed grade of an ECP5: 6 (default), 7 or 8.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Placements to try.")
@click.option("--period", type=float, help="With --cells: clock period in ns to size gates for.")
@click.option(
    "--small-memories-as-flops",
    "flop_bits",
    type=int,
    default=0,
    show_default=True,
    help="With --cells: memories of at most so many bits become flip-flops and logic.",
)
@click.option("--energy", type=int, help="With --cells: energy of an inference, over so many samples.")
@click.option(
    "--timeout", type=float, default=TIMEOUT, show_default=True, help="Seconds that a run of a tool may take."
)
@click.option("--cache/--no-cache", default=True, help="Use earlier results (default), or not.")
@click.option("--record", is_flag=True, help="Keep the result in the build, and show it in its report.html.")
@framed
def synth(
    screen: Screen,
    build: Path,
    device: str | None,
    cells: str | None,
    speed: int | None,
    seeds: int,
    period: float | None,
    flop_bits: int,
    energy: int | None,
    timeout: float,
    cache: bool,
    record: bool,
) -> Outcome:
    """Synthesize a build."""
    if cells is not None:
        if device is not None or speed is not None or seeds != 1 or record:
            raise click.UsageError("--cells goes without --device, --speed, --seeds and --record")
        return Cells(cells, period, flop_bits, energy, timeout, cache).run(screen, build)
    if period is not None or flop_bits or energy is not None:
        raise click.UsageError("--period, --small-memories-as-flops and --energy need --cells")
    if device is None:
        raise click.UsageError("Missing option '--device' or '--cells'")
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
        ("Fmax", fmax_text(found.fmax_mhz)),
        ("seconds", seconds_text(found.seconds, found.cached)),
    ]
