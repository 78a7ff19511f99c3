"""`spikefold verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikefold.cli.data import levels_option
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen

if TYPE_CHECKING:
    from spikefold.results import Verification

FAILED = 6

_HELP = """Run the Verilog of BUILD and compare it with the golden model, value by value.

Every level of every layer and every logit must be equal, and without --stall every result must come
in the cycle that the cycle model predicts; otherwise the exit code is 6 and the first difference is named.

Samples are taken from --input, else from the test data of the compiled model, else drawn at random.

\b
Examples:
  spikefold verify build/
  spikefold verify build/ --samples 1000 --stall 0.2 --seed 7 --junit verify.xml
  spikefold verify build/ --record
  spikefold verify build/ --input x.npy --simulator icarus --json
  spikefold verify build/resnet18 --samples 1 --simulator native
"""


@click.command(help=_HELP)
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--samples", type=int, help="How many; default: 100, or all of --input.")
@click.option("--stall", type=float, default=0.0, show_default=True, help="Chance that an end waits, 0..1.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of stalls and of random samples.")
@click.option(
    "--simulator",
    default="verilator",
    show_default=True,
    help="verilator, icarus, amaranth, or native: Verilator without Python in the loop.",
)
@click.option("--input", "path", type=click.Path(path_type=Path), help="Samples, a .npy file.")
@levels_option
@click.option("--junit", type=click.Path(path_type=Path), help="JUnit XML report to write.")
@click.option("--record", is_flag=True, help="Keep the result in the build, and show it in its report.html.")
@framed
def verify(
    screen: Screen,
    build: Path,
    samples: int | None,
    stall: float,
    seed: int,
    simulator: str,
    path: Path | None,
    levels: bool | None,
    junit: Path | None,
    record: bool,
) -> Outcome:
    """Verify a build."""
    with screen.status("checking the build"):
        from spikefold.cli.junit import check_report, write_report
        from spikefold.cli.samples import choose_samples
        from spikefold.design import load
        from spikefold.record import record as keep

        check_report(junit)
        design = load(build)
        x, source, understood = choose_samples(design, samples, path, seed, levels)
    screen.note(f"Samples: {len(x)}, {source}" + (f": {understood}" if understood else ""))
    with screen.samples("verifying") as progress:
        found = design.verify(x, stall=stall, seed=seed, simulator=simulator, progress=progress)
    if junit is not None:
        write_report(junit, design.name, found)
    if record:
        keep(design, found)
    fields = {**found.to_json(), "data": source, "input": understood, "stall": stall, "seed": seed}
    failure = None if found.passed else found.verdict
    return Outcome(fields, [_sheet(build, found)], failure, FAILED if failure else 0)


def _cycles(value: float | None) -> str:
    return "not computed" if value is None else f"{value:.2f}"


def _sheet(build: Path, found: "Verification") -> Sheet:
    exact: dict[bool | None, Any] = {True: "yes", False: "no", None: "not checked under stalls"}
    rows = [
        ("samples", str(found.samples)),
        ("mismatches", str(found.mismatches)),
        ("cycles per sample", f"{found.cycles_per_sample:.2f}"),
        ("predicted without stalls", _cycles(found.cycles_predicted)),
        ("every cycle as predicted", exact[found.cycle_exact]),
        ("events", str(found.events)),
        ("seconds", f"{found.seconds:.1f}"),
        ("seconds until the simulator was there", f"{found.build_seconds:.1f}"),
        ("simulator", found.simulator),
    ]
    return Sheet(str(build), rows)
