"""`spikefold import`."""

import inspect
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import click

from spikefold.cli.analyze import choose
from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import InputError
from spikefold.importers.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    from spikefold.importers import Comparison, Grid, Imported
    from spikefold.train import Dataset

_HELP = """Import the network SOURCE of another framework, and show that it is the same network.

SOURCE is FILE.py:NAME for spikingjelly, snntorch and ann: a torch module, or a function without arguments
that makes one; FILE.py is run. For nir and pit it is the file itself. Both networks then run on test samples
of --data (or on random levels), layer by layer; the import fails where they differ by more than --tolerance.

The input's grid is never assumed: name data (as in recipes: digits, npz:FILE, ..) or give --shape,
--input-levels, --minimum and --maximum. Options of single frameworks follow the others:

\b
  spikingjelly            --leak-terms 3 --leak-error 0.02 --rounding half_up
  snntorch                --leak-terms 3 --leak-error 0.02
  ann                     --levels 15 --per-channel yes
  nir                     --dt 1e-4 --reset subtract --fires above --method euler --readout last
  pit                     --tau 0.5 --decay-input yes --reset soft --levels 4 --rounding half_up

\b
Examples:
  spikefold import net.py:net -o net.safetensors --from spikingjelly --weights net.pt --steps 4 \\
    --data npz:x.npz
  spikefold import net.py:make -o mlp.safetensors --from snntorch --steps 25 --shape 784 --input-levels 255 \\
    --minimum 0 --maximum 1
  spikefold import ann.py:net -o ann.safetensors --from ann --weights ann.pt --data npz:x.npz --levels 15
  spikefold import net.nir -o net.safetensors --from nir --dt 1e-4 --reset zero --steps 20 --data npz:x.npz
  spikefold import max.pth -o pit.safetensors --from pit --tau 0.5 --decay-input yes --steps 1 \\
    --shape 3,32,32 --input-levels 255 --minimum 0 --maximum 1
"""
_CALIBRATION, _LAYERS = 512, ("layer", "of the source", "active", "differ", "largest difference", "ties")


