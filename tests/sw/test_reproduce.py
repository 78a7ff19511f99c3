"""bench/reproduce: its runs can be made, its judgement of orders is right, its results are complete."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from spikefold.train import Dataset, Recipe
from spikefold.train.networks import build_network

FOLDER = Path(__file__).parents[2] / "bench" / "reproduce"


@pytest.fixture(scope="module")
def bench():
    names = ("experiments", "ordering", "report")
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(FOLDER))
        for name in names:
            sys.modules.pop(name, None)


def rows(bench):
    return [row for table in bench["experiments"].TABLES for row in table.rows]


def test_every_row_is_a_recipe_of_a_network(bench):
    images = np.zeros((2, 1, 28, 28), np.float32)
    labels = np.arange(2)
    data = Dataset(images, labels, images, labels, maximum=1.0, classes=10, name="fashion")
    assert any(row.levels is not None for row in rows(bench))
    for row in rows(bench):
        plain, tuning = (Recipe.from_dict(recipe) for recipe in row.recipes(1))
        assert (plain.training.weight_bits, tuning.training.weight_bits) == (None, 4)
        assert plain.training.seed == tuning.training.seed == 1
        model = build_network(plain.model.kind, plain.model.keywords(), data)
        assert model.neuron1.steps == row.steps
        if row.levels is not None:
            assert model.neuron1.levels == row.levels


def test_every_row_and_seed_has_results(bench):
    results = json.loads((FOLDER / "results.json").read_text())
    known = [run["recipes"] for run in results.values()]
    for row in rows(bench):
        for seed in bench["experiments"].SEEDS:
            run = results[next(n for n, run in results.items() if run["recipes"] == row.recipes(seed))]
            assert run["rtl"]["mismatches"] == run["rtl"]["multipliers"] == 0
            assert run["rtl"]["cycle_exact"]
            assert run["rtl"]["accuracy_rtl"] == run["rtl"]["accuracy_golden"]
            assert 80 < run["training"]["accuracy_integer"] < 95
    assert len(known) == len({json.dumps(recipes, sort_keys=True) for recipes in known})


def test_pairs_are_judged_by_their_standard_error(bench):
    experiments, ordering = bench["experiments"], bench["ordering"]
    worse, better, best = (
        experiments.Row(label, paper, "pit", 1, 4) for label, paper in (("w", 90.0), ("b", 91.0), ("t", 92.0))
    )
    table = experiments.Table("t", "T", "S", (best, worse, better))
    accuracies = {
        "w": np.array([80.0, 82.0]),  # mean 81, standard error 1
        "b": np.array([84.5, 84.5]),  # clearly above
        "t": np.array([78.0, 84.0]),  # mean 81, standard error 3
    }
    found = {(p.low.label, p.high.label): p for p in ordering.pairs_of(table, accuracies)}
    assert {key: (p.shows, p.sure) for key, p in found.items()} == {
        ("w", "b"): (True, True),
        ("w", "t"): (False, False),
        ("b", "t"): (False, False),
    }
    assert found["w", "b"].gap == pytest.approx(3.5)
    assert found["w", "b"].error == pytest.approx(1.0)
    assert found["b", "t"].error == pytest.approx(3.0)
    assert str(found["b", "t"]).startswith("b is 3.50 points above t, within twice")


def test_page_says_what_it_has_not(bench):
    experiments, report = bench["experiments"], bench["report"]
    run = {
        **{"accuracy_float": 88.0, "accuracy_integer": 87.5, "rate": 0.25, "additions": 1234.4},
        **{"energy_pit_nj": 1.0, "energy_qblif_nj": 2.0, "energy_spikefold_nj": 3.0},
    }
    rtl = {
        **{"accuracy_rtl": 88.5, "accuracy_golden": 88.5, "mismatches": 3, "cycle_exact": False},
        **{"multipliers": 1, "cycles": 99.6},
    }
    first = experiments.TABLES[0].rows[0]
    page = report.report(experiments.TABLES[:1], lambda row, seed: (run | rtl) if row == first else run)
    assert "Of 3 networks, Verilog and integer network differed in 9 values; 0 ran in exactly" in page
    assert (
        f"| {first.label} | {first.paper} | 88.00 ± 0.00 | 87.50 ± 0.00 | 88.50 ± 0.00 | 25.0 % | 1,234 |"
        in page
    )
    assert page.count("| 100 |\n") == 1
    assert "In 6 of 6 pairs of rows the paper's ordering does not show" in page
