"""Losses: closed forms on small tensors."""

import math

import pytest
import torch

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.train import TrainingOptions, fake_quantized
from spikefold.train.losses import make_loss, step_logits, tet


def network(steps: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.models.mlp((5,), (7,), 4, neuron="lif", steps=steps)
    with torch.no_grad():
        model.dense1.weight *= 5  # so that neurons fire
    return model.eval()


def entropy(logits: list[float], target: list[float]) -> float:
    total = math.log(sum(math.exp(value) for value in logits))
    return sum(share * (total - value) for share, value in zip(target, logits, strict=True))


def test_tet_by_hand() -> None:
    logits = torch.tensor([[[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], [[2.0, 0.0, 0.0], [1.0, 1.0, -1.0]]])
    labels = [2, 1]
    one_hot = [[float(k == label) for k in range(3)] for label in labels]
    smooth = [[0.7 * value + 0.1 for value in row] for row in one_hot]
    far = sum((value - 2.0) ** 2 for value in logits.flatten().tolist()) / 12
    for smoothing, wanted in ((0.0, one_hot), (0.3, smooth)):
        mean = sum(entropy(logits[t, b].tolist(), wanted[b]) for t in range(2) for b in range(2)) / 4
        found = tet(logits, torch.tensor(labels), 0.25, 2.0, smoothing)
        assert found.item() == pytest.approx(0.75 * mean + 0.25 * far, rel=1e-5)
        assert tet(logits, torch.tensor(one_hot), 0.25, 2.0, smoothing).item() == pytest.approx(found.item())


def test_tet_sees_every_step_and_the_model_is_left_alone() -> None:
    model, x = network(), torch.rand(6, 5)
    logits = step_logits(model, x)
    assert logits.shape == (3, 6, 4)
    assert torch.equal(logits.mean(0), model(x))
    assert not torch.equal(logits[0], logits[1])
    assert not model.readout._forward_pre_hooks
    options = TrainingOptions(loss="tet", tet_lambda=0.5, tet_target=0.0, label_smoothing=0.1)
    y = torch.arange(6) % 4
    expected = tet(logits, y, 0.5, 0.0, 0.1)
    assert make_loss(options)(model, x, y).item() == pytest.approx(expected.item())


def test_tet_sees_logits_of_every_step_where_weights_are_rounded() -> None:
    """Their mean is the network's answer, in its units and not in whole numbers."""
    model, x = network(), torch.rand(6, 5)
    with fake_quantized(model, 3):
        steps, logits = step_logits(model, x), model(x)
    torch.testing.assert_close(steps.mean(0), logits)
    weight = model.dense2.weight
    steps.square().sum().backward()
    assert weight.grad.abs().sum() > 0


def test_tet_of_one_step_without_the_second_term_is_cross_entropy() -> None:
    model, x, y = network(1), torch.rand(6, 5), torch.arange(6) % 4
    found = make_loss(TrainingOptions(loss="tet", tet_lambda=0.0))(model, x, y)
    assert found.item() == pytest.approx(make_loss(TrainingOptions())(model, x, y).item())


def test_the_hook_is_gone_after_an_error() -> None:
    model = network()
    with pytest.raises(ValueError, match=r"^Input must have shape"):
        step_logits(model, torch.rand(6, 4))
    assert not model.readout._forward_pre_hooks
    with pytest.raises(ModelError, match=r"^Model must have one Readout for the loss 'tet', not 0$"):
        step_logits(torch.nn.Linear(5, 4), torch.rand(6, 5))
