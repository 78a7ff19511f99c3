"""The benchmark of maps: Fashion-MNIST, a small CNN (T x D = 1x4) and a residual net (2x2), 4-bit weights.

    python bench/fashion.py [--json] [--folder FOLDER]

The trained models are examples/fashion.safetensors and examples/fashion_residual.safetensors. The data is
Debian's package dataset-fashion-mnist, or with --folder any folder of its four IDX files.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import show

import spikefold
from spikefold import nn
from spikefold.design import Design
from spikefold.train import Dataset, load_data
from spikefold_hw.emit import count_multipliers

MODELS = Path(__file__).parents[1] / "examples"
STALL = 0.2
SAMPLES, RESIDUAL_SAMPLES = 1000, 200

TARGETS = {
    "accuracy_integer": ">= 90.5",
    "accuracy_loss": "<= 0.5",
    "mismatches": "0",
    "residual_mismatches": "0",
    "lane_use": ">= 0.90",
    "multipliers": "0",
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def compiled(name: str, data: Dataset, folder: Path) -> tuple[Design, float]:
    """Compile a model of the examples, and how long that took."""
    say(f"compile {name}")
    began = time.perf_counter()
    design = spikefold.compile(
        nn.load(MODELS / f"{name}.safetensors"),
        name=name,
        data=(data.test_x, data.test_y),
        calibration=data.train_x[:64],
    )
    design.write(folder / name)
    return design, time.perf_counter() - began


def run(folder: Path, data: Dataset) -> dict[str, Any]:
    design, seconds = compiled("fashion", data, folder)
    say(f"verify {SAMPLES} images with stalls of {STALL:.0%} (the first run builds the simulator)")
    stalled = design.verify(data.test_x[:SAMPLES], stall=STALL, seed=1, simulator="native")
    plain = design.verify(data.test_x[:100], simulator="native")
    cycles = design.cycles(data.test_x[:20])
    convolutions = [layer for layer in cycles.layers if layer.name != design.network.readout.name]
    figures = {
        "accuracy_float": design.info["accuracy_float"],
        "accuracy_integer": design.info["accuracy_integer"],
        "accuracy_loss": round(design.info["accuracy_float"] - design.info["accuracy_integer"], 4),
        "samples": stalled.samples,
        "mismatches": stalled.mismatches + plain.mismatches,
        "cycle_exact": plain.cycle_exact,
        "cycles_interval": plain.cycles_per_sample,
        "lane_use": max(convolutions, key=lambda layer: layer.busy).lane_use,
        "multipliers": count_multipliers(
            {path.name: path.read_text() for path in (design.path / "rtl").glob("*.v")}
        ),
        "seconds_compile": seconds,
        "seconds_simulate": stalled.seconds,
    }
    residual, seconds = compiled("fashion_residual", data, folder)
    say(f"verify {RESIDUAL_SAMPLES} images on the residual net")
    found = residual.verify(data.test_x[:RESIDUAL_SAMPLES], simulator="native")
    figures |= {
        "residual_accuracy_float": residual.info["accuracy_float"],
        "residual_accuracy_integer": residual.info["accuracy_integer"],
        "residual_samples": found.samples,
        "residual_mismatches": found.mismatches,
        "residual_cycle_exact": found.cycle_exact,
        "residual_cycles_interval": found.cycles_per_sample,
        "residual_seconds_compile": seconds,
        "residual_seconds_simulate": found.seconds,
    }
    return figures | {"peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--folder", type=Path, help="folder of the four IDX files")
    arguments = parser.parse_args()
    data = load_data("fashion" if arguments.folder is None else f"idx:{arguments.folder}", seed=0)
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), data)
    show("Fashion-MNIST, 4-bit weights", figures, TARGETS, arguments.json)


if __name__ == "__main__":
    main()
