"""Seconds of training, on one thread: neurons alone, and a step of the Fashion CNN with and without rounding.

    python bench/training.py [--json]

Milliseconds are medians over interleaved repetitions.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from figures import show

from spikefold import nn
from spikefold.train import fake_quantized

REPEATS = 15
SHAPE = (4, 64, 16, 28, 28)
"""Time steps, samples, channels, rows, columns of the neurons' currents."""


def neuron_step(neuron: nn.SpikingNeuron) -> Callable[[], None]:
    """Forward and backward of one layer of neurons."""
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    neuron(x)  # the first batch sets scales
    return lambda: neuron(x).sum().backward()


def network_step(bits: int | None) -> Callable[[], None]:
    """A step of examples/fashion.toml's network on 128 images, without the optimizer."""
    torch.manual_seed(0)
    model = nn.models.cnn((1, 28, 28), 10, channels=(16, 32, 64))
    x, y = torch.rand(128, 1, 28, 28), torch.arange(128) % 10
    model(x)

    def step() -> None:
        with nullcontext() if bits is None else fake_quantized(model, bits):
            torch.nn.functional.cross_entropy(model(x), y).backward()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    steps, _, channels, *_ = SHAPE
    neurons = {"pit": nn.PIT, "ilif": nn.ILIF, "lif": nn.LIF, "qblif": nn.QBLIF, "reverb": nn.ReverB}
    tasks = {name: neuron_step(build(channels, steps=steps)) for name, build in neurons.items()}
    tasks |= {"cnn": network_step(None), "cnn_rounded": network_step(4)}
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(REPEATS):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            taken[name].append(1000 * (time.perf_counter() - began))
    figures = {f"{name}_ms": statistics.median(times) for name, times in taken.items()}
    figures["rounding_ratio"] = figures["cnn_rounded_ms"] / figures["cnn_ms"]
    show("Training, one thread", figures, {}, arguments.json)


if __name__ == "__main__":
    main()
