"""Broken frames of every kind through designs of every kind, in Verilator.

    python bench/protocol.py [--json] [--frames N] [--seed S]

Half of the frames are damaged: beats lost, repeated and swapped, end flags lost and added, indices and
levels of any value, samples cut short and joined, garbage. Each result must be that of the golden model,
or carry the error flag if its sample was broken; every broken sample must be counted under its cause. The
loaded design also gets its memories through damaged load frames, and again while it works.
"""

import argparse
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from figures import show

from spikefold.design import Design
from spikefold.ir import Add, Conv, Dense, Identity, Input, Network, Neuron, Pool, Population
from spikefold_hw.streaming.planning import plan_of
from spikefold_sim.observation import HangError

TARGETS = {"frames": ">= 10000", "wrong_good_frames": "0", "hangs": "0", "uncounted": "0", "unmarked": "0"}
BITS = 4


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-(1 << BITS - 1), 1 << BITS - 1, (1, *shape))


def population(rng: np.random.Generator, name: str, *projections: Any) -> Population:
    channels = projections[0].targets
    neuron = Neuron(4, rng.integers(4, 20, (1, channels)))
    return Population(name, projections, rng.integers(-8, 16, (1, channels)), 0, neuron)


def readout(rng: np.random.Generator, source: str, inputs: int, classes: int = 4) -> Population:
    projection = Dense(source, weights(rng, classes, inputs), BITS)
    return Population("readout", (projection,), rng.integers(-8, 8, (1, classes)))


def dense(rng: np.random.Generator, steps: int = 1, static: bool = True, name: str = "dense") -> Network:
    """Ten inputs of levels up to 9: an index and a level can be out of range."""
    hidden = population(rng, "hidden", Dense("input", weights(rng, 12, 10), BITS))
    return Network(Input((10,), 9, static), steps, (hidden, readout(rng, "hidden", 12)), name)


def convolutional(rng: np.random.Generator, name: str = "conv") -> Network:
    first = population(rng, "first", Conv("input", weights(rng, 6, 3, 3, 3), BITS, padding=(1, 1)))
    pool = Pool("pool", "first", "max", (2, 2), (2, 2))
    second = population(rng, "second", Conv("pool", weights(rng, 5, 6, 3, 3), BITS))
    return Network(Input((3, 6, 6), 5), 1, (first, pool, second, readout(rng, "second", 5)), name)


def residual(rng: np.random.Generator) -> Network:
    """Two time steps that differ, a skipped identity and a sum."""
    first = population(rng, "first", Conv("input", weights(rng, 5, 3, 3, 3), BITS, padding=(1, 1)))
    inner = population(
        rng,
        "inner",
        Conv("first", weights(rng, 5, 5, 3, 3), BITS, padding=(1, 1)),
        Identity("first", weights(rng, 5), BITS),
    )
    stages = (first, inner, Add("sum", ("first", "inner")), readout(rng, "sum", 5 * 16))
    return Network(Input((3, 4, 4), 5, False), 2, stages, "residual")


def design(network: Network, **options: Any) -> Design:
    lanes = {population.name: 3 for population in network.populations}
    return Design(network, replace(plan_of(network, lanes, **options), tag_bits=9))


def designs(rng: np.random.Generator) -> dict[str, Design]:
    return {
        "dense": design(dense(rng)),
        "steps": design(dense(rng, 3, False, "steps")),
        "position_major": design(dense(rng, 3, False, "inner"), order="position_major"),
        "conv": design(convolutional(rng)),
        "residual": design(residual(rng)),
        "loaded": design(convolutional(rng, "loaded"), loaded=True),
    }


def samples(rng: np.random.Generator, network: Network, count: int) -> np.ndarray:
    shape = (
        network.input.levels_shape if network.input.static else (network.steps, *network.input.levels_shape)
    )
    levels = rng.integers(1, network.input.levels + 1, (count, *shape))
    return levels * (
        rng.random(levels.shape) < rng.choice([0.1, 0.5, 1.0], count).reshape(-1, *(1,) * len(shape))
    )


def run(frames: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    total: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    every = designs(rng)
    for name, each in every.items():
        print(f"{name}: {2 * frames // len(every)} frames", file=sys.stderr, flush=True)
        x = samples(rng, each.network, 2 * frames // len(every) + 200)
        try:
            found = each.fuzz(x, seed=seed, stall=0.1)
        except HangError as error:
            print(error, file=sys.stderr)
            total["hangs"] += 1
            continue
        faults.update(found.faults)
        names = ("wrong_good_frames", "unmarked", "uncounted", "broken", "samples")
        total.update({key: getattr(found, key) for key in names})
        total.update({f"cause_{cause}": count for cause, count in found.causes.items()})
    total["frames"] = sum(faults.values())
    figures = {key: total[key] for key in (*TARGETS, "broken", "samples")}
    return (
        figures | {key: n for key, n in total.items() if key.startswith("cause_")} | {"faults": dict(faults)}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--frames", type=int, default=12_000, help="damaged frames, about")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    figures = run(arguments.frames, arguments.seed)
    faults = figures.pop("faults")
    shown = figures | (
        {"faults": faults} if arguments.json else {f"fault: {k}": n for k, n in faults.items()}
    )
    show("Broken frames", shown, TARGETS, arguments.json)
    sys.exit(any(figures[key] for key in ("wrong_good_frames", "hangs", "uncounted", "unmarked")))


if __name__ == "__main__":
    main()
