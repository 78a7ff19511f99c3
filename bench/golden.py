"""Speed of the golden model against the same network in float: `python bench/golden.py [--json]`.

Three columns of one run: the golden model, the same spiking network in plain float torch (integer-spike
neurons, one pass over all steps per layer), and its convolutions with a ReLU in place of the neurons,
the least that any float model costs. All get the same samples in memory, on the same threads. Ratios are
golden / float: below 1 the integer model is the faster one.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from spikefold.golden import Golden
from spikefold.ir import Conv, Dense, Identity, Input, Network, Neuron, Pool, Population, Projection

LEVELS = 4


class Maker:
    """Random networks of 4-bit weights, each threshold a share of the spread of its current."""

    def __init__(self, steps: int) -> None:
        self.steps, self.stages = steps, []
        self.rng = np.random.default_rng(0)

    def weight(self, *shape: int) -> np.ndarray:
        return self.rng.integers(-7, 8, (1, *shape))

    def conv(self, source: str, channels: int, targets: int, kernel: int = 3, stride: int = 1) -> Conv:
        padding = (kernel // 2,) * 2
        return Conv(source, self.weight(targets, channels, kernel, kernel), 4, (stride,) * 2, padding)

    def add(self, name: str, *projections: Projection, fraction: int = 2) -> str:
        channels = projections[0].targets
        spread = int(np.sqrt(sum((p.flat.astype(float) ** 2).sum(axis=2).mean() for p in projections)))
        theta = self.rng.integers(spread, 3 * spread, (1, channels)) << fraction
        bias = self.rng.integers(-spread, spread, (1, channels)) << fraction
        self.stages.append(Population(name, projections, bias, fraction, Neuron(LEVELS, theta)))
        return name

    def network(self, name: str, shape: tuple[int, ...], source: str, size: int) -> Network:
        last = Dense(source, self.weight(10, size), 4)
        readout = Population("readout", (last,), np.zeros((1, 10), int))
        return Network(Input(shape, 16), self.steps, (*self.stages, readout), name)


def dense(hidden: tuple[int, ...], steps: int) -> Network:
    maker, source, size = Maker(steps), "input", 784
    for k, channels in enumerate(hidden):
        source = maker.add(f"dense{k}", Dense(source, maker.weight(channels, size), 4))
        size = channels
    return maker.network("mlp_" + "_".join(map(str, hidden)), (784,), source, size)


def cnn(steps: int) -> Network:
    """Five layers for 28x28 images: four convolutions of 16 and 32 channels, two pools, a dense readout."""
    maker = Maker(steps)
    maker.add("conv0", maker.conv("input", 1, 16))
    maker.add("conv1", maker.conv("conv0", 16, 16))
    maker.stages.append(Pool("pool1", "conv1", "max", (2, 2), (2, 2)))
    maker.add("conv2", maker.conv("pool1", 16, 32))
    maker.add("conv3", maker.conv("conv2", 32, 32))
    maker.stages.append(Pool("pool3", "conv3", "sum", (2, 2), (2, 2)))
    return maker.network("cnn5", (1, 28, 28), "pool3", 32 * 49)


def resnet18(steps: int, width: int = 64) -> Network:
    """ResNet18 for 32x32 images."""
    maker = Maker(steps)
    source, channels = maker.add("stem", maker.conv("input", 3, width)), width
    for group, block in np.ndindex(4, 2):
        targets, stride = width << group, 2 if group and not block else 1
        first = maker.add(f"first{group}{block}", maker.conv(source, channels, targets, 3, stride))
        skip = Identity(source, np.full((1, targets), 5), 4)
        shortcut = skip if stride == 1 else maker.conv(source, channels, targets, 1, stride)
        source = maker.add(f"second{group}{block}", maker.conv(first, targets, targets), shortcut)
        channels = targets
    maker.stages.append(Pool("pool", source, "sum", (4, 4), (4, 4)))
    return maker.network("resnet18", (3, 32, 32), "pool", channels)


CASES = [
    (lambda: dense((128,), 4), 1000),
    (lambda: dense((512, 512), 4), 1000),
    (lambda: cnn(1), 128),
    (lambda: cnn(4), 128),
    (lambda: resnet18(1), 16),
    (lambda: resnet18(4), 16),
]


class Float:
    """The same network in plain float torch, without the golden model's care for types and layouts."""

    def __init__(self, network: Network, spiking: bool) -> None:
        self.network, self.spiking = network, spiking
        self.weights = {
            p.name: [torch.tensor(q.weight[0] << p.fraction).float() for q in p.projections]
            for p in network.populations
        }
        self.bias = {p.name: torch.tensor(p.bias[0]).float() for p in network.populations}
        self.theta = {
            p.name: torch.tensor(p.neuron.threshold[0]).float()[:, None, None]
            for p in network.populations
            if p.neuron
        }

    def __call__(self, x: Tensor) -> Tensor:
        """`x`: (samples, ..), static."""
        known = {"input": x.repeat(self.network.steps, *(1,) * (x.ndim - 1))}
        for stage in self.network.stages:
            if isinstance(stage, Pool):
                pool = functional.max_pool2d if stage.pooling == "max" else functional.avg_pool2d
                known[stage.name] = pool(known[stage.source], stage.kernel, stage.stride)
            else:
                current = self.current(stage, known)
                known[stage.name] = self.emitted(stage, current) if stage.neuron else current
        return known["readout"].unflatten(0, (self.network.steps, -1)).mean(0)

    def current(self, stage: Population, known: dict[str, Tensor]) -> Tensor:
        total: Tensor | None = None
        for k, (p, weight) in enumerate(zip(stage.projections, self.weights[stage.name], strict=True)):
            bias = self.bias[stage.name] if k == 0 else None
            if isinstance(p, Conv):
                part = functional.conv2d(known[p.source], weight, bias, p.stride, p.padding)
            elif isinstance(p, Dense):
                part = functional.linear(known[p.source].flatten(1), weight, bias)
            else:
                part = known[p.source] * weight[:, None, None]
            total = part if total is None else total + part
        return total

    def emitted(self, stage: Population, current: Tensor) -> Tensor:
        if not self.spiking:
            return torch.relu(current)
        theta = self.theta[stage.name] if current.ndim == 4 else self.theta[stage.name].flatten()
        v, levels = 0.0, []
        for now in current.unflatten(0, (self.network.steps, -1)):
            u = v + now
            levels.append(torch.clamp(torch.floor(u / theta + 0.5), 0, LEVELS))
            v = u - levels[-1] * theta
        return torch.cat(levels)


