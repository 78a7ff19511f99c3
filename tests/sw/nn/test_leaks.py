"""Leaks of channels: every neuron computes, and learns, as one neuron of that leak for each channel would."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.nn.neurons.leak import spread

STEPS, LEAKS = 5, (0.5, 0.8125, 1.0, 0.71)
MAKE = {
    "lif": lambda c, leak: nn.LIF(c, 0.7, STEPS, leak),
    "lif decay": lambda c, leak: nn.LIF(c, 0.2, STEPS, leak, reset="zero", input_decay=True),
    "ilif": lambda c, leak: nn.ILIF(c, 3, STEPS, leak, rectify=0.1, reset="none"),
    "pit": lambda c, leak: nn.PIT(c, 4, STEPS, leak, init=0.4, input_decay=True),
    "leaky": lambda c, leak: nn.Leaky(c, 0.6, STEPS, leak),
    "qblif": lambda c, leak: nn.QBLIF(c, 5, STEPS, leak, init=0.3),
    "reverb": lambda c, leak: nn.ReverB(c, 3, STEPS, leak, threshold=0.2),
}


def run(neuron, x):
    """What it emits, and the gradient of its input."""
    x = x.clone().requires_grad_()
    out = neuron(x)
    (out * torch.arange(out.numel(), dtype=out.dtype).reshape(out.shape).sin()).sum().backward()
    return out.detach(), x.grad


@pytest.mark.parametrize("shape", [(), (2, 3)])
@pytest.mark.parametrize("kind", MAKE)
def test_channels_are_neurons_of_their_own_leak(kind, shape):
    torch.manual_seed(0)
    x = torch.randn(STEPS, 6, len(LEAKS), *shape, dtype=torch.float64)
    whole = MAKE[kind](len(LEAKS), LEAKS).double().eval()
    out, grad = run(whole, x)
    assert out.any()
    for channel, leak in enumerate(LEAKS):
        one = MAKE[kind](1, leak).double().eval()
        weights = torch.arange(out.numel(), dtype=out.dtype).reshape(out.shape).sin()[:, :, [channel]]
        part = x[:, :, [channel]].clone().requires_grad_()
        alone = one(part)
        (alone * weights).sum().backward()
        torch.testing.assert_close(out[:, :, [channel]], alone.detach(), rtol=0, atol=1e-12)
        torch.testing.assert_close(grad[:, :, [channel]], part.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "value", [LEAKS, list(LEAKS), torch.tensor(LEAKS, dtype=torch.float64), np.array(LEAKS)]
)
def test_leaks_come_as_any_sequence(value):
    assert nn.LIF(4, leak=value).leak == LEAKS
    assert nn.LIF(4, leak=value, input_decay=True).input_gain == tuple(1 - leak for leak in LEAKS)


def test_channels_that_agree_have_one_leak():
    assert nn.PIT(3, leak=[0.25, 0.25, 0.25]).leak == 0.25
    assert nn.PIT(1, leak=torch.tensor([0.25])).leak == 0.25
    assert type(nn.PIT(1, leak=torch.tensor(0.25)).leak) is float


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.LIF(3, leak=[0.5, 0.5]),
            r"^LIF leak must be one number or one for each of 3 channels, not 2$",
        ),
        (lambda: nn.LIF(2, leak=[]), r"^LIF leak must be one number or one for each of 2 channels, not 0$"),
        (
            lambda: nn.LIF(2, leak=[0.5, 1.5]),
            r"^LIF leak of channel 1 must be a number from 0 to 1, not 1\.5$",
        ),
        (
            lambda: nn.LIF(2, leak=[0.5, "a"]),
            r"^LIF leak of channel 1 must be a number from 0 to 1, not 'a'$",
        ),
        (
            lambda: nn.Leaky(2, leak=[0.25, 1]),
            r"^Leaky leak of channel 0 must be a number from 0\.5 to 1, not ",
        ),
        (lambda: nn.LIF(2, leak=torch.ones(1, 2)), r"^LIF leak must be .* each of 2 channels, not 1$"),
        (lambda: nn.LIF(1, leak="half"), r"^LIF leak must be a number from 0 to 1, not 'half'$"),
    ],
)
def test_wrong_leaks_are_refused(make, message):
    with pytest.raises(ModelError, match=message):
        make()


def test_leaks_are_shown_saved_and_loaded(tmp_path):
    net = nn.Sequential(
        nn.Input(4, steps=STEPS), nn.Dense(4, 4), MAKE["leaky"](4, LEAKS), nn.Dense(4, 2), nn.Readout()
    )
    assert "leak=0.5..1, reset=subtract" in repr(net)
    nn.save(net, tmp_path / "net.safetensors")
    back = nn.load(tmp_path / "net.safetensors")
    assert back[2].leak == LEAKS
    x = torch.rand(3, 4)
    assert torch.equal(back(x), net.eval()(x))


def test_leaks_keep_the_type_of_what_they_scale():
    like = torch.zeros(2, 4, 3, 3, dtype=torch.float64)
    assert spread(0.25, like) == 0.25
    assert spread(LEAKS, like).shape == (4, 1, 1)
    assert spread(LEAKS, like).dtype == torch.float64
    assert spread(LEAKS, like).flatten().tolist() == list(LEAKS)


def test_the_precision_of_leaks_is_kept(tmp_path):
    net = nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.Readout())
    assert nn.leak_terms_of(net) == 3
    nn.remember_leak_terms(net, 5)
    nn.save(net, tmp_path / "net.safetensors")
    assert nn.leak_terms_of(nn.load(tmp_path / "net.safetensors")) == 5
    assert nn.rounding_of(nn.load(tmp_path / "net.safetensors")) is None
    with pytest.raises(ModelError, match=r"^Leak terms K must be an integer from 1 to 8, not 9$"):
        nn.remember_leak_terms(net, 9)


@pytest.mark.parametrize("terms", [0, 9, 3.0, True, "3", None])
def test_a_broken_precision_is_refused(tmp_path, terms):
    net = nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.Readout())
    nn.save(net, tmp_path / "net.safetensors", {"leak_terms": terms})
    with pytest.raises(
        ModelError, match=rf"^Model file '.*': Leak terms K must be .* 1 to 8, not {terms!r}$"
    ):
        nn.load(tmp_path / "net.safetensors")
