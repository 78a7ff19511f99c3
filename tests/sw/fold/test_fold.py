"""The folded network, evaluated in float64, against the model's own forward."""

import numpy as np
import pytest
import torch
from folded_reference import check, randomize

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.fold import FoldedDense, fold
from spikefold.fold.mathematics import fold_scale, fold_shift, merge_steps


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("neuron", ["pit", "ilif", "lif"])
def test_folded_networks_answer_as_the_model(neuron, steps):
    torch.manual_seed(1)
    model = nn.models.mlp(20, [30, 25], 5, neuron=neuron, steps=steps, dropout=0.2, minimum=-2.0, maximum=3.0)
    model = randomize(model, seed=2)
    folded = check(model, torch.rand(200, 20, dtype=torch.float64) * 5 - 2)
    assert [p.name for p in folded.populations] == ["layer0", "layer1", "readout"]
    assert folded.populations[1].modules == ("dense2", "norm2", "neuron2")
    sets = [len(p.projections[0].weight) for p in folded.populations]
    assert sets == ([1, steps, steps] if neuron == "pit" else [1, 1, 1])


def test_negative_gains_flip_signs():
    model = nn.Sequential(
        nn.Input(3),
        nn.Dense(3, 2, bias=False),
        nn.BatchNorm(2, eps=1e-12),
        nn.ILIF(2),
        nn.Dense(2, 2),
        nn.Readout(),
    )
    with torch.no_grad():
        model[2].weight.copy_(torch.tensor([-2.0, 1.0]))
    weight = model[1].weight.detach().double().numpy() / 16
    np.testing.assert_allclose(fold(model).populations[0].projections[0].weight[0], weight * [[-2], [1]])


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("leak", [0.0, 0.3, 1.0])
def test_every_reset_and_leak(reset, leak):
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Input(10, 8, steps=4, static=False),
        nn.Dense(10, 16),
        nn.PIT(16, 5, 4, leak, reset=reset),
        torch.nn.Identity(),
        torch.nn.Linear(16, 12),
        nn.BatchNorm(12),
        nn.ILIF(12, 3, 4, leak, reset=reset),
        nn.Dense(12, 3),
        nn.BatchNorm(3),
        nn.Readout(),
    )
    model = randomize(model, 4)
    folded = check(model, torch.rand(4, 50, 10, dtype=torch.float64), static=False)
    assert folded.populations[0].neuron.reset == reset
    assert folded.populations[0].neuron.leak == leak


def test_normalised_images_with_one_mean_a_feature():
    torch.manual_seed(5)
    mean, std = torch.rand(4, 5) * 100, torch.rand(4, 5) * 50 + 20
    model = nn.Sequential(
        nn.Input((4, 5), 15, 0.0, 255.0, mean, std, steps=2),
        nn.Flatten(),
        nn.Dense(20, 30),
        nn.BatchNorm(30),
        nn.PIT(30, 4, 2),
        nn.Dense(30, 4),
        nn.Readout(),
    )
    folded = check(randomize(model, 6), torch.rand(100, 4, 5, dtype=torch.float64) * 300 - 20)
    assert (folded.input.shape, folded.input.levels, folded.input.maximum) == ((4, 5), 15, 255.0)


def test_equal_scales_give_one_weight_set():
    model = nn.models.mlp(4, [6], 3, steps=5)
    randomize(model, 7)
    with torch.no_grad():
        model.neuron1.log_scale[:] = model.neuron1.log_scale[0]
    folded = check(model, torch.rand(30, 4, dtype=torch.float64))
    assert folded.populations[0].neuron.threshold.shape == (1, 6)
    assert folded.populations[1].projections[0].weight.shape == (1, 3, 6)


def test_models_are_left_alone():
    model = randomize(nn.models.mlp(4, [6], 3, steps=2), 8).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = fold(model, "digits")
    assert folded.name == "digits"
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.train()
    np.testing.assert_array_equal(
        fold(model.eval()).populations[0].projections[0].weight, folded.populations[0].projections[0].weight
    )


def test_custom_modules_are_folded_too():
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Input(6)
            self.hidden = torch.nn.Sequential(nn.Dense(6, 8), torch.nn.Dropout(), nn.LIF(8, 0.25))
            self.head = nn.Dense(8, 2)
            self.out = nn.Readout()

        def forward(self, x):
            return self.out(self.head(self.hidden(self.encode(x))))

    torch.manual_seed(9)
    folded = check(randomize(Block(), 9), torch.rand(60, 6, dtype=torch.float64))
    assert folded.populations[0].modules == ("hidden.0", "hidden.2")
    np.testing.assert_allclose(folded.populations[0].neuron.threshold, 0.25)


def test_pure_functions():
    weight, bias = torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])
    folded = fold_scale(weight, torch.tensor([[2.0, 10.0], [1.0, 1.0]]))
    assert folded.tolist() == [[[2, 20]], [[1, 2]]]
    assert (bias + fold_shift(weight, torch.tensor([5.0, 7.0]))).tolist() == [22]
    flipped = FoldedDense("input", folded).scaled(torch.tensor([-2.0]))
    assert flipped.weight.tolist() == [[[-4, -40]], [[-2, -4]]]
    assert merge_steps(torch.ones(3, 2)).shape == (1, 2)
    assert merge_steps(torch.eye(2)).shape == (2, 2)


