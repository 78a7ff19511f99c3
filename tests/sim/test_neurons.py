"""Every neuron of the papers, dense and convolutional, from the trained model to gateware: bit for bit."""

import dataclasses
import re
from functools import cache

import numpy as np
import pytest
import torch

import spikefold
from spikefold import nn
from spikefold.design import Design
from spikefold.nn import BinaryConv2d, BinaryDense
from spikefold_hw.emit import count_multipliers
from spikefold_hw.streaming.planning import plan_of

STEPS = {"dense": 3, "conv": 2}
SHAPES = {"dense": (12,), "conv": (2, 6, 6)}

NEURONS = {
    "lif": lambda c, t: nn.LIF(c, 0.7, t),
    "lif decay": lambda c, t: nn.LIF(c, 0.4, t, 0.25, input_decay=True),
    "ilif": lambda c, t: nn.ILIF(c, 5, t, threshold=0.6),
    "ilif half to even": lambda c, t: nn.ILIF(c, 4, t, threshold=0.6, rounding="half_even"),
    "pit": lambda c, t: nn.PIT(c, 4, t),
    "pit shared hard": lambda c, t: nn.PIT(c, 6, t, per_step=False, per_channel=False, reset="zero"),
    "pit factor decay": lambda c, t: nn.PIT(c, 3, t, learn="factor", input_decay=True),
    "qblif": lambda c, t: nn.QBLIF(c, 20, t, init="three_sigma"),
    "reverb": lambda c, t: nn.ReverB(c, 4, t, threshold=0.15),
}
"""Of every paper; ReverB with the binary weights it is for."""

CORNERS = {
    **{f"reverb {bits} bits": (lambda c, t, bits=bits: nn.ReverB(c, bits, t)) for bits in range(1, 9)},
    "reverb alphas": lambda c, t: nn.ReverB(c, 2, t, threshold=-0.2, alpha="channel"),
    "reverb floor": lambda c, t: nn.ReverB(c, 3, t, threshold=0.7),
    "qblif 255": lambda c, t: nn.QBLIF(c, 255, t, init="min_max", per_channel=True),
    "qblif 1 clears": lambda c, t: nn.QBLIF(c, 1, t, reset_factor=1.0, init="three_sigma"),
    "qblif 20 keeps": lambda c, t: nn.QBLIF(c, 20, t, 0.9, reset_factor=0.0, init="three_sigma"),
    "qblif 0.3": lambda c, t: nn.QBLIF(c, 7, t, 0.8, reset_factor=0.3, init="three_sigma"),
    "pit 1 none": lambda c, t: nn.PIT(c, 1, t, 1.0, reset="none", learn="none"),
}
"""Of their parameters."""


def build(shape, name, make):
    """A model of two layers of neurons, the second with binary synapses where the neuron is ReverB's."""
    torch.manual_seed(len(name))
    steps, binary = STEPS[shape], name.startswith("reverb")
    source = nn.Input(SHAPES[shape], 7, steps=steps)
    if shape == "dense":
        synapses = BinaryDense(10, 8, alpha="output") if binary else nn.Dense(10, 8)
        layers = [
            nn.Dense(12, 10),
            nn.BatchNorm(10),
            make(10, steps),
            synapses,
            nn.BatchNorm(8),
            make(8, steps),
        ]
        return nn.Sequential(source, *layers, nn.Dense(8, 4), nn.Readout())
    synapses = BinaryConv2d(4, 5, 3) if binary else nn.Conv2d(4, 5, 3)
    layers = [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm(4), make(4, steps), nn.AvgPool2d(2)]
    layers += [synapses, nn.BatchNorm(5), make(5, steps), nn.Flatten()]
    head = BinaryDense(5, 3) if binary else nn.Dense(5, 3)
    return nn.Sequential(source, *layers, head, nn.Readout())


def samples(shape, count=5):
    x = np.random.default_rng(0).random((count, *SHAPES[shape]), np.float32)
    x[1], x[2] = 0, 1
    return x


def trained_like(shape, model):
    """Statistics and scales of random samples, then noise, so that no two scales are equal by chance."""
    generator = torch.Generator().manual_seed(1)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm)]
    for norm in norms:
        norm.momentum = None  # the plain mean over the batches
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.rand(32, *SHAPES[shape], generator=generator))
        for name, tensor in model.named_parameters():
            if name.split(".")[-1] != "weight" or tensor.dim() == 1:
                tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
        for norm in norms:
            norm.bias += 0.3
    return model.eval()


@cache
def compiled(shape, name):
    x = samples(shape)
    model = trained_like(shape, build(shape, name, (NEURONS | CORNERS)[name]))
    design = spikefold.compile(model, name="net", lanes=3, calibration=x)
    run = design.golden(x, record=True)
    firing = [float((run.levels[f"layer{k}"] > 0).mean()) for k in range(2)]
    assert all(0.01 < rate < 1 for rate in firing), f"neurons must fire, and not always: {firing}"
    assert count_multipliers(design.verilog()) == 0
    return design, x