@click.command(
    "import", help=_HELP, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
@click.argument("source")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Model file to write.")
@click.option("--from", "framework", required=True, type=click.Choice(list(FRAMEWORKS)), help="Framework.")
@click.option("--weights", type=click.Path(path_type=Path), help="State dict that the module is given first.")
@click.option("--data", help="Samples for the grid and the comparison, as in recipes: digits, npz:FILE, ..")
@click.option("--shape", help="Of a sample at one time step, as 1,28,28; default: the data's.")
@click.option("--input-levels", type=int, help="D_in; default: those of the data, if they lie on a grid.")
@click.option("--minimum", type=float, help="Raw value of level 0; default: the data's smallest.")
@click.option("--maximum", type=float, help="Raw value of the largest level; default: the data's largest.")
@click.option("--mean", help="Mean that is subtracted before the network, a number or one per channel.")
@click.option("--std", help="Deviation that is divided by then, as --mean.")
@click.option("--steps", type=int, help="T.")
@click.option("--static/--frames", default=None, help="One array for all steps (default), or one a step.")
@click.option("--tolerance", type=float, help="Share of levels that may differ; default 0, or 0.05 (leaks).")
@click.option("--samples", type=int, default=64, show_default=True, help="Samples that are compared.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random samples.")
@framed
def import_(
    screen: Screen,
    source: str,
    output: Path,
    framework: str,
    weights: Path | None,
    data: str | None,
    tolerance: float | None,
    samples: int,
    seed: int,
    **given: Any,
) -> Outcome:
    """Import a network."""
    if output.is_dir():
        raise InputError(f"Model file '{output}' must be a file, not a directory; add a file name")
    if samples < 1:
        raise InputError(f"Number of samples must be a positive integer, not {samples!r}")
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # told when SpikingJelly runs
    with screen.status(f"loading {FRAMEWORKS[framework].title} and the network"):
        from spikefold import nn
        from spikefold.cli.data import load_source
        from spikefold.importers import import_network, importer

        options = _options(importer(framework), click.get_current_context().args)
        network = _source(source, framework, weights)
        name = None if data is None else _absolute(data)
        dataset = None if name is None else load_source({"name": name, "seed": 0}, screen.quiet)
        grid = _own_grid(importer(framework), network, given)
        if grid is None:
            grid = _grid(dataset, FRAMEWORKS[framework].steps, given)
        if FRAMEWORKS[framework].calibrated and dataset is not None:
            options["calibration"] = dataset.train_x[:_CALIBRATION]
    with screen.status("importing and comparing"):
        test = None if dataset is None else choose(dataset, samples)[0]
        imported, comparison = import_network(
            framework, network, grid, test, tolerance=tolerance, samples=samples, seed=seed, **options
        )
    fields = {"framework": framework, **_fields(imported, comparison, grid)}
    meta = {"import": fields} | ({} if name is None else {"data": {"name": name}})
    nn.save(imported.model, output, meta)
    return Outcome({"path": str(output), **fields}, _sheets(output, imported, comparison))


def _source(text: str, framework: str, weights: Path | None) -> Any:
    """What the framework's `load` takes."""
    from spikefold.importers.sources import live_module

    if FRAMEWORKS[framework].live:
        return live_module(text, weights)
    if weights is not None:
        raise click.UsageError(f"--weights cannot go with --from {framework}, whose file holds them")
    return Path(text)


def _absolute(data: str) -> str:
    """A data set's name that holds in any folder."""
    kind, colon, path = data.partition(":")
    return f"{kind}:{Path(path).absolute()}" if colon else kind


def _options(framework: Any, rest: list[str]) -> dict[str, Any]:
    """Options of the framework's `load` from what is left of the command line: `--name value`."""
    known = {
        name: parameter
        for name, parameter in inspect.signature(framework.load).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "calibration"
    }
    hints, options, words = get_type_hints(framework.load), {}, list(rest)
    while words:
        flag, equals, value = words.pop(0).partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or name not in known:
            names = ", ".join("--" + name.replace("_", "-") for name in known)
            raise click.UsageError(f"No such option: {flag} (of this framework: {names or 'none'})")
        if not equals and not words:
            raise click.UsageError(f"Option {flag!r} requires an argument.")
        options[name] = _value(flag, hints[name], value if equals else words.pop(0))
    return options


def _value(flag: str, hint: Any, text: str) -> Any:
    """An option's text as the one plain type of its parameter."""
    kind = next((one for one in get_args(hint) if one is not type(None)), hint)
    kind = kind if kind in (int, float, bool) else str
    try:
        return click.types.convert_type(kind).convert(text, None, None)
    except click.BadParameter as error:
        raise click.UsageError(f"Invalid value for {flag!r}: {error.message}") from None


def _own_grid(framework: Any, network: Any, given: dict[str, Any]) -> "Grid | None":
    """The input that a file itself tells, if it does and no option tells another."""
    if any(value is not None for value in given.values()) or not hasattr(framework, "own_grid"):
        return None
    grid: Grid | None = framework.own_grid(network)
    return grid


def _grid(dataset: "Dataset | None", fixed: int | None, given: dict[str, Any]) -> "Grid":
    """The input, as asked for or as the training data have it."""
    import numpy as np

    from spikefold.importers import Grid

    steps: Any = fixed if given["steps"] is None else given["steps"]
    _demand({"--steps": steps})
    normal = {name: _numbers(f"--{name}", given[name]) for name in ("mean", "std")}
    ends = {name: given[name] for name in ("minimum", "maximum")}
    levels, static = given["input_levels"], given["static"]
    if dataset is None:
        wanted = {"--shape": given["shape"], "--input-levels": levels}
        _demand(wanted | {f"--{name}": value for name, value in ends.items()}, " or name --data")
        shape = tuple(int(size) for size in _numbers("--shape", given["shape"], always=True))
        return Grid(shape, levels, steps=steps, static=static is not False, **ends, **normal)
    if given["shape"] is not None:
        raise click.UsageError("--shape cannot go with --data, which have a shape")
    static = dataset.steps is None if static is None else static
    x = dataset.train_x if isinstance(dataset.train_x, np.ndarray) else dataset.train_x[:_CALIBRATION]
    return Grid.of(x, steps, levels, static=static, **ends, **normal)


def _demand(options: dict[str, Any], other: str = "") -> None:
    missing = [name for name, value in options.items() if value is None]
    if missing:
        raise click.UsageError(f"Missing {', '.join(missing)}: the input is never assumed; give them{other}")


def _numbers(flag: str, text: str | None, always: bool = False) -> Any:
    """None, a number, or several as a tuple."""
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"Option {flag!r} must be numbers with commas between, not {text!r}") from None
    return numbers if always or len(numbers) > 1 else numbers[0]


def _fields(imported: "Imported", comparison: "Comparison", grid: "Grid") -> dict[str, Any]:
    notes = [{"layer": note.node, "text": note.text, "error": note.error} for note in imported.notes]
    return {"grid": grid.to_json(), "notes": notes, "comparison": comparison.to_json()}


def _sheets(output: Path, imported: "Imported", comparison: "Comparison") -> list[Sheet]:
    rows = [
        (
            layer.name,
            layer.source,
            f"{layer.active:.1%}",
            f"{layer.differing} of {layer.values}",
            f"{layer.difference:.3g}",
            f"{layer.ties} ({layer.ties_apart} round otherwise)"
            if layer.name in imported.half_even | imported.strict
            else "-",
        )
        for layer in comparison.layers
    ]
    samples = f"{comparison.samples} random samples" if comparison.random else f"{comparison.samples} samples"
    facts = [
        ("classes that differ, on the input grid", f"{comparison.classes_differ} of {samples}"),
        ("samples off the grid by at most", f"{comparison.off_grid:.3g} levels"),
        ("classes that the grid changes", f"{comparison.classes_off_grid} of {samples}"),
    ]
    notes = [Sheet("", [(f"{note}.",)]) for note in imported.notes]
    title = "the same levels?" if comparison.exact else "real values rounded to levels"
    return [Sheet(f"{output}: {title}", rows, _LAYERS), Sheet("", facts), *notes]
