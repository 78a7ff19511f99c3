"""Networks of other frameworks, imported: same levels, same Verilog, and what is refused.

    python bench/importers.py [--json] [--samples N] [--verify all|few|none]

`levels_differ` counts levels of neurons that are not the source's, on samples that lie on the input grid; a
source with real activations rounds them to the same scales first, where they are layers of it. `mismatches`
counts what differs between golden model and Verilog. Ends with 1 unless both are 0.
"""

import argparse
import importlib.util
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

import spikefold
from spikefold.errors import ImportRefusal, SpikefoldError
from spikefold.importers import importer

sys.path.append(str(Path(__file__).parents[1] / "tests" / "sw" / "importers"))

NETWORKS = ("sj_networks", "snntorch_networks", "ann_networks", "nir_networks", "pit_networks")
REFUSED = ("refused_networks", "nir_refused")
FEW = ("cnn if", "leaky mlp", "relu resnet")


def gathered(names: tuple[str, ...]) -> list[Any]:
    """The cases of the test modules that there are."""
    found = []
    for name in names:
        if importlib.util.find_spec(name) is not None:
            found += importlib.import_module(name).cases()
    return found


def imported(case: Any, samples: int, verify: bool) -> dict[str, Any]:
    """What importing one network shows, and what its Verilog does."""
    began = time.perf_counter()
    network, comparison = case.run(samples)
    found: dict[str, Any] = {
        "framework": case.framework,
        "name": case.name,
        "exact": comparison.exact,
        "layers": len(comparison.layers),
        "levels": sum(layer.values for layer in comparison.layers[:-1]),
        "levels_differ": _levels_differ(case, network, comparison),
        "classes_differ": comparison.classes_differ,
        "ties": sum(layer.ties for layer in comparison.layers),
        "mismatches": None,
    }
    if verify:
        design = spikefold.compile(network.model, weight_bits=6, calibration=case.grid.random(8))
        result = design.verify(case.grid.random(8, seed=9).astype("float32"))
        found["mismatches"] = result.mismatches + (not result.passed)
    return found | {"seconds": round(time.perf_counter() - began, 2)}


def _levels_differ(case: Any, network: Any, comparison: Any) -> int:
    """Levels that differ; 0 where the source has none that can be reached."""
    if comparison.exact:
        return int(comparison.levels_differ)
    if len(comparison.layers) == 1:
        return 0
    from ann_networks import compare_rounded

    return int(compare_rounded(case, network).levels_differ)


def refusals(cases: list[Any]) -> dict[str, int]:
    """How many networks are refused for each reason; raises SystemExit if one is taken."""
    counts: Counter[str] = Counter()
    for case in cases:
        try:
            importer(case.framework).load(case.source, case.grid, **case.options)
        except ImportRefusal:
            counts[case.reason] += 1
        except SpikefoldError as error:
            sys.exit(f"{case.framework}: {case.reason}: no refusal, but {error}")
        else:
            sys.exit(f"{case.framework}: {case.reason}: was imported")
    return dict(counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=64, help="that both networks run on")
    parser.add_argument(
        "--verify", choices=["all", "few", "none"], default="few", help="what becomes Verilog"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    arguments = parser.parse_args()
    runs = [
        imported(
            case,
            arguments.samples,
            arguments.verify == "all" or case.name in FEW[: 3 * (arguments.verify == "few")],
        )
        for case in track(gathered(NETWORKS), "networks", console=Console(stderr=True))
    ]
    found = {
        "frameworks": len({run["framework"] for run in runs}),
        "networks": len(runs),
        "levels": sum(run["levels"] for run in runs),
        "levels_differ": sum(run["levels_differ"] for run in runs),
        "verified": sum(run["mismatches"] is not None for run in runs),
        "mismatches": sum(run["mismatches"] or 0 for run in runs),
        "ties": sum(run["ties"] for run in runs),
        "refusals": refusals(gathered(REFUSED)),
        "runs": runs,
    }
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)
    sys.exit(bool(found["levels_differ"] or found["mismatches"]))


def show(found: dict[str, Any]) -> None:
    columns = (
        "framework",
        "name",
        "levels",
        "levels_differ",
        "classes_differ",
        "ties",
        "mismatches",
        "seconds",
    )
    table = Table(*columns)
    for run in found["runs"]:
        table.add_row(*("-" if run[column] is None else str(run[column]) for column in columns))
    console = Console()
    console.print(table)
    console.print(f"refusals by reason: {', '.join(found['refusals'])}")


if __name__ == "__main__":
    main()