def verify(design, x, simulator):
    result = design.verify(x, simulator=simulator)
    assert (result.mismatches, result.cycle_exact, result.first) == (0, True, None)
    result = design.verify(x, simulator=simulator, stall=0.4, seed=3)
    assert (result.mismatches, result.first) == (0, None)


def cases(names, quick):
    """All names on both shapes; those that are not quick are slow tests."""
    pairs = [(name, shape) for name in names for shape in SHAPES]
    return [pytest.param(*pair, marks=() if pair in quick else pytest.mark.slow) for pair in pairs]


@pytest.mark.parametrize(
    ("name", "shape"), cases(NEURONS, [*((name, "dense") for name in NEURONS), ("qblif", "conv")])
)
def test_gateware(name, shape):
    verify(*compiled(shape, name), "amaranth")


@pytest.mark.parametrize(
    ("name", "shape"),
    cases(CORNERS, [(name, "dense") for name in CORNERS if not re.search("[2-7] bits", name)]),
)
def test_corners(name, shape):
    verify(*compiled(shape, name), "amaranth")


@pytest.mark.parametrize(("name", "shape"), cases(NEURONS, [("reverb", "conv")]))
def test_verilog(name, shape):
    verify(*compiled(shape, name), "native")


def test_a_membrane_at_the_floor_itself_fires():
    design, _ = compiled("dense", "reverb floor")
    first, *rest = design.network.stages
    floor = first.neuron.fire_floor
    assert (floor >= first.neuron.threshold).all()
    for below in (0, 1):
        stage = dataclasses.replace(first, bias=(floor - below)[None])
        network = dataclasses.replace(design.network, stages=(stage, *rest))
        moved = Design(network, plan_of(network, {layer.name: 3 for layer in design.plan.layers}))
        silence = np.zeros((1, 12), np.float32)
        levels = moved.golden(silence, record=True).levels["layer0"]
        assert (levels[0, 0] > 0).all() == (below == 0)
        verify(moved, silence, "amaranth")


def test_integer_neurons_are_those_of_the_paper():
    """Kind by kind: D, rounding, reset, factor and floor of docs/numerics.md, "The neuron"."""
    neurons = {
        name: compiled("dense", name)[0].network.populations[0].neuron
        for name in ("lif", "ilif", "ilif half to even", "pit", "pit shared hard", "qblif", "reverb")
    }
    kinds = {name: (n.levels, n.rounding, n.reset) for name, n in neurons.items()}
    assert kinds == {
        "lif": (1, "floor", "subtract"),
        "ilif": (5, "half_up", "subtract"),
        "ilif half to even": (4, "half_even", "subtract"),
        "pit": (4, "half_up", "subtract"),
        "pit shared hard": (6, "half_up", "zero"),
        "qblif": (20, "floor", "scale"),
        "reverb": (15, "floor", "zero"),
    }
    assert {name for name, n in neurons.items() if n.factor is not None} == {"qblif"}
    assert neurons["qblif"].factor.value == 0.5
    assert {name for name, n in neurons.items() if n.fire_floor is not None} == {"reverb"}
    assert neurons["reverb"].leak.value == 0.25


@pytest.mark.parametrize("shape", SHAPES)
def test_binary_weights_are_one_bit_in_the_verilog(shape):
    """The memories of a binary layer are as wide as it has lanes, and as deep as its window."""
    design, _ = compiled(shape, "reverb")
    projections = [p.projections[0] for p in design.network.populations]
    assert [p.bits for p in projections] == ([4, 1, 4] if shape == "dense" else [4, 1, 1])
    text = "\n".join(design.verilog().values())
    for k, layer in enumerate(design.plan.layers):
        pattern = rf'spikefold_rom_(\d+)x(\d+) #\(\s*\.FILE\("{layer.name}_weight\d+\.mem"\)'
        sizes = [(int(depth), int(width)) for width, depth in re.findall(pattern, text)]
        assert sizes
        inputs = projections[k].flat.shape[2]
        blocks = -(-projections[k].targets // layer.lanes)
        assert {depth for depth, _ in sizes} == {inputs * blocks}
        assert sum(width for _, width in sizes) == layer.lanes * projections[k].bits


def test_one_bit_weights_have_no_error():
    design, _ = compiled("conv", "reverb")
    layers = design.info["quantization"]["layers"]
    assert [(layer["weight_bits"], layer["weight_max"]) for layer in layers[1:]] == [(1, 0), (1, 0)]
    assert layers[0]["weight_max"] > 0
