import copy

import numpy as np
import pytest
import torch
from cli_case import features, tiny_model

from spikefold.analysis import analyze, loss_landscape
from spikefold.analysis.landscape import filter_normalised
from spikefold.errors import InputError


def loss_of(x, y):
    def loss(model):
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(model(x), y))

    return loss


def test_centre_is_the_loss_and_the_model_stays():
    x, y = (torch.from_numpy(array) for array in features(20))
    model = tiny_model()
    before = copy.deepcopy(model.state_dict())
    found = loss_landscape(model, loss_of(x, y), 3, samples=20)
    assert found.centre == found.loss[1, 1] == loss_of(x, y)(model)
    assert found.axis.tolist() == [-1, 0, 1]
    assert len(np.unique(found.loss)) > 5
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_only_weights_move_and_along_two_directions():
    model, seen = tiny_model(), []

    def watch(network):
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return 0.0

    told = []
    loss_landscape(model, watch, 3, samples=1, seed=4, progress=lambda *done: told.append(done))
    assert told == [(k, 9) for k in range(1, 10)]
    own = model.state_dict()
    weights = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    corner, left, top = seen[0], seen[3], seen[1]
    assert weights
    assert weights < own.keys()
    for name, tensor in own.items():
        if name not in weights:
            assert torch.equal(corner[name], tensor), name
            continue
        first, second = tensor - left[name], tensor - top[name]  # x = -1 and y = -1
        assert torch.allclose(corner[name], tensor - first - second, atol=1e-6)
        for direction in (first, second):
            assert torch.allclose(direction.norm(dim=1), tensor.norm(dim=1), rtol=1e-3)
        assert not torch.allclose(first, second)


def test_directions_depend_on_the_seed_alone():
    weight = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    weight[2] = 0  # a silent filter stays silent
    first, again = (filter_normalised(weight, torch.Generator().manual_seed(7)) for _ in range(2))
    other = filter_normalised(weight, torch.Generator().manual_seed(8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.allclose(first.flatten(1).norm(dim=1), weight.flatten(1).norm(dim=1))
    assert torch.equal(first[2], weight[2])


def test_analysis_takes_the_mean_over_batches():
    x, y = features(21)
    model = tiny_model(steps=2)
    found = analyze(model, x, y, landscape_points=3, batch=8).landscape
    assert found.samples == 21
    assert found.centre == pytest.approx(loss_of(torch.from_numpy(x), torch.from_numpy(y))(model), rel=1e-5)


@pytest.mark.parametrize("points", [1, 4, 203, 5.0, True])
def test_points(points):
    with pytest.raises(
        InputError, match=r"^Landscape points must be odd, 3\.\.201, with the network in the middle, not"
    ):
        loss_landscape(tiny_model(), lambda model: 0.0, points, samples=1)
