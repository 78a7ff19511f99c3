"""docs/reproduction.md: the tables, and where the papers' ordering does not show."""

from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from experiments import EPOCHS, SEEDS, Row, Table
from numpy.typing import NDArray
from ordering import pairs_of

Lookup = Callable[[Row, int], dict[str, Any] | None]

COLUMNS = (
    "row",
    "paper",
    "float",
    "integer",
    "RTL",
    "firing",
    "additions",
    "nJ (PIT)",
    "nJ (QB-LIF)",
    "nJ (spikefold)",
    "cycles",
)

HEAD = Template(Path(__file__).with_name("head.md").read_text())


def report(tables: Sequence[Table], lookup: Lookup) -> str:
    """Return the whole page."""
    head = HEAD.substitute(epochs=EPOCHS, seeds=", ".join(map(str, SEEDS)))
    found = {id(run): run for table in tables for row in table.rows for run in _runs(row, lookup)}
    sections = (_section(table, lookup) for table in tables)
    return "\n".join([head, _verified(list(found.values())), _summary(tables, lookup), *sections])


def _summary(tables: Sequence[Table], lookup: Lookup) -> str:
    """How many pairs of rows of each table are in the paper's order."""
    lines = [
        "## Does the papers' ordering show?",
        "",
        'Pairs of rows by float accuracy; "clear" means beyond twice the standard error of the difference.',
        "",
        "| table | pairs | in the paper's order (clear) | the other way round (clear) |",
        "|---|---|---|---|",
    ]
    for table in tables:
        pairs = pairs_of(table, _accuracies(table, lookup))
        cells = [table.title, str(len(pairs))]
        for side in ([p for p in pairs if p.shows], [p for p in pairs if not p.shows]):
            cells.append(f"{len(side)} ({sum(pair.sure for pair in side)})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _accuracies(table: Table, lookup: Lookup) -> dict[str, NDArray[np.float64]]:
    return {row.label: np.array([run["accuracy_float"] for run in _runs(row, lookup)]) for row in table.rows}


def _runs(row: Row, lookup: Lookup) -> list[dict[str, Any]]:
    return [run for seed in SEEDS if (run := lookup(row, seed))]


def _verified(runs: list[dict[str, Any]]) -> str:
    """What the simulations found, of all runs together."""
    runs = [run for run in runs if "accuracy_rtl" in run]
    wrong = sum(run["mismatches"] for run in runs)
    exact = sum(run["cycle_exact"] for run in runs)
    return (
        f"Of {len(runs)} networks, Verilog and integer network differed in {wrong} values; {exact} ran in "
        f"exactly the predicted cycles; they hold {sum(run['multipliers'] for run in runs)} multipliers.\n"
    )


def _section(table: Table, lookup: Lookup) -> str:
    found = {row.label: _runs(row, lookup) for row in table.rows}
    lines = [f"## {table.title}", "", f"Paper: {table.setting}.", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += [_line(row, found[row.label]) for row in table.rows if found[row.label]]
    return "\n".join([*lines, "", *_ordering(table, _accuracies(table, lookup)), ""])


def _line(row: Row, runs: list[dict[str, Any]]) -> str:
    cells = [
        row.label,
        f"{row.paper:.2f}",
        *(_spread(runs, f"accuracy_{kind}") for kind in ("float", "integer", "rtl")),
    ]
    cells += [f"{100 * _mean(runs, 'rate'):.1f} %", f"{_mean(runs, 'additions'):,.0f}"]
    cells += [f"{_mean(runs, f'energy_{kind}_nj'):,.0f}" for kind in ("pit", "qblif", "spikefold")]
    simulated = [run for run in runs if "cycles" in run]
    cells.append(f"{_mean(simulated, 'cycles'):,.0f}" if simulated else "")
    return "| " + " | ".join(cells) + " |"


def _ordering(table: Table, accuracies: dict[str, NDArray[np.float64]]) -> list[str]:
    """Sentences on every pair of rows that comes out the other way round than in the paper."""
    pairs = pairs_of(table, accuracies)
    turned = [pair for pair in pairs if not pair.shows]
    scatter = max((values.std(ddof=1) for values in accuracies.values() if len(values) > 1), default=0.0)
    lines = [f"Seeds scatter by up to {scatter:.2f} points (standard deviation within a row)."]
    if not turned:
        return [*lines, "The paper's ordering shows in all pairs of rows."]
    lines.append(f"In {len(turned)} of {len(pairs)} pairs of rows the paper's ordering does not show:")
    return [*lines, "", *(f"- {pair}" for pair in turned)]


def _spread(runs: list[dict[str, Any]], key: str) -> str:
    values = np.array([run[key] for run in runs if key in run])
    if not len(values):
        return ""
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}" if len(values) > 1 else f"{values.mean():.2f}"


def _mean(runs: list[dict[str, Any]], key: str) -> float:
    return float(np.mean([run[key] for run in runs]))
