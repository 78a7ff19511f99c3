"""Binary synapses against numpy, written out by hand from the equations of ReverB-SNN."""

from itertools import product

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError

RNG = np.random.default_rng
CORNERS = np.array([0.0, -0.0, 1.0, -1.0, 1.0 + 2**-23, -1.0 - 2**-23, 2.5, -2.5, 1e-30, -1e-30, 0.5, -0.5])
SIGNS = np.array([1, 1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1.0])
ALIVE = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1.0])
MODES = ["none", "output", "input", "layer"]


def corner_layer(layer: torch.nn.Module, alpha: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Fill the weight with all corners and set alpha; return the signs and where the gradient is alive."""
    shape = tuple(layer.weight.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.resize(CORNERS, shape)))
        if layer.log_alpha is not None:
            layer.log_alpha.copy_(torch.from_numpy(np.log(alpha)))
        if layer.bias is not None:
            layer.bias.copy_(torch.linspace(-1, 1, len(layer.bias), dtype=torch.float64))
    return np.resize(SIGNS, shape), np.resize(ALIVE, shape)


def amplitudes(mode: str, inputs: int, outputs: int) -> np.ndarray | None:
    """Values of alpha, all different."""
    count = {"none": 0, "output": outputs, "input": inputs, "layer": 1}[mode]
    return 0.5 + 0.25 * np.arange(count)


def spread(mode: str, alpha: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return alpha at every weight of [out, in, ...], without groups."""
    if mode == "none":
        return np.ones(shape)
    axes = {"output": (-1, 1), "input": (1, -1), "layer": (1, 1)}[mode]
    return np.broadcast_to(alpha.reshape(*axes, *(1,) * (len(shape) - 2)), shape)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_dense_follows_eq_10_and_eq_12_to_15(mode: str, bias: bool) -> None:
    layer = nn.BinaryDense(4, 3, bias, mode).double()
    alpha = amplitudes(mode, 4, 3)
    sign, alive = corner_layer(layer, alpha)
    amplitude = spread(mode, alpha, (3, 4))
    x, grad = RNG(0).normal(size=(2, 5, 4)), RNG(1).normal(size=(2, 5, 3))
    tensor = torch.from_numpy(x).requires_grad_()
    y = layer(tensor)
    y.backward(torch.from_numpy(grad))
    shift = np.linspace(-1, 1, 3) if bias else 0.0
    np.testing.assert_allclose(y.detach(), np.einsum("tbi,oi->tbo", x, amplitude * sign) + shift, atol=1e-12)
    np.testing.assert_allclose(layer.effective_weight().detach(), amplitude * sign, rtol=1e-14)
    np.testing.assert_allclose(tensor.grad, np.einsum("tbo,oi->tbi", grad, amplitude * sign), atol=1e-12)
    by_weight = np.einsum("tbo,tbi->oi", grad, x)  # dL/d(alpha sign(W)), summed over t as in Eq. 14
    np.testing.assert_allclose(layer.weight.grad, by_weight * amplitude * alive, atol=1e-12)
    axis = {"output": (1,), "input": (0,), "layer": (0, 1)}.get(mode)
    if axis is None:
        assert layer.log_alpha is None
        assert layer.alpha.tolist() == [1.0]
    else:
        by_alpha = (by_weight * sign).sum(axis).reshape(-1)  # Eq. 15: dU/dalpha = sign(W) O
        np.testing.assert_allclose(layer.log_alpha.grad, alpha * by_alpha, rtol=1e-12)
        np.testing.assert_allclose(layer.alpha.detach(), alpha, rtol=1e-14)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_follows_eq_10_and_eq_12_to_15(mode: str, groups: int) -> None:
    inputs, outputs, rows, columns = 4, 6, 3, 1
    layer = nn.BinaryConv2d(inputs, outputs, (rows, columns), (2, 1), (1, 0), groups, False, mode).double()
    alpha = amplitudes(mode, inputs, outputs)
    sign, alive = corner_layer(layer, alpha)
    x = RNG(0).normal(size=(2, 3, inputs, 5, 3))
    y = layer(torch.from_numpy(x))
    grad = RNG(1).normal(size=y.shape)
    y.backward(torch.from_numpy(grad))
    padded = np.pad(x, [(0, 0)] * 3 + [(1, 1), (0, 0)])
    expected, by_weight, by_alpha = np.zeros(y.shape), np.zeros(sign.shape), np.zeros(max(len(alpha), 1))
    for o, i, r, c in product(range(outputs), range(inputs // groups), range(rows), range(columns)):
        channel = o // (outputs // groups) * (inputs // groups) + i
        which = {"none": 0, "output": o, "input": channel, "layer": 0}[mode]
        amplitude = 1.0 if mode == "none" else alpha[which]
        seen = padded[:, :, channel, r : r + 5 : 2, c : c + 3]
        expected[:, :, o] += amplitude * sign[o, i, r, c] * seen
        reached = (grad[:, :, o] * seen).sum()
        by_weight[o, i, r, c] = reached * amplitude * alive[o, i, r, c]
        by_alpha[which] += reached * sign[o, i, r, c]
    np.testing.assert_allclose(y.detach(), expected, atol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, by_weight, atol=1e-12)
    if mode != "none":
        np.testing.assert_allclose(layer.log_alpha.grad, alpha * by_alpha, atol=1e-12)


@pytest.mark.parametrize("mode", ["output", "input", "layer"])
def test_learning_through_time_follows_eq_13_to_15(mode: str) -> None:
    """U = tau U + alpha sign(W) O, O = U and U = 0 where U >= V_th; backwards step by step."""
    steps, batch, inputs, outputs, tau, floor = 4, 6, 5, 3, 0.25, 0.5
    layer = nn.BinaryDense(inputs, outputs, False, mode).double()
    neuron = nn.ReverB(outputs, None, steps, tau, floor)
    alpha = amplitudes(mode, inputs, outputs)
    sign, alive = corner_layer(layer, alpha)
    x = RNG(0).normal(size=(steps, batch, inputs))
    grad = RNG(1).normal(size=(steps, batch, outputs))
    tensor = torch.from_numpy(x)
    got = neuron(layer(tensor))
    got.backward(torch.from_numpy(grad))

    binary = spread(mode, alpha, sign.shape) * sign
    left, emitted, fired = np.zeros((batch, outputs)), [], []
    for t in range(steps):
        u = tau * left + x[t] @ binary.T
        fired.append(u >= floor)
        emitted.append(np.where(fired[t], u, 0))
        left = np.where(fired[t], 0, u)
    np.testing.assert_allclose(got.detach(), np.stack(emitted), atol=1e-12)
    by_binary, later = np.zeros(sign.shape), np.zeros((batch, outputs))
    for t in reversed(range(steps)):
        later = grad[t] * fired[t] + later * tau * ~fired[t]  # dL/dU_t, the brackets of Eq. 11
        by_binary += later.T @ x[t]
    assert 0.2 < np.mean(fired) < 0.8
    amplitude = spread(mode, alpha, sign.shape)
    np.testing.assert_allclose(layer.weight.grad, by_binary * amplitude * alive, atol=1e-12)
    axis = {"output": (1,), "input": (0,), "layer": (0, 1)}[mode]
    by_alpha = (by_binary * sign).sum(axis).reshape(-1)
    np.testing.assert_allclose(layer.log_alpha.grad, alpha * by_alpha, atol=1e-12)


def test_an_update_of_a_latent_weight_acts_when_its_sign_changes() -> None:
    layer = nn.BinaryDense(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.25)
    results = []
    for _ in range(3):
        y = layer(torch.ones(1, 1, 1))
        results.append(float(y.detach()))
        layer.zero_grad()
        y.sum().backward()
        with torch.no_grad():
            layer.weight -= 0.2 * layer.weight.grad  # 0.25, 0.05, -0.15
    assert results == [1.0, 1.0, -1.0]


@pytest.mark.parametrize("make", [nn.BinaryDense, lambda *a, **k: nn.BinaryConv2d(*a, 3, padding=1, **k)])
@pytest.mark.parametrize("mode", ["output", "input", "layer"])
def test_a_fresh_layer_is_alive_and_has_the_variance_of_kaimings_initialisation(
    make: object, mode: str
) -> None:
    torch.manual_seed(0)
    layer = make(64, 48, alpha=mode)
    assert float(layer.weight.detach().abs().max()) < 1
    assert 0.45 < float((layer.weight >= 0).double().mean()) < 0.55
    fan_in = layer.weight[0].numel()
    weight = layer.effective_weight().detach().double()
    assert float(weight.square().mean()) == pytest.approx(2 / fan_in)
    assert len(layer.alpha) == {"output": 48, "input": 64, "layer": 1}[mode]


def test_a_binary_layer_is_no_dense_layer_in_a_graph_and_survives_its_file(tmp_path: object) -> None:
    model = nn.Sequential(
        nn.Input((2, 4, 4)),
        nn.BinaryConv2d(2, 4, 3, (1, 2), 1, 2, False, "input"),
        nn.BinaryConv2d(4, 4, 1),
        nn.ILIF(4),
        nn.Flatten(),
        nn.BinaryDense(32, 5, False, "output"),
        nn.BinaryDense(5, 3, alpha="layer"),
        nn.Readout(),
    )
    kinds = [node.kind for node in nn.graph(model)]
    assert [kind for kind in kinds if kind.startswith("binary")] == ["binary_conv"] * 2 + ["binary_dense"] * 2
    nn.save(model, tmp_path / "m")
    loaded = nn.load(tmp_path / "m")
    x = torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    assert str(loaded) == str(model)
    assert torch.equal(loaded(x), model.eval()(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.BinaryDense(2, 3, alpha="channel"),
            r"^BinaryDense alpha must be one of 'none', 'output', 'input', 'layer', not 'channel'$",
        ),
        (lambda: nn.BinaryConv2d(2, 3, 1, alpha=None), r"^BinaryConv2d alpha must be one of .*, not None$"),
        (lambda: nn.BinaryDense(0, 3), r"^Dense in_features must be an integer of at least 1, not 0$"),
        (lambda: nn.BinaryConv2d(3, 3, 1, groups=2), r"^Conv2d groups must divide the channels "),
    ],
)
def test_bad_parameters_are_named(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()


@pytest.mark.parametrize(("log", "value"), [(1000.0, "inf"), (-1000.0, "0.0"), (float("nan"), "nan")])
def test_an_alpha_that_is_no_amplitude_is_named(log: float, value: str) -> None:
    layer = nn.BinaryDense(3, 2, alpha="input")
    with torch.no_grad():
        layer.log_alpha[1] = log
    message = rf"^BinaryDense alpha must be finite and above 0, not {value} \(channel 1\); train the model "
    with pytest.raises(ModelError, match=message):
        layer(torch.zeros(1, 1, 3))


def test_wrong_maps_are_named() -> None:
    layer = nn.BinaryConv2d(2, 3, 3)
    with pytest.raises(InputError, match=r"^BinaryConv2d input must have shape \[time, batch, 2, height, "):
        layer(torch.zeros(1, 1, 3, 4, 4))
    with pytest.raises(InputError, match=r"^BinaryConv2d input must be at least as large as the kernel "):
        layer(torch.zeros(1, 1, 2, 2, 4))
