"""The benchmark: 784-128-10, T=1, D=4, 4-bit weights, 32 lanes, on 1000 test images of MNIST.

    python bench/mnist.py [--json]

The trained model is bench/mnist.safetensors; `spikefold train examples/mnist.toml -o mnist.safetensors`
makes one as good.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from figures import show

import spikefold
from spikefold import nn
from spikefold.design import Design
from spikefold.train import load_data

MODEL = Path(__file__).parent / "mnist.safetensors"
DEVICE = "ecp5-85k"
STALL = 0.2
ALONE = 10
REPEATS = 20

TARGETS = {
    "accuracy_integer": ">= 95",
    "cycles_interval": "<= 880",
    "cycles_latency": "<= 1010",
    "lane_use": ">= 0.95",
    "lut": "<= 2700",
    "fmax_mhz": ">= 165",
    "fmax_mhz_speed8": ">= 210",
    "lut_cycles_per_mhz": "<= 14500",
    "dsp": "0",
    "multipliers": "0",
    "mismatches": "0",
    "compile_seconds": "<= 10",
    "verify_seconds": "<= 60",
    "simulate_cycles_per_second": ">= 1000000",
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(folder: Path, seeds: int) -> dict[str, Any]:
    data = load_data("mnist5000", seed=0)
    model = nn.load(MODEL)
    say("compile")
    began = time.perf_counter()
    design = spikefold.compile(
        model, name="mnist", weight_bits=4, lanes={"layer0": 32}, calibration=data.train_x[:64]
    )
    design.write(folder / "build")
    compile_seconds = time.perf_counter() - began
    x, y = data.test_x, data.test_y
    accuracy = 100 * float((design.golden(x).classes == y).mean())
    say(f"verify {len(x)} images with stalls of {STALL:.0%} (the first run builds the simulator)")
    verification = design.verify(x, stall=STALL, seed=1)
    say("simulate")
    simulation = design.simulate(x)
    long = design.simulate(np.concatenate([x] * REPEATS))
    latencies = [design.cycles(image[None]).latency for image in x]
    for k in range(ALONE):
        alone = design.simulate(x[k : k + 1]).cycles
        if alone != latencies[k]:
            raise SystemExit(f"image {k} took {alone} cycles, not the predicted {latencies[k]}")
    say(f"synthesize for {DEVICE}")
    latency = float(np.mean(latencies))
    placed = synthesis(design, seeds)
    return {
        "accuracy_integer": round(accuracy, 4),
        "cycles_interval": float(np.diff(simulation.results).mean()),
        "cycles_latency": latency,
        "cycles_latency_max": max(latencies),
        "cycle_exact": bool((simulation.results == design.cycles(x).results).all()),
        "lane_use": design.cycles(x).busiest.lane_use,
        **placed,
        "lut_cycles_per_mhz": placed["lut"] * latency / placed["fmax_mhz"],
        "compile_seconds": compile_seconds,
        "verify_seconds": verification.seconds,
        "mismatches": verification.mismatches,
        "simulate_cycles_per_second": long.cycles / long.seconds,
    }


def synthesis(design: Design, seeds: int) -> dict[str, Any]:
    result = design.synth(DEVICE, seeds=seeds, progress=say).to_json()
    fast = design.synth(DEVICE, speed=8, seeds=seeds, progress=say)
    names = ("lut", "ff", "bram", "dsp", "multipliers", "fmax_mhz")
    return {name: result[name] for name in names} | {"fmax_mhz_speed8": fast.fmax_mhz}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of place and route to try (3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), arguments.seeds)
    show("MNIST 784-128-10, T=1, D=4, 4-bit weights, 32 lanes", figures, TARGETS, arguments.json)


if __name__ == "__main__":
    main()
