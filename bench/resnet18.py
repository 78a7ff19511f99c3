"""The largest benchmark: PIT's pre-activation ResNet18, 3x32x32, 11.2 M weights of 4 bits, T x D = 1x4.

    python bench/resnet18.py [--json]

The weights are random (seeded), batch norms and scales are set by a few batches of random images, so the
firing rates are those of a trained network. One inference runs on Verilator; the levels of every layer must
equal the golden model's and the result must come in the predicted cycle. The first run builds the
simulator, which takes some minutes and is not counted.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import show

import spikefold
from spikefold import nn

LANES, FIRST_LANES = 64, 16
SHAPE = (3, 32, 32)
WARM_UP = 4

TARGETS = {
    "seconds_compile": "<= 120",
    "peak_gib": "<= 8",
    "seconds_simulate": "<= 180",
    "mismatches": "0",
    "lane_use": ">= 0.90",
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def model(seed: int = 0) -> torch.nn.Module:
    """The network with random weights, and statistics of random images."""
    torch.manual_seed(seed)
    network = nn.models.preact_resnet18(SHAPE, 10, neuron="pit", levels=4, steps=1)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm)]
    for norm in norms:
        norm.momentum = None  # the plain mean over the batches
    network.train()
    with torch.no_grad():
        for _ in range(WARM_UP):
            network(torch.rand(8, *SHAPE))
    return network.eval()


def run(folder: Path) -> dict[str, Any]:
    network, x = model(), np.random.default_rng(0).random((2, *SHAPE), np.float32)
    # The first convolution has few inputs: with more lanes, draining them would take longer than filling.
    names = [f"layer{k}" for k in range(17)]
    lanes = dict.fromkeys(names, LANES) | {"layer0": FIRST_LANES}
    say("compile")
    began = time.perf_counter()
    design = spikefold.compile(network, name="resnet18", weight_bits=4, lanes=lanes, calibration=x[1:])
    design.write(folder / "build")
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    say("verify one inference (the first run builds the simulator)")
    found = design.verify(x[:1], simulator="native")
    golden = design.golden(x[:1], record=True)
    cycles = design.cycles(x[:1])
    return {
        "weights": sum(p.weight.size for q in design.network.populations for p in q.projections),
        "firing": float(np.mean([(levels > 0).mean() for levels in golden.levels.values()])),
        "stages": len(design.plan.stages),
        "lanes": LANES,
        "seconds_compile": seconds,
        "peak_gib": peak,
        "seconds_simulate": found.seconds,
        "mismatches": found.mismatches,
        "cycle_exact": found.cycle_exact,
        "events": found.events,
        "cycles_latency": cycles.latency,
        "cycles_busiest": cycles.busiest.busy,
        "lane_use": cycles.busiest.lane_use,
        "cycles_per_second": cycles.latency / found.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder))
    show("Pre-activation ResNet18, 3x32x32, T x D = 1x4", figures, TARGETS, arguments.json)


if __name__ == "__main__":
    main()
