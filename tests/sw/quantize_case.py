"""Folded networks of random numbers, and quantizing them."""

from folded_reference import as_tensors

from spikefold.fold import FoldedDense, FoldedNetwork, FoldedNeuron, FoldedPopulation
from spikefold.ir import Input
from spikefold.quantize import quantizer


def quantize(folded, **options):
    """Quantize a network written in numpy."""
    return quantizer.quantize(as_tensors(folded), **options)


def folded_network(rng, *, steps=2, per_step=True, leak=0.5, channels=24, size=40):
    """A hidden population and a readout with random real parameters."""
    sets = steps if per_step else 1
    hidden = FoldedPopulation(
        "layer0",
        (FoldedDense("input", rng.normal(0, rng.uniform(0.1, 3, (1, channels, 1)), (1, channels, size))),),
        rng.normal(0, 1, channels),
        FoldedNeuron(rng.uniform(0.5, 20, (sets, channels)), 4, "half_up", "subtract", leak),
        ("dense", "neuron"),
    )
    readout = FoldedPopulation(
        "readout",
        (FoldedDense("layer0", rng.normal(0, 1, (sets, 10, channels))),),
        rng.normal(0, 1, 10),
        None,
        ("head", "out"),
    )
    return FoldedNetwork(Input((size,), 16), steps, (hidden, readout), "network")
