"""Every neuron, and binary synapses, folded: levels and logits of the equations equal the model's own."""

import numpy as np
import pytest
import torch
from folded_reference import check, randomize
from small_networks import Net, images, kinds, residual_layers, sequential

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.fold import fold
from spikefold.nn import BinaryConv2d, BinaryDense

NEURONS = {
    "lif decay": lambda c, t: nn.LIF(c, 0.2, t, 0.3, input_decay=True),
    "ilif threshold": lambda c, t: nn.ILIF(c, 5, t, 0.4, threshold=0.7),
    "ilif decay": lambda c, t: nn.ILIF(c, 3, t, 0.6, input_decay=True, threshold=0.3),
    "pit shared": lambda c, t: nn.PIT(c, 4, t, per_step=False, per_channel=False),
    "pit per step": lambda c, t: nn.PIT(c, 4, t, per_channel=False),
    "pit factor": lambda c, t: nn.PIT(c, 4, t, learn="factor", input_decay=True),
    "pit fixed hard": lambda c, t: nn.PIT(c, 6, t, learn="none", reset="zero"),
    "qblif": lambda c, t: nn.QBLIF(c, 20, t, 0.5),
    "qblif keeps": lambda c, t: nn.QBLIF(c, 255, t, 0.9, reset_factor=0.0),
    "qblif clears": lambda c, t: nn.QBLIF(c, 1, t, 0.25, reset_factor=1.0, per_channel=True),
    "reverb": lambda c, t: nn.ReverB(c, 4, t),
    "reverb binary": lambda c, t: nn.ReverB(c, 1, t, 1.0, threshold=0.4),
    "reverb alphas": lambda c, t: nn.ReverB(c, 8, t, 0.5, threshold=0.2, alpha="channel"),
    "reverb alpha": lambda c, t: nn.ReverB(c, 3, t, 0.0, threshold=-0.3, alpha="layer"),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(params=list(NEURONS))
def make(request):
    return NEURONS[request.param]


@pytest.mark.parametrize("steps", [1, 3])
def test_dense(make, steps):
    layers = nn.Dense(20, 24), nn.BatchNorm(24), make(24, steps), nn.Dense(24, 12), make(12, steps)
    model = nn.Sequential(
        nn.Input(20, 16, steps=steps), *layers, nn.Dense(12, 4), nn.BatchNorm(4), nn.Readout()
    )
    folded = check(randomize(model, 1), torch.rand(120, 20, dtype=torch.float64))
    neuron, trained = folded.populations[0].neuron, model[3]
    assert (neuron.reset, neuron.factor, neuron.fire_floor) == (
        trained.reset_mode,
        trained.factor,
        trained.fire_floor,
    )
    assert (neuron.factor is not None) == isinstance(trained, nn.QBLIF)
    assert (neuron.fire_floor is not None) == isinstance(trained, nn.ReverB)


@pytest.mark.parametrize("steps", [1, 2])
def test_convolutions(make, steps):
    model = sequential(
        nn.Conv2d(2, 5, 3, padding=1, bias=False),
        nn.BatchNorm(5),
        make(5, steps),
        nn.MaxPool2d(2),
        nn.Conv2d(5, 4, 3, padding=1),
        make(4, steps),
        nn.GlobalAvgPool(),
        nn.Flatten(),
        nn.Dense(4, 3),
        nn.Readout(),
        steps=steps,
    )
    check(model, images(), awake=0.5)


def residual(net, x):
    """Currents of two convolutions and of spikes (an identity) come together in one neuron."""
    x = net.fire0(net.norm0(net.stem(net.source(x))))
    y = net.conv2(net.fire1(net.norm1(net.conv1(x))))
    return net.out(net.head(net.flat(net.fire2(net.norm2(y + x)))))


def residual_model(steps, make):
    layers = residual_layers(steps, 4)
    layers |= {name: make(5, steps) for name in ("fire0", "fire1", "fire2")}
    return randomize(Net(residual, **layers), 3)


@pytest.mark.parametrize("steps", [1, 3])
def test_residual_sums(make, steps):
    folded = check(residual_model(steps, make), images(), awake=0.5)
    assert kinds(folded.populations[2]) == ["conv", "identity"]


def test_input_decay_reaches_biases_and_not_the_readout():
    model = nn.Sequential(
        nn.Input(4, 1), nn.Dense(4, 3), nn.LIF(3, leak=0.75, input_decay=True), nn.Dense(3, 2), nn.Readout()
    )
    folded = fold(model)
    np.testing.assert_allclose(folded.populations[0].bias, 0.25 * model[1].bias.detach().numpy())
    weight = model[1].weight.detach().numpy()
    np.testing.assert_allclose(folded.populations[0].projections[0].weight[0], 0.25 * weight)
    np.testing.assert_allclose(folded.populations[1].bias, model[3].bias.detach().numpy())


def binary_dense(alpha, steps=2, neuron=None):
    neuron = neuron or (lambda channels: nn.ReverB(channels, 4, steps, threshold=0.1))
    model = nn.Sequential(
        nn.Input(20, 16, steps=steps),
        nn.Dense(20, 24),
        neuron(24),
        BinaryDense(24, 16, alpha=alpha),
        nn.BatchNorm(16),
        neuron(16),
        BinaryDense(16, 12, bias=False, alpha=alpha),
        neuron(12),
        nn.Dense(12, 4),
        nn.Readout(),
    )
    return randomize(model, 5)


@pytest.mark.parametrize("alpha", ["none", "output", "layer"])
def test_binary_dense_layers(alpha):
    model = binary_dense(alpha)
    folded = check(model, torch.rand(80, 20, dtype=torch.float64))
    assert [p.projections[0].binary for p in folded.populations] == [False, True, True, False]
    for population, layer in zip(folded.populations[1:3], (model[3], model[6]), strict=True):
        weight = population.projections[0].weight[0].numpy()
        assert len(np.unique(abs(weight).round(12))) == (
            1 if alpha != "output" and layer is model[6] else len(weight)
        )
        np.testing.assert_allclose(abs(weight), abs(weight[:, :1]).repeat(weight.shape[1], 1), rtol=1e-12)


def test_input_alphas_move_into_the_thresholds():
    model = binary_dense("input")
    moved = nn.reparameterize(model)
    folded = fold(model)
    x = torch.rand(80, 20, dtype=torch.float64)
    for p, q in zip(folded.populations, check(moved, x).populations, strict=True):
        np.testing.assert_array_equal(p.projections[0].weight, q.projections[0].weight)
        np.testing.assert_array_equal(p.projections[0].weight.shape, q.projections[0].weight.shape)
        if p.neuron is not None:
            np.testing.assert_array_equal(p.neuron.threshold, q.neuron.threshold)
    alpha = model[3].alpha.detach().numpy()
    step = model[2].scale.detach().numpy()[0]
    np.testing.assert_allclose(folded.populations[0].neuron.threshold, [step / alpha])
    assert model[3].alpha_mode == "input"  # the model itself is left alone


def test_input_alphas_need_reverb_neurons():
    with pytest.raises(
        ModelError, match=r"^Layer '3' must read a ReverB neuron .*; use alpha='output' there"
    ):
        fold(binary_dense("input", neuron=lambda channels: nn.PIT(channels, 4, 2)))


@pytest.mark.parametrize("alpha", ["none", "output", "layer"])
@pytest.mark.parametrize("pooling", ["unit", "compose"])
def test_binary_convolutions(alpha, pooling):
    model = sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm(4),
        nn.ReverB(4, 4, 2),
        nn.AvgPool2d(2),
        BinaryConv2d(4, 6, 3, padding=0, groups=2, alpha=alpha),
        nn.BatchNorm(6),
        nn.QBLIF(6, 20, 2),
        nn.Flatten(),
        BinaryDense(6 * 2 * 2, 3, alpha="layer"),
        nn.Readout(),
        steps=2,
    )
    folded = check(model, images(), pooling)
    assert [p.projections[0].binary for p in folded.populations] == [False, True, True]
    last = abs(folded.populations[2].projections[0].weight)
    np.testing.assert_allclose(last, last.max(), rtol=1e-12)


def test_latent_weights_that_are_not_finite_are_refused():
    model = binary_dense("none")
    with torch.no_grad():
        model[3].weight[2, 2] = float("nan")
    with pytest.raises(ModelError, match=r"^Parameters of layer '3' must be finite, but hold nan$"):
        fold(model)


def test_real_valued_spikes_are_refused_by_name():
    model = nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.ReverB(3, None), nn.Dense(3, 2), nn.Readout())
    message = (
        r"^Neuron '2' must have levels, not real-valued spikes \(bits=None\).*; give it bits, as .*bits=4"
    )
    with pytest.raises(ModelError, match=message):
        fold(model)
