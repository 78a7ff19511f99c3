"""`spikefold simulate`."""

import io
from pathlib import Path

import click

from spikefold.cli.data import levels_option
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import InputError
from spikefold.files import write_atomic

_HELP = """Run the Verilog of BUILD on samples, cycle by cycle, natively in Verilator.

The input is a .npy file of shape (samples, features..): floating-point features are encoded, integers
are input levels already. The output holds the integer logits, shape (samples, classes).

\b
Examples:
  spikefold simulate build/ --input x.npy --output logits.npy
  spikefold simulate build/ --input x.npy --trace wave.fst --stall 0.1 --json
"""


@click.command(help=_HELP)
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--input", "path", required=True, type=click.Path(path_type=Path), help="Samples, a .npy file.")
@levels_option
@click.option("--output", type=click.Path(path_type=Path), help="Logits, as a .npy file to write.")
@click.option("--trace", type=click.Path(path_type=Path), help="Waveform, .fst or .vcd, or activity, .saif.")
@click.option("--stall", type=float, default=0.0, show_default=True, help="Chance that an end waits, 0..1.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the stalls.")
@framed
def simulate(
    screen: Screen,
    build: Path,
    path: Path,
    levels: bool | None,
    output: Path | None,
    trace: Path | None,
    stall: float,
    seed: int,
) -> Outcome:
    """Simulate a build."""
    with screen.status("checking the build"):
        import numpy as np

        from spikefold.cli.samples import read_understood
        from spikefold.design import load

        if output is not None and output.is_dir():
            raise InputError(f"Output must be a file, not the directory {str(output)!r}; add a file name")
        design = load(build)
        x, understood = read_understood(path, levels, design.network)
    screen.note(f"Samples: {len(x)}, {path}: {understood}")
    with screen.samples("simulating") as progress:
        found = design.simulate(x, stall=stall, seed=seed, trace=trace, progress=progress)
    if output is not None:
        buffer = io.BytesIO()
        np.save(buffer, found.logits, allow_pickle=False)
        write_atomic(output, buffer.getvalue())
    rate = found.cycles / found.seconds if found.seconds > 0 else None
    fields = {
        "samples": len(found.classes),
        "input": understood,
        "cycles": found.cycles,
        "cycles_per_second": None if rate is None else round(rate),
        "seconds": found.seconds,
        "build_seconds": round(found.build_seconds, 3),
        "classes": found.classes.tolist(),
        "counters": found.counters,
        "output": None if output is None else str(output),
        "trace": None if trace is None else str(trace),
    }
    rows = [
        ("samples", str(fields["samples"])),
        ("cycles", str(found.cycles)),
        ("cycles per second", "too short to tell" if rate is None else f"{rate:,.0f}"),
        ("seconds", f"{found.seconds:.3f}"),
        ("seconds until the simulator was there", f"{found.build_seconds:.1f}"),
        ("classes", _shortened(fields["classes"])),
    ]
    return Outcome(fields, [Sheet(str(build), rows)])


def _shortened(classes: list[int]) -> str:
    return " ".join(map(str, classes[:16])) + (" .." if len(classes) > 16 else "")