def test_groups_meet_their_own_sources():
    weight = torch.ones(4, 2, 1, 2)
    by_target = fold_scale(weight, torch.tensor([[1.0, 2.0, 3.0, 4.0]]), groups=2)[0, :, :, 0, 1]
    assert by_target.tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    assert fold_shift(weight, torch.tensor([1.0, 2.0, 3.0, 4.0]), groups=2).tolist() == [6, 6, 14, 14]


def chain(*layers):
    return nn.Sequential(nn.Input(4), *layers)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.Dense(4, 3), nn.Readout()),
            r"^Model must begin with spikefold\.nn\.Input, not with '0' \(dense\)$",
        ),
        (chain(nn.Dense(4, 3)), r"^Model must end with spikefold\.nn\.Readout, but has none$"),
        (chain(nn.Dense(4, 3), nn.ILIF(3)), r"^Model must end with spikefold\.nn\.Readout, but has none$"),
        (
            chain(nn.Input(4), nn.Dense(4, 3), nn.Readout()),
            r"^Model must hold one Input, its first layer, but '1' is another$",
        ),
        (
            chain(nn.Dense(4, 3), nn.Dense(3, 2), nn.Readout()),
            r"^Dense layer '2' must follow the input or a neuron, but follows the currents of '1'; put a ",
        ),
        (
            chain(nn.Dense(4, 3), nn.BatchNorm(3), nn.Dense(3, 2), nn.Readout()),
            r"^Dense layer '3' must follow the input or a neuron, but follows the currents of '2'; ",
        ),
        (
            chain(nn.ILIF(4), nn.Dense(4, 2), nn.Readout()),
            r"^Layer '1' \(ilif\) must follow a dense layer or a convolution, but reads the input of sh",
        ),
        (chain(nn.Readout()), r"^Layer '1' \(readout\) must follow a dense layer or a convolution, but"),
        (chain(nn.Dense(5, 3), nn.Readout()), r"^Dense layer '1' must have 4 inputs, .* not 5$"),
        (
            chain(nn.Dense(4, 3), nn.BatchNorm(2), nn.Readout()),
            r"^Layer '2' must have 3 channels, .* not 2$",
        ),
        (
            chain(nn.Dense(4, 3), nn.ILIF(2), nn.Dense(2, 2), nn.Readout()),
            r"^Layer '2' must have 3 channels, ",
        ),
        (
            chain(nn.Dense(4, 3), nn.ILIF(3, steps=2), nn.Dense(3, 2), nn.Readout()),
            r"^Neuron '2' must have the input's 1 time steps, not 2$",
        ),
        (
            chain(nn.Dense(4, 3), nn.Readout(), torch.nn.Identity()),
            r"^Readout must be the last layer, but '3' follows it$",
        ),
        (
            nn.Sequential(nn.Input((2, 2)), nn.Dense(4, 3), nn.Readout()),
            r"^Dense layer '1' must read flat features, not shape \(2, 2\); put spikefold\.nn\.Flatten b",
        ),
        (
            chain(nn.Dense(4, 3), torch.nn.BatchNorm1d(3, track_running_stats=False), nn.Readout()),
            r"^Batch norm '2' must keep running statistics, but has track_running_stats=False$",
        ),
    ],
)
def test_wrong_models_are_refused_by_name(model, message):
    with pytest.raises(ModelError, match=message):
        fold(model)


def test_branches_are_refused_by_name():
    class Branch(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.source, self.a, self.b = nn.Input(4), nn.Dense(4, 3), nn.Dense(4, 3)
            self.out = nn.Readout()

        def forward(self, x):
            x = self.source(x)
            self.a(x)
            return self.out(self.b(x))

    fold(Branch())  # a layer whose result is not used is no branch

    class Fork(Branch):
        def forward(self, x):
            self.x = x
            return self.out(self.b(x))

    with pytest.raises(
        ModelError, match=r"^Model must begin with spikefold\.nn\.Input, not with 'b' \(dense\)$"
    ):
        fold(Fork())


def full():
    return nn.Sequential(
        nn.Input(4), nn.Dense(4, 3), nn.BatchNorm(3), nn.PIT(3, steps=1), nn.Dense(3, 2), nn.Readout()
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("layer", "parameter"),
    [
        (1, "weight"),
        (1, "bias"),
        (2, "weight"),
        (2, "bias"),
        (2, "running_mean"),
        (2, "running_var"),
        (4, "weight"),
    ],
)
def test_parameters_that_are_not_finite_are_refused_by_name(layer, parameter, value):
    model = full()
    with torch.no_grad():
        getattr(model[layer], parameter).view(-1)[1] = value
    with pytest.raises(ModelError, match=rf"^Parameters of layer '{layer}' must be finite, but hold "):
        fold(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -1000.0])
def test_scales_that_are_not_above_zero_are_refused(value):
    model = full()
    with torch.no_grad():
        model[3].log_scale[0, 1] = value
    with pytest.raises(ModelError, match=r"must be finite and above 0, not .*channel 1"):
        fold(model)
