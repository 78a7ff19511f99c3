"""One run: train a network from its recipes, quantize it, and run its Verilog."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

import spikefold
from spikefold import nn
from spikefold.analysis import analyze
from spikefold.design import Design
from spikefold.fold import fold
from spikefold.golden import accuracy
from spikefold.quantize import quantize
from spikefold.train import Dataset, Recipe, load_data, train
from spikefold_hw.emit import count_multipliers

RTL_SAMPLES = 500
"""Test images that go through the Verilog; all layers are compared on the first 100."""

CODING = "naf"

Recipes = list[dict[str, Any]]


def measure_training(run: str, recipes: Recipes, folder: Path) -> dict[str, Any]:
    """Train, fine-tune and quantize; models go to ``folder``.

    Accuracies are in percent of the 10000 test images, ``accuracy_float`` that before fine-tuning. ``rate``
    is the share of neurons that fire at a time step. ``additions`` are spikefold's synaptic ones of an
    inference. Energies in nJ: PIT's MACs and additions, QB-LIF's FLOPs and synaptic operations, spikefold's
    additions with those of the neurons.
    """
    torch.set_num_threads(1)
    accuracy_float, model = _trained(run, recipes, folder)
    data = _data(recipes)
    network, _ = quantize(fold(model))
    found = analyze(model, data.test_x[:1000])
    firing, neurons = np.array([(layer.statistics.activity, layer.neurons) for layer in found.neurons]).T
    energy = found.totals.energy
    return {
        "accuracy_float": round(100 * accuracy_float, 4),
        "accuracy_integer": round(100 * accuracy(network, data.test_x, data.test_y), 4),
        "rate": float(np.average(firing, weights=neurons)),
        "additions": found.totals.additions[CODING],
        "energy_pit_nj": 1000 * energy["pit_uj"],
        "energy_qblif_nj": 1000 * energy["qb_lif_uj"],
        "energy_spikefold_nj": 1000 * energy["spikefold_as_pit_uj"][CODING],
    }


def measure_rtl(run: str, recipes: Recipes, folder: Path) -> dict[str, Any]:
    """Compile what ``measure_training`` left and simulate its Verilog.

    ``accuracy_rtl`` and ``accuracy_golden`` are of the first 500 test images.
    """
    torch.set_num_threads(1)
    _, model = _trained(run, recipes, folder)
    data = _data(recipes)
    x, y = data.test_x[:RTL_SAMPLES], data.test_y[:RTL_SAMPLES]
    design: Design = spikefold.compile(model, name="run", calibration=data.train_x[:64])
    design.write(folder / run)
    verified = design.verify(x[:100], simulator="native")
    answered, golden = design.simulate(x), design.golden(x)
    return {
        "accuracy_rtl": 100 * float(np.mean(answered.classes == y)),
        "accuracy_golden": 100 * float(np.mean(golden.classes == y)),
        "mismatches": verified.mismatches + int((answered.logits != golden.logits).any(axis=1).sum()),
        "cycle_exact": verified.cycle_exact,
        "multipliers": count_multipliers(
            {path.name: path.read_text() for path in (folder / run / "rtl").glob("*.v")}
        ),
        "cycles": verified.cycles_per_sample,
    }


def _data(recipes: Recipes) -> Dataset:
    options = Recipe.from_dict(recipes[0]).data
    return load_data(options.name, **options.keywords())


def _trained(run: str, recipes: Recipes, folder: Path) -> tuple[float, torch.nn.Module]:
    """Float accuracy, and the fine-tuned network; what a stopped run has left is read."""
    paths = folder / f"{run}.safetensors", folder / f"{run}-tuned.safetensors"
    start = None
    for table, path in zip(recipes, paths, strict=True):
        recipe = Recipe.from_dict(table)
        if not path.exists() or nn.read_meta(path).get("recipe") != recipe.to_dict():
            train(recipe, path, start=start, progress=False)
        start = path
    return nn.read_meta(paths[0])["accuracy_float"], nn.load(paths[1]).eval()
