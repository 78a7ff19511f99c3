"""Reproduce the papers' tables on Fashion-MNIST: one small CNN, three seeds, a short schedule.

    python bench/reproduce [--tables pit8,qblif5] [--seeds 3] [--jobs 2] [--folder build/reproduce]
    python bench/reproduce --report-only

Every finished run goes into bench/reproduce/results.json at once; runs that are in there are not run again,
and a run that was stopped goes on where it was. At the end docs/reproduction.md is written. The data is
Debian's package dataset-fashion-mnist.
"""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

sys.path.insert(0, str(Path(__file__).parent))

from experiments import SEEDS, TABLES, Table
from measure import Recipes, measure_rtl, measure_training
from report import report

from spikefold.files import write_atomic
from spikefold.train.checkpoint import fingerprint

RESULTS = Path(__file__).with_name("results.json")
REPORT = Path(__file__).parents[2] / "docs" / "reproduction.md"


PARTS = {"training": measure_training, "rtl": measure_rtl}

Task = tuple[str, str]
"""What is measured, of ``PARTS``, and the name of the run."""


def run_name(recipes: Recipes) -> str:
    """Name of a run: what it depends on, and nothing else."""
    return fingerprint({"recipes": recipes})[:12]


def read_results() -> dict[str, Any]:
    """Return recipes and figures of all runs by name."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def pending(tables: list[Table], seeds: int, done: dict[str, Any]) -> dict[Task, Recipes]:
    """Return what has no figures yet: all training first, seed by seed."""
    runs = [row.recipes(seed) for seed in SEEDS[:seeds] for table in tables for row in table.rows]
    named = {run_name(recipes): recipes for recipes in runs}
    tasks = {(part, name): recipes for part in PARTS for name, recipes in named.items()}
    return {task: recipes for task, recipes in tasks.items() if task[0] not in done.get(task[1], {})}


def run_all(waiting: dict[Task, Recipes], folder: Path, jobs: int) -> None:
    """Measure, several at a time, and keep the figures of each as soon as they are there."""
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ProcessPoolExecutor(jobs) as pool, Progress(*columns, console=Console(stderr=True)) as bar:
        shown = bar.add_task("runs", total=len(waiting))
        tasks = {
            pool.submit(PARTS[part], name, recipes, folder): (part, name)
            for (part, name), recipes in waiting.items()
        }
        for future in as_completed(tasks):
            part, name = tasks[future]
            results = read_results()
            run = results.get(name, {"recipes": waiting[part, name]}) | {part: future.result()}
            write_atomic(RESULTS, json.dumps(results | {name: run}, indent=1, sort_keys=True) + "\n")
            bar.advance(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    keys = [table.key for table in TABLES]
    parser.add_argument("--tables", default=",".join(keys), help=f"of {', '.join(keys)}; all by default")
    parser.add_argument("--seeds", type=int, choices=range(1, len(SEEDS) + 1), default=len(SEEDS))
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time, one core each")
    parser.add_argument("--folder", type=Path, default=Path("build/reproduce"), help="models and builds")
    parser.add_argument("--report-only", action="store_true", help="only write the report again")
    arguments = parser.parse_args()
    chosen = arguments.tables.split(",")
    if unknown := set(chosen) - set(keys):
        parser.error(f"--tables must be of {', '.join(keys)}, not {', '.join(sorted(unknown))}")
    tables = [table for table in TABLES if table.key in chosen]
    if not arguments.report_only:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        run_all(pending(tables, arguments.seeds, read_results()), arguments.folder, arguments.jobs)
    results = {
        name: run["training"] | run.get("rtl", {})
        for name, run in read_results().items()
        if "training" in run
    }
    write_atomic(REPORT, report(TABLES, lambda row, seed: results.get(run_name(row.recipes(seed)))))
    print(REPORT)


if __name__ == "__main__":
    main()
