"""Every ready-made network, in small, folds into one that answers as it does."""

import pytest
import torch
from folded_reference import check, integer_network, randomize

from spikefold import ir, nn
from spikefold.errors import ModelError
from spikefold.fold import FoldedIdentity, fold
from spikefold.nn import models

MEAN = {"mean": [0.4, 0.5, 0.3], "std": [0.2, 0.3, 0.25]}
TXD = [(4, 1), (2, 2), (1, 4)]

CASES = {
    "lenet_average": (lambda **o: models.lenet((3, 17, 16), 5, width=2, **o), (3, 17, 16)),
    "lenet_max": (
        lambda **o: models.lenet((3, 17, 16), 5, width=2, pool="max", norm=False, **o),
        (3, 17, 16),
    ),
    "vgg_max": (lambda **o: models.vgg11((3, 32, 32), 5, width=2, **o), (3, 32, 32)),
    "vgg_average": (
        lambda **o: models.vgg11((3, 33, 32), 5, width=2, pool="avg", head="flatten", **o),
        (3, 33, 32),
    ),
    "preact_small": (lambda **o: models.preact_resnet((3, 9, 8), 5, (1, 1), (3, 4), **o), (3, 9, 8)),
    "preact18": (lambda **o: models.preact_resnet18((3, 16, 16), 5, width=2, **o), (3, 16, 16)),
    "resnet19": (lambda **o: models.resnet19((3, 8, 8), 5, width=2, **o), (3, 8, 8)),
    "resnet20": (lambda **o: models.resnet20((3, 8, 8), 5, width=2, **o), (3, 8, 8)),
    "sew18": (lambda **o: models.sew_resnet18((3, 16, 16), 5, width=2, **o), (3, 16, 16)),
    "sew18_untied": (lambda **o: models.sew_resnet18((3, 8, 8), 5, width=2, tie=False, **o), (3, 8, 8)),
    "sew34_large": (lambda **o: models.sew_resnet34((3, 32, 32), 5, width=2, stem="large", **o), (3, 32, 32)),
}


def lively(model, seed=0):
    """Random statistics and norms that lift their channels: deep networks of few channels must still fire."""
    model = randomize(model, seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm):
                module.bias.add_(0.5)
    return model


def trained(model, x):
    """A lively model, every PIT scale set from a batch, as the first step of training does."""
    for module in lively(model).modules():
        if isinstance(module, nn.PIT):
            module.initialised.fill_(False)
            module.train()
    with torch.no_grad():
        model(x)
    return model.eval()


@pytest.mark.parametrize(("steps", "levels"), TXD)
@pytest.mark.parametrize("case", CASES)
def test_models_fold(case, steps, levels):
    build, shape = CASES[case]
    options = {"steps": steps, "levels": levels, "dropout": 0.1}
    model = build(**options, **(MEAN if steps == 2 else {}))
    x = torch.rand(4, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    folded = check(trained(model, x), x, awake=0.9)
    framed = steps == 2 and "lenet" not in case
    assert folded.input.padding == ((0, 0) if not framed else (3, 3) if "large" in case else (1, 1))
    assert len(folded.populations) == 1 + sum(isinstance(m, nn.SpikingNeuron) for m in model.modules())


@pytest.mark.parametrize("neuron", ["ilif", "lif"])
@pytest.mark.parametrize("case", ["preact_small", "sew18_untied", "lenet_average"])
def test_models_of_other_neurons_fold(case, neuron):
    build, shape = CASES[case]
    model = build(steps=2, neuron=neuron, static=False)
    x = torch.rand(2, 4, *shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    folded = check(lively(model), x, static=False, awake=0.9)
    projections = [p for population in folded.populations for p in population.projections]
    assert all(len(p.weight) == 1 for p in projections)


def test_a_pre_activation_block_is_two_populations():
    model = models.preact_resnet((3, 8, 8), 5, (1, 1), (3, 4)).eval()
    folded = fold(model)
    first, inner, second = folded.populations[:3]
    assert first.modules == ("stem", "stage1.block1.norm1", "stage1.block1.neuron1")
    assert inner.projections[0].source == "layer0"
    assert isinstance(second.projections[1], FoldedIdentity)
    assert [p.source for p in second.projections] == ["layer1", "layer0"]


def test_tied_sew_stages_are_single_sources():
    folded = fold(models.sew_resnet18((3, 16, 16), 5, width=2).eval())
    sums = [stage for stage in folded.stages if isinstance(stage, ir.Add)]
    network = integer_network(folded)
    assert [network.levels_of(stage.name) for stage in sums] == [8, 12, 8, 12, 8, 12, 8, 12]
    assert all(len(p.projections) == 1 for p in folded.populations)


def test_untied_long_stages_are_refused():
    model = models.sew_resnet34((3, 8, 8), 5, width=2, tie=False)
    with pytest.raises(
        ModelError,
        match=r"^Layer 'stage2\.block4\.add' \(add\) must sum spikes of at most 4 different scales, not 5; "
        r"tie those of the neurons that are added up with spikefold\.nn\.tie_scales$",
    ):
        fold(randomize(model, 3))