def milliseconds(*functions: Callable[[], object], repeats: int) -> list[float]:
    """Least time of each function; they take turns, so that other load on the machine hits all alike."""
    best = [float("inf")] * len(functions)
    for _ in range(repeats + 1):
        for k, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[k] = min(best[k], (time.perf_counter() - start) * 1e3)
    return best


def measure(network: Network, samples: int, repeats: int) -> dict[str, Any]:
    ready = Golden(network)
    levels = np.random.default_rng(1).integers(0, 17, (samples, 1, *network.input.shape))
    x = torch.tensor(levels[:, 0]).float()
    run = ready.run(levels[:8], record=True)
    with torch.inference_mode():
        spiking, relu = Float(network, True), Float(network, False)
        times = milliseconds(lambda: ready.run(levels), lambda: spiking(x), lambda: relu(x), repeats=repeats)
    golden, real, least = times
    return {
        "network": network.name,
        "steps": network.steps,
        "samples": samples,
        "types": sorted({str(t).removeprefix("torch.") for pair in ready.dtypes.values() for t in pair}),
        "golden_ms": round(golden, 2),
        "float_ms": round(real, 2),
        "relu_ms": round(least, 2),
        "ratio": round(golden / real, 3),
        "relu_ratio": round(golden / least, 3),
        "mean_level": round(float(np.mean([n.mean() for n in run.levels.values()])), 3),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    progress = Console(stderr=True)
    rows = [measure(make(), n, options.repeats) for make, n in track(CASES, "measuring", console=progress)]
    if options.json:
        print(json.dumps({"threads": options.threads, "rows": rows}))
        return
    table = Table(*rows[0], title=f"golden model, {options.threads} threads")
    for row in rows:
        table.add_row(*(", ".join(v) if isinstance(v, list) else str(v) for v in row.values()))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
