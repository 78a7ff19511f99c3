"""`spikefold analyze`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikefold.cli.data import data_source, load_source
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from spikefold.analysis import Analysis
    from spikefold.train import Dataset

_HELP = """Show what the neurons of the trained MODEL do, what an inference costs, and how much it can
represent.

Runs test samples of the data the model was trained on, unless --data names other data. With -o the numbers
are written to DIR/analysis.json, with figures (PNG and SVG) and a page that shows them; an earlier analysis
there is replaced. Figures need matplotlib: pip install 'spikefold[plots]'.

\b
Examples:
  spikefold analyze digits.safetensors
  spikefold analyze digits.safetensors -o analysis/ --samples 360
  spikefold analyze digits.safetensors -o analysis/ --first epoch1.safetensors --landscape 21
  spikefold analyze digits.safetensors --build build/ --no-figures --json
"""


@click.command(help=_HELP)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Directory to write; default: none.")
@click.option("--data", help="As spikefold train's [data] name; default: the model's own.")
@click.option("--samples", type=int, default=1000, show_default=True, help="Test samples, evenly spread.")
@click.option(
    "--first",
    type=click.Path(path_type=Path),
    help="The model after its first epoch: compares learned scales.",
)
@click.option("--landscape", type=int, help="Loss landscape on N by N points, odd; it takes N*N passes.")
@click.option("--build", type=click.Path(path_type=Path), help="Build whose integer network is counted too.")
@click.option("--weight-bits", type=int, default=16, show_default=True, help="Of S-ACE and NS-ACE.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the landscape's directions.")
@click.option("--figures/--no-figures", default=True, help="Draw figures with -o (default), or only numbers.")
@framed
def analyze(
    screen: Screen,
    model: Path,
    output: Path | None,
    data: str | None,
    samples: int,
    first: Path | None,
    landscape: int | None,
    build: Path | None,
    weight_bits: int,
    seed: int,
    figures: bool,
) -> Outcome:
    """Analyse a model file."""
    from spikefold import nn
    from spikefold.analysis import analyze as run
    from spikefold.analysis import check_target, write_analysis
    from spikefold.build import read_build

    if output is not None:
        check_target(output, figures)
    with screen.status("loading the model and its data"):
        network = nn.load(model)
        earlier = None if first is None else nn.load(first)
        hardware = None if build is None else read_build(build)
        source = data_source(data, nn.read_meta(model))
        if source is None:
            raise InputError("Data must be named with --data, as the model file names none")
        chosen = choose(load_source(source, screen.quiet), samples)
    with screen.samples("analysing") as advance:
        found = run(
            network,
            *chosen,
            first=earlier,
            landscape_points=landscape,
            build=hardware,
            weight_bits=weight_bits,
            seed=seed,
            progress=lambda what, done, total: advance(done, total),
        )
    files: list[str] = []
    if output is not None:
        with screen.status("drawing" if figures else "writing"):
            files = write_analysis(output, found, model.stem, figures)
    fields = {"path": None if output is None else str(output), "files": files, **found.to_json()}
    return Outcome(fields, _sheets(model, found))


def choose(data: "Dataset", count: int) -> tuple["np.ndarray", "np.ndarray"]:
    """Return ``count`` test samples spread evenly over the set, all if it has fewer, and their classes.

    Raises
    ------
    InputError
        If the count is not positive.
    """
    import numpy as np

    if count < 1:
        raise InputError(f"Number of samples must be a positive integer, not {count!r}")
    total = len(data.test_y)
    places = np.arange(min(count, total)) * total // min(count, total)
    return data.test_x[places], data.test_y[places]


def _sheets(model: Path, found: "Analysis") -> list[Sheet]:
    energy = found.totals.energy
    rows = [
        ("samples", str(found.samples)),
        ("accuracy", "not measured" if found.accuracy is None else f"{found.accuracy:.2f} %"),
        ("time steps × levels (T × D)", f"{found.steps} × {found.levels}"),
        ("MACs of the dense network, a step", _number(found.totals.macs)),
        (f"S-ACE, weights of {found.weight_bits} bits", _number(found.effort.s_ace)),
        ("NS-ACE", _number(found.effort.ns_ace)),
        ("energy by PIT's constants", f"{energy['pit_uj']:.4g} µJ"),
        ("energy by QB-LIF's constants", f"{energy['qb_lif_uj']:.4g} µJ"),
        ("energy in integer additions, binary digits", f"{energy['spikefold_uj']['binary']:.4g} µJ"),
    ]
    if found.integer is not None:
        total = found.integer.to_json()["total"]
        rows.append((f"synaptic additions of build {found.integer.name}", _number(total["additions"])))
    if found.landscape is not None:
        rows.append(("loss in the middle of the landscape", f"{found.landscape.centre:.4g}"))
    return [Sheet(str(model), rows), _neurons(found), _synapses(found)]


def _neurons(found: "Analysis") -> Sheet:
    header = ("layer", "N", "rate", "sparse", "entropy", "levels", "Cap")
    rows = [
        (
            layer.name,
            str(layer.neurons),
            f"{layer.statistics.rate:.1%}",
            f"{1 - layer.statistics.activity:.1%}",
            f"{layer.statistics.entropy:.2f}/{layer.statistics.max_entropy:.2f}",
            f"{layer.statistics.effective}/{layer.levels + 1}",
            f"{layer.capacity.bits:.0f}",
        )
        for layer in found.neurons
    ]
    return Sheet("Neurons; entropy and capacity (Cap) in bits, levels above 1 % of all", rows, header)


def _synapses(found: "Analysis") -> Sheet:
    header = ("layer", "MACs", "events", "binary", "naf", "unary")
    rows = [
        (
            layer.name + " *" * layer.first,
            _number(layer.macs),
            *(_number(layer.additions[name] / found.samples) for name in header[2:]),
        )
        for layer in found.synapses
    ]
    return Sheet("Synaptic additions a sample by coding (* reads the input)", rows, header)


def _number(value: float) -> str:
    from spikefold.numbers import number

    return number(value)
