"""Learning rules of QB-LIF and ReverB over time, against backward recursions written out in numpy."""

import numpy as np
import pytest
import torch

from spikefold import nn

RNG = np.random.default_rng


def learned(neuron: torch.nn.Module, x: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Emitted values and ``dL/dx`` of a neuron."""
    current = torch.from_numpy(x).requires_grad_()
    emitted = neuron(current)
    emitted.backward(torch.from_numpy(upstream))
    return emitted.detach().numpy(), current.grad.numpy()


def with_logs(neuron: torch.nn.Module, **logs: np.ndarray | float) -> torch.nn.Module:
    """The neuron in float64 and eval mode, its parameters set."""
    neuron = neuron.double().eval()
    with torch.no_grad():
        for name, value in logs.items():
            getattr(neuron, name).copy_(torch.as_tensor(value, dtype=torch.float64))
    return neuron


def dyadic(shape: tuple[int, ...], seed: int, low: int = -24, high: int = 72) -> np.ndarray:
    """Multiples of 1/8, so that boundaries are hit exactly, a silent and a saturated channel."""
    x = RNG(seed).integers(low, high, shape) / 8.0
    x[..., -1], x[..., -2] = 0.0, 3e3
    return x


def qblif_surrogate(u: np.ndarray, gamma: np.ndarray, levels: int, surrogate: str) -> np.ndarray:
    place = u / gamma
    if surrogate == "relsg_et":  # Eq. 12; exponents cut where the other branch is taken
        below, above = np.exp(np.minimum(u - gamma, 0)), np.exp(np.minimum(levels * gamma - u, 0))
        return np.where(place < 1, below, np.where(place > levels, above, 1.0))
    if surrogate == "arctan":
        return 1 / (1 + (np.pi * (place - 1)) ** 2)
    return ((place >= 0.5) & (place <= levels + 0.5)).astype(float)


def qblif_back(
    x: np.ndarray, gamma: np.ndarray, levels: int, beta: float, alpha: float, surrogate: str, up: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Emitted values, ``dL/dx`` and ``dL/dgamma`` [C]: Eq. 2 and 9 forward, Eq. 12 and the chain backward."""
    steps = len(x)
    us, ns, keeps = [], [], []
    u, fired = np.zeros(x.shape[1:]), np.zeros(x.shape[1:], bool)
    for t in range(steps):
        keep = 1 - alpha * fired
        u = (beta * u + x[t]) * keep
        n = np.clip(np.floor(u / gamma), 0, levels)
        fired = n > 0
        us.append(u)
        ns.append(n)
        keeps.append(keep)
    dx, dgamma, after = np.zeros_like(x), np.zeros(x.shape[2]), np.zeros(x.shape[1:])
    for t in reversed(range(steps)):
        g = qblif_surrogate(us[t], gamma, levels, surrogate)
        du = up[t] * g + after  # Eq. 11 of the chain: what S[t] and U[t + 1] pass on
        dx[t], after = keeps[t] * du, beta * keeps[t] * du
        dgamma += (up[t] * (ns[t] - us[t] / gamma * g)).sum(0)
    return np.stack(ns) * gamma, dx, dgamma


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("surrogate", ["relsg_et", "box", "arctan"])
@pytest.mark.parametrize("levels", [1, 20, 255])
def test_qblif_learns_by_equations_11_and_12(steps: int, surrogate: str, levels: int) -> None:
    neuron = with_logs(nn.QBLIF(5, levels, steps, surrogate=surrogate), log_scale=np.log(0.5))
    gamma = neuron.scale[0].detach().numpy()
    assert (gamma == 0.5).all()
    x, up = dyadic((steps, 7, 5), levels), RNG(steps).normal(size=(steps, 7, 5))
    s, dx, dgamma = qblif_back(x, gamma, levels, 0.5, 0.5, surrogate, up)
    got_s, got_dx = learned(neuron, x, up)
    np.testing.assert_array_equal(got_s, s)
    np.testing.assert_allclose(got_dx, dx, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(neuron.log_scale.grad.item(), (dgamma * gamma).sum(), rtol=1e-10)
    assert (s > 0).any()
    assert (s[:, :, -1] == 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_qblif_sweep(seed: int) -> None:
    rng = RNG(seed)
    steps, levels = int(rng.integers(1, 6)), int(rng.integers(1, 30))
    beta, alpha = (0.0, 1.0) if seed == 0 else rng.uniform(0, 1, 2).tolist()
    logs = rng.normal(-1, 0.5, (1, 5))
    options = {"leak": beta, "reset_factor": alpha, "per_channel": True}
    neuron = with_logs(nn.QBLIF(5, levels, steps, **options), log_scale=logs)
    x, up = rng.normal(0.5, 3, (steps, 6, 5)), rng.normal(size=(steps, 6, 5))
    s, dx, dgamma = qblif_back(x, np.exp(logs[0]), levels, beta, alpha, "relsg_et", up)
    got_s, got_dx = learned(neuron, x, up)
    np.testing.assert_allclose(got_s, s, rtol=1e-12)
    np.testing.assert_allclose(got_dx, dx, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(neuron.log_scale.grad.numpy()[0], dgamma * np.exp(logs[0]), rtol=1e-9)


def reverb_back(
    x: np.ndarray,
    levels: int | None,
    lsb: float,
    alpha: np.ndarray,
    leak: float,
    floor: float,
    up: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Emitted values, ``dL/dx``, ``dL/dlsb`` and ``dL/dalpha`` [C]: Eq. 4, 5, 18, then Eq. 11 and 15."""
    us, fires, v = [], [], np.zeros(x.shape[1:])
    for t in range(len(x)):
        u = leak * v + x[t]
        v = np.where(u >= floor, 0.0, u)
        us.append(u)
        fires.append(u >= floor)
    u, fired = np.stack(us), np.stack(fires)
    if levels is None:
        out, window = np.where(fired, alpha * u, 0.0), fired
        dlsb = 0.0
    else:
        place = u / (lsb / alpha)  # levels are lsb / alpha of the membrane apart
        n = np.where(fired, np.clip(np.floor(place), 0, levels), 0)
        out, window = lsb * n, fired & (place >= 0) & (place <= levels)
        dlsb = float((up * (n - place * window)).sum())
    delta, dx = np.zeros(x.shape[1:]), np.zeros_like(x)
    for t in reversed(range(len(x))):
        delta = up[t] * alpha * window[t] + delta * leak * ~fired[t]  # Eq. 11
        dx[t] = delta
    return out, dx, dlsb, (up * u * window).sum((0, 1))


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("floor", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("bits", [1, 4, 8, None])
@pytest.mark.parametrize("alpha", ["none", "layer", "channel"])
def test_reverb_learns_by_equations_11_and_15(steps: int, floor: float, bits: int | None, alpha: str) -> None:
    neuron = nn.ReverB(5, bits, steps, leak=0.25, threshold=floor, alpha=alpha)
    logs = {} if bits is None else {"log_step": np.log(0.5)}
    if alpha != "none":
        logs["log_alpha"] = np.log([2.0]) if alpha == "layer" else np.log([0.5, 1.0, 2.0, 4.0, 1.0])
    neuron = with_logs(neuron, **logs)
    alphas = neuron.alpha.detach().numpy()
    levels = None if bits is None else 2**bits - 1
    x, up = dyadic((steps, 7, 5), steps, -60, 72), RNG(steps).normal(size=(steps, 7, 5))
    out, dx, dlsb, dalpha = reverb_back(x, levels, 0.5, alphas, 0.25, floor, up)
    got, got_dx = learned(neuron, x, up)
    np.testing.assert_allclose(got, out, rtol=1e-14)
    np.testing.assert_allclose(got_dx, dx, rtol=1e-12, atol=1e-14)
    if bits is not None:
        np.testing.assert_allclose(neuron.log_step.grad.item(), 0.5 * dlsb, rtol=1e-10, atol=1e-10)
    if alpha != "none":
        per_channel = dalpha * alphas
        expected = per_channel if alpha == "channel" else [per_channel.sum()]
        np.testing.assert_allclose(neuron.log_alpha.grad.numpy(), expected, rtol=1e-10, atol=1e-10)
    assert (out > 0).any()


def test_a_level_of_zero_above_the_floor_still_resets() -> None:
    neuron = with_logs(nn.ReverB(1, 4, 2, leak=1.0, threshold=0.25), log_step=0.0)
    x = torch.tensor([[[0.5]], [[0.75]]], dtype=torch.float64, requires_grad=True)
    out = neuron(x)
    assert out.flatten().tolist() == [0.0, 0.0]  # without the reset the second membrane would be 1.25
    out[1].sum().backward()
    assert x.grad.flatten().tolist() == [0.0, 1.0]


@pytest.mark.parametrize("bits", [4, None])
def test_binary_weights_learn_by_equations_14_and_15(bits: int | None) -> None:
    """``dL/dW = sum_t delta_t O^T * alpha * [|W| <= 1]`` and ``dL/dalpha_o = sum_t delta_t (sign(W) O)``."""
    steps, batch = 3, 6
    layer = nn.BinaryDense(4, 5, bias=False, alpha="output").double()
    neuron = nn.ReverB(5, bits, steps, leak=0.5, threshold=0.5)
    neuron = with_logs(neuron, **({} if bits is None else {"log_step": np.log(0.25)}))
    weight = RNG(0).choice([-1.5, -1.0, -0.25, 0.0, 0.5, 1.0, 1.25], (5, 4))
    amplitude = 2.0 ** RNG(1).integers(-2, 2, 5)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.log_alpha.copy_(torch.from_numpy(np.log(amplitude)))
    inputs = RNG(2).integers(0, 5, (steps, batch, 4)) / 4.0
    up = RNG(3).normal(size=(steps, batch, 5))
    neuron(layer(torch.from_numpy(inputs))).backward(torch.from_numpy(up))
    sign = np.where(weight >= 0, 1.0, -1.0)
    levels = None if bits is None else 2**bits - 1
    sums = inputs @ sign.T
    _, delta, _, _ = reverb_back(sums * amplitude, levels, 0.25, np.ones(5), 0.5, 0.5, up)
    dweight = np.einsum("tbo,tbi->oi", delta, inputs) * amplitude[:, None] * (np.abs(weight) <= 1)
    dalpha = (delta * sums).sum((0, 1))
    np.testing.assert_allclose(layer.weight.grad.numpy(), dweight, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.log_alpha.grad.numpy(), dalpha * amplitude, rtol=1e-10, atol=1e-12)
