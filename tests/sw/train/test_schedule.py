"""Learning rates and optimizers."""

import math

import pytest
import torch

from spikefold import nn
from spikefold.train import TrainingOptions
from spikefold.train.schedule import learning_rate, make_optimizer, parameter_groups


def rates(**options: object) -> list[float]:
    chosen = TrainingOptions(epochs=10, learning_rate=2.0, **options)
    return [learning_rate(chosen, done / 10) for done in range(11)]


def test_cosine_rises_and_falls_to_zero() -> None:
    found = rates()
    assert found[0] == pytest.approx(2.0 * 1e-3 / 0.1)
    assert found[1] == pytest.approx(2.0)
    expected = [1 + math.cos(math.pi * (done - 1) / 9) for done in range(1, 11)]
    assert found[1:] == pytest.approx(expected, abs=1e-12)


def test_constant_stays() -> None:
    assert rates(schedule="constant", warmup=0.0) == [2.0] * 11
    half = rates(schedule="constant", warmup=0.5)
    assert half[2] == pytest.approx(2.0 * 0.201 / 0.5)
    assert half[5:] == [2.0] * 6


def test_warm_up_in_epochs_or_as_a_share() -> None:
    assert rates(warmup_epochs=3) == rates(warmup=0.3)
    assert rates(warmup_epochs=1) == rates()
    assert rates(warmup_epochs=0)[0] == 2.0


def test_optimizers_take_what_the_recipe_says() -> None:
    model = nn.models.mlp((4,), (3,), 2)
    sgd = make_optimizer(model, TrainingOptions(optimizer="sgd", nesterov=True, weight_decay=0.5))
    assert type(sgd) is torch.optim.SGD
    assert [(g["momentum"], g["nesterov"], g["weight_decay"]) for g in sgd.param_groups] == [
        (0.9, True, 0.5),
        (0.9, True, 0.0),
    ]
    plain = make_optimizer(model, TrainingOptions(optimizer="sgd", momentum=0.0))
    assert plain.param_groups[0]["momentum"] == 0.0
    assert type(make_optimizer(model, TrainingOptions())) is torch.optim.AdamW


def test_decay_is_for_synapses_only() -> None:
    model = nn.models.preact_resnet((1, 8, 8), 3, (1,), (4,))
    decayed, rest = parameter_groups(model, 0.25)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert [group["weight_decay"] for group in (decayed, rest)] == [0.25, 0.0]
    assert sorted(names[id(p)] for p in decayed["params"]) == [
        *("dense.weight", "stage1.block1.conv1.weight", "stage1.block1.conv2.weight", "stem.weight")
    ]
    assert len(decayed["params"]) + len(rest["params"]) == len(names)
