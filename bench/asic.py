"""Does an integer spike cost less than a binary one, in gates? One network, five neurons, NanGate 45 nm.

    python bench/asic.py [--json] [--samples 50] [--folder FOLDER]

A 64-96-96-10 network for the 8x8 digits (1437 to train, 360 to test) is trained with each neuron, compiled
with 16 lanes and 4-bit weights, mapped to gates and run through them: some minutes a neuron the first time.
Energy is that of the first test digits, back to back; seeds are fixed, so every figure can be repeated.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import spikefold
from spikefold.energy import synthesize_with_energy
from spikefold.golden import accuracy
from spikefold.train import Recipe, load_data, train

CELLS, LANES, WEIGHT_BITS = "nangate45", 16, 4
MODEL = {"hidden": [96, 96], "input_levels": 16}
TRAINING = {"epochs": 80, "batch_size": 64, "learning_rate": 0.005, "weight_decay": 0.05, "seed": 0}


@dataclass(frozen=True)
class Neuron:
    """A neuron with its T and D, what a paper claims of it, and how it is trained here."""

    name: str
    claim: str
    options: dict[str, Any] = field(default_factory=dict)


NEURONS = (
    Neuron("LIF 4x1", "71.94 µJ (PIT Table 10)", {"neuron": "lif", "steps": 4}),
    Neuron("I-LIF 1x4", "61.71 µJ (PIT Table 10)", {"neuron": "ilif", "levels": 4}),
    Neuron("PIT 1x4", "57.64 µJ (PIT Table 10)", {"neuron": "pit", "levels": 4}),
    Neuron(
        "QB-LIF 2x5",
        "54.15 µJ, binary 50.14 (QB-LIF Table 6)",
        {"neuron": "qblif", "steps": 2, "levels": 5},
    ),
    Neuron(
        "ReverB 2x15",
        "49.99 µJ, binary 49.73 (ReverB Table 5)",
        {"neuron": "reverb", "steps": 2, "leak": 0.25, "binary": "plain", "neuron_options": {"bits": 4}},
    ),
)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure(neuron: Neuron, samples: int, folder: Path) -> dict[str, Any]:
    """Train, compile and map a network with this neuron; what its gates take."""
    data = load_data("digits", seed=0)
    training = TRAINING | {"weight_bits": WEIGHT_BITS}
    recipe = {"data": {"name": "digits"}, "model": MODEL | neuron.options, "training": training}
    trained = train(Recipe.from_dict(recipe), folder / neuron.name, progress=False)
    name = neuron.options["neuron"]
    design = spikefold.compile(
        trained.model, name=name, calibration=data.train_x[:256], lanes=LANES, weight_bits=WEIGHT_BITS
    )
    x = data.test_x[:samples]
    cells, energy = synthesize_with_energy(
        design, CELLS, x, progress=lambda text: say(f"{neuron.name}: {text}")
    )
    found = energy.to_json()
    return {
        "neuron": neuron.name,
        "claim": neuron.claim,
        "accuracy": 100 * accuracy(design.network, data.test_x, data.test_y),
        "area_um2": cells.area_um2,
        "gate_equivalents": cells.gate_equivalents,
        "flip_flops": cells.flip_flops,
        "memory_bits": cells.memory_bits,
        "multipliers": cells.multipliers,
        "fmax_mhz": cells.fmax_mhz,
        "cycles": found["cycles_per_inference"],
        **{key: found[key] for key in _ENERGY},
        "horowitz_pj": 0.9 * energy.additions,
        "coding": design.summary["coding"],
    }


_ENERGY = (
    *("samples", "nets", "additions", "coded_additions", "sequential_pj", "combinational_pj", "leakage_pj"),
    *("logic_pj", "memory_pj", "logic_pj_per_addition", "logic_pj_per_coded_addition"),
)


def show(designs: list[dict[str, Any]]) -> None:
    """Print the table."""
    columns = {
        "neuron": "",
        "accuracy": "%",
        "gate_equivalents": "gates (NAND2)",
        "flip_flops": "flip-flops",
        "fmax_mhz": "MHz",
        "cycles": "cycles",
        "additions": "additions",
        "coded_additions": "as coded",
        "logic_pj": "pJ, gates",
        "memory_pj": "pJ, memories",
        "logic_pj_per_addition": "pJ an addition",
        "horowitz_pj": "pJ at 0.9 an addition",
        "claim": "the paper's claim, an inference",
    }
    table = Table(*columns.values(), title="One inference in NanGate 45 nm")
    for row in designs:
        values = (row[key] for key in columns)
        table.add_row(*(each if isinstance(each, str) else f"{each:,.4g}" for each in values))
    Console(width=200).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="keep the trained networks here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        designs = [measure(neuron, arguments.samples, folder) for neuron in NEURONS]
    if arguments.json:
        print(json.dumps({"cells": CELLS, "designs": designs}))
    else:
        show(designs)


if __name__ == "__main__":
    main()
