"""Models of `spikefold.nn`, compiled and verified on the gateware: T x D, orders of time, worst cases."""

import dataclasses

import numpy as np
import pytest
import torch

import spikefold
from spikefold import nn
from spikefold.design import Design
from spikefold.ir import Add, Identity, Population
from spikefold_hw.emit import count_multipliers
from spikefold_hw.streaming.depths import LAG, occupancy
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.planning import plan_of

SHAPE = (2, 5, 5)
TRADES = [(4, 1), (2, 2), (1, 4)]
"""T x D of the papers, of equal capacity."""


def warmed(model, seed=0):
    """A model with statistics and scales of random images; the scales of PIT differ from step to step."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm):
            module.momentum = None  # the plain mean over the batches
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.rand(8, *SHAPE, generator=generator))
        for module in model.modules():
            if isinstance(module, nn.PIT):
                noise = torch.randn(module.log_scale.shape, generator=generator)
                module.log_scale.add_(0.2 * noise)
    return model.eval()


def images(samples=3, seed=0):
    x = np.random.default_rng(seed).random((samples, *SHAPE), np.float32)
    x[1:2] = 0
    x[2:] = 1
    return x


def make(kind, steps, levels, **options):
    torch.manual_seed(1)
    common = {"levels": levels, "steps": steps, "input_levels": 4} | options
    if kind == "cnn":
        return nn.models.cnn(SHAPE, 3, channels=(3, 4), head="flatten", **common)
    if kind == "preact":
        return nn.models.preact_resnet(SHAPE, 3, blocks=(1, 1), widths=(3, 4), **common)
    return nn.models.sew_resnet(SHAPE, 3, blocks=(2,), widths=(3,), tie=kind == "sew_tied", **common)


@pytest.mark.parametrize(("steps", "levels"), TRADES)
@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("cnn", "position_major"),
        ("preact", "position_major"),
        pytest.param("preact", "step_major", marks=pytest.mark.slow),
        ("sew_tied", "position_major"),
        pytest.param("sew", "step_major", marks=pytest.mark.slow),
    ],
)
def test_models_equal_the_golden_model(kind, order, steps, levels):
    x = images()
    model = warmed(make(kind, steps, levels))
    design = spikefold.compile(model, name="net", lanes=3, order=order, calibration=x)
    assert design.plan.time.order == order
    assert any(isinstance(stage, Add) for stage in design.network.stages) == (kind == "sew_tied")
    sets = {w.weight_sets for layer in design.plan.layers for w in layer.projections}
    assert sets == {1, steps}
    result = design.verify(x, simulator="amaranth")
    assert (result.mismatches, result.cycle_exact, result.first) == (0, True, None)
    assert result.events > 20
    assert count_multipliers(design.verilog()) == 0


@pytest.mark.parametrize("neuron", ["lif", "ilif", "pit"])
def test_every_neuron(neuron):
    x = images()
    levels = None if neuron == "lif" else 3
    model = warmed(make("preact", 2, levels, neuron=neuron))
    design = spikefold.compile(model, name="net", lanes=2, calibration=x)
    result = design.verify(x, simulator="amaranth", stall=0.3, seed=1)
    assert (result.mismatches, result.first) == (0, None)


def test_frames_that_arrive_step_by_step():
    steps = 3
    model = make("preact", steps, 2, static=False)
    x = np.random.default_rng(2).integers(0, 5, (3, steps, *SHAPE))
    x[1] = 0
    for order in ("step_major", "position_major"):
        design = spikefold.compile(model.eval(), name="net", lanes=2, calibration=x, order=order)
        result = design.verify(x, simulator="amaranth")
        assert (result.mismatches, result.cycle_exact) == (0, True)


@pytest.mark.parametrize("order", ["position_major", "step_major"])
@pytest.mark.parametrize("extreme", ["silent", "firing"])
@pytest.mark.parametrize("kind", ["preact", "sew_tied"])
def test_worst_case_of_the_skips(kind, extreme, order):
    """No neuron fires, or every neuron at every step at its highest level: nothing waits for itself."""
    design = spikefold.compile(warmed(make(kind, 2, 2)), name="net", lanes=2, calibration=images())
    sign = 1 if extreme == "firing" else -1
    stages = tuple(
        dataclasses.replace(stage, bias=np.full_like(stage.bias, sign * (1 << 20)))
        if isinstance(stage, Population) and stage.neuron is not None
        else stage
        for stage in design.network.stages
    )
    network = dataclasses.replace(design.network, stages=stages)
    lanes = {layer.name: layer.lanes for layer in design.plan.layers}
    pushed = Design(network, plan_of(network, lanes, order=order))
    x = images(1)
    levels = pushed.golden(x, record=True).levels
    for name, n in levels.items():
        assert (n == (network.levels_of(name) if extreme == "firing" else 0)).all(), name
    for stall in (0.0, 0.5):
        result = pushed.verify(x, simulator="amaranth", stall=stall)
        assert (result.mismatches, result.first) == (0, None)
        assert result.cycle_exact is (None if stall else True)


def test_skips_are_as_deep_as_needed_and_no_deeper():
    """What must wait at least, and a few positions more so that no stage waits for it."""
    design = spikefold.compile(warmed(make("preact", 1, 4)), name="net", lanes=3, calibration=images())
    least = occupancy(design.network, lag=0)
    joins = [s for s in design.plan.stages if isinstance(s, LayerShape) and s.skips]
    assert joins
    for layer in joins:
        projections = design.network.by_name[layer.name].projections
        (port,) = (k for k, p in enumerate(projections) if isinstance(p, Identity))
        assert 0 < layer.skips[0].buffer.depth - least[layer.name, port] <= 2 * LAG + 2
