"""Learning rules of LIF, I-LIF and PIT over time, against backward recursions written out in numpy.

PIT Eq. 24-32: with ``x = u / a`` the emitted value has slopes ``ds/du`` (Eq. 30) and ``ds/da`` (Eq. 32), and
``dL/du_t`` collects what ``s_t`` and ``v_t`` pass on. Nothing here is derived from the code under test.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from spikefold import nn

RNG = np.random.default_rng


@dataclass(frozen=True)
class Rules:
    """Constants of a population; ``lift`` is 1/2 for rounding half up and 0 for rounding down."""

    levels: int
    leak: float = 0.5
    lam: float = 0.0
    reset: str = "subtract"
    lift: float = 0.5
    gain: float = 1.0


def emit(u: np.ndarray, a: np.ndarray, p: Rules) -> np.ndarray:
    """Levels, one comparison per level."""
    return sum((u / a + p.lift >= k).astype(float) for k in range(1, p.levels + 1))


def run(x: np.ndarray, a: np.ndarray, p: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Membranes and levels [T, B, C] of currents ``x``, for distances ``a`` [T, C] between levels."""
    v, us, ns = np.zeros(x.shape[1:]), [], []
    for t in range(len(x)):
        u = p.leak * v + p.gain * x[t]
        n = emit(u, a[t], p)
        v = {"subtract": u - a[t] * n, "zero": np.where(n > 0, 0.0, u), "none": u}[p.reset]
        us.append(u)
        ns.append(n)
    return np.stack(us), np.stack(ns)


def back(
    x: np.ndarray, a: np.ndarray, p: Rules, upstream: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``a n``, ``dL/dx`` and ``dL/da`` [T, C] for ``dL/ds = upstream``."""
    us, ns = run(x, a, p)
    dx, da, dv = np.zeros_like(x), np.zeros_like(a), np.zeros(x.shape[1:])
    for t in reversed(range(len(x))):
        u, n, place = us[t], ns[t], us[t] / a[t] + p.lift - 0.5
        inside = (place >= 0) & (place <= p.levels)
        dis = place - np.floor(place) - 0.5
        slope = inside * (1 + p.lam * (0.5 - np.sign(dis) * dis))
        ds = upstream[t] - dv if p.reset == "subtract" else upstream[t]
        du = ds * slope + (dv * (n == 0) if p.reset == "zero" else dv)
        da[t] = (ds * (n - u / a[t] * inside)).sum(0)
        dx[t], dv = p.gain * du, p.leak * du
    return ns * a[:, None], dx, da


def currents(steps: int, seed: int, spread: int = 20, channels: int = 5) -> np.ndarray:
    """Multiples of 1/8, so that boundaries are hit exactly; the last channels are silent and saturated."""
    x = RNG(seed).integers(-spread, 2 * spread, (steps, 6, channels)) / 8.0
    x[..., -1] = 0.0
    x[..., -2] = 4e5
    return x


def learned(neuron: torch.nn.Module, x: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Emitted values and ``dL/dx`` of a neuron."""
    current = torch.from_numpy(x).requires_grad_()
    emitted = neuron(current)
    emitted.backward(torch.from_numpy(upstream))
    return emitted.detach().numpy(), current.grad.numpy()


def pit(scales: np.ndarray, levels: int, **options: object) -> nn.PIT:
    steps, channels = scales.shape
    neuron = nn.PIT(channels, levels, steps, **options).double().eval()
    with torch.no_grad():
        neuron.log_scale.copy_(torch.from_numpy(np.log(scales)))
    return neuron


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize(("levels", "lam"), [(1, 0.01), (4, 0.1), (4, 0.0), (255, 0.1)])
def test_pit_learns_by_equations_24_to_32(steps: int, reset: str, levels: int, lam: float) -> None:
    p = Rules(levels, 0.5, lam, reset)
    neuron = pit(np.full((steps, 5), 0.5), levels, rectify=lam, reset=reset)
    a = neuron.scale.detach().numpy()
    assert (a == 0.5).all()  # exact, so that the boundaries are hit
    x, upstream = currents(steps, levels), RNG(steps).normal(size=(steps, 6, 5))
    s, dx, da = back(x, a, p, upstream)
    got_s, got_dx = learned(neuron, x, upstream)
    np.testing.assert_array_equal(got_s, s)
    np.testing.assert_allclose(got_dx, dx, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(neuron.log_scale.grad.numpy(), da * a, rtol=1e-9, atol=1e-9)
    assert len(np.unique(s)) > 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("decay", [False, True])
def test_pit_sweep(seed: int, decay: bool) -> None:
    """Random scales per step and channel, levels, leaks, resets and lambdas."""
    rng = RNG(seed)
    steps, levels, leak = int(rng.integers(1, 6)), int(rng.integers(1, 10)), float(rng.uniform(0, 1))
    reset, lam = ("subtract", "zero", "none")[seed % 3], float(rng.uniform(0, 0.5))
    scales = rng.uniform(0.2, 2.0, (steps, 5))
    neuron = pit(scales, levels, leak=leak, rectify=lam, reset=reset, input_decay=decay)
    a = neuron.scale.detach().numpy()
    p = Rules(levels, leak, lam, reset, gain=1 - leak if decay else 1.0)
    x, upstream = rng.normal(0.5, 2.0, (steps, 6, 5)), rng.normal(size=(steps, 6, 5))
    s, dx, da = back(x, a, p, upstream)
    got_s, got_dx = learned(neuron, x, upstream)
    np.testing.assert_allclose(got_s, s, rtol=1e-12)
    np.testing.assert_allclose(got_dx, dx, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(neuron.log_scale.grad.numpy(), da * a, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("per_step", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("learn", ["scale", "factor", "none"])
def test_shared_scales_sum_what_their_users_learn(per_step: bool, per_channel: bool, learn: str) -> None:
    steps, channels = 3, 5
    neuron = (
        nn.PIT(channels, 4, steps, per_step=per_step, per_channel=per_channel, learn=learn).double().eval()
    )
    shape = (steps if per_step else 1, channels if per_channel else 1)
    assert tuple(neuron.log_scale.shape) == shape
    with torch.no_grad():
        neuron.log_scale.copy_(torch.from_numpy(RNG(0).normal(-0.5, 0.3, shape)))
        if learn == "factor":
            neuron.log_factor.copy_(torch.from_numpy(RNG(1).normal(0, 0.3, shape[0])))
    log = neuron.log_scale.detach().numpy()
    log = log + neuron.log_factor.detach().numpy()[:, None] if learn == "factor" else log
    a = np.exp(np.broadcast_to(log, (steps, channels)))
    x, upstream = RNG(2).normal(0.5, 2.0, (steps, 6, channels)), RNG(3).normal(size=(steps, 6, channels))
    s, dx, da = back(x, a, Rules(4, 0.5, 0.01), upstream)
    got_s, got_dx = learned(neuron, x, upstream)
    np.testing.assert_allclose(got_s, s, rtol=1e-12)
    np.testing.assert_allclose(got_dx, dx, rtol=1e-9, atol=1e-12)
    dlog = (da * a).sum(0, keepdims=not per_step) if not per_step else da * a
    if learn == "factor":
        np.testing.assert_allclose(neuron.log_factor.grad.numpy(), dlog.sum(1), rtol=1e-9)
    if learn == "scale":
        dlog = dlog if per_channel else dlog.sum(1, keepdims=True)
        np.testing.assert_allclose(neuron.log_scale.grad.numpy(), dlog, rtol=1e-9)
    else:
        assert neuron.log_scale.grad is None


def test_factor_stops_at_the_smallest_scale() -> None:
    neuron = nn.PIT(2, steps=2, learn="factor").double().eval()
    with torch.no_grad():
        neuron.log_scale.copy_(torch.tensor([[0.0, -8.0], [0.0, 0.0]]))
        neuron.log_factor.copy_(torch.tensor([-1.0, -9.0]))
    a = np.array([[np.exp(-1.0), 1e-3], [1e-3, 1e-3]])
    np.testing.assert_allclose(neuron.scale.detach().numpy(), a, rtol=1e-12)
    x = np.array([[[1.0, 0.002]], [[0.003, 0.001]]])
    upstream = np.ones_like(x)
    s, dx, da = back(x, a, Rules(4, 0.5, 0.01), upstream)
    got_s, got_dx = learned(neuron, x, upstream)
    np.testing.assert_allclose(got_s, s, rtol=1e-12)
    np.testing.assert_allclose(got_dx, dx, rtol=1e-9)
    np.testing.assert_allclose(neuron.log_factor.grad.numpy(), [da[0, 0] * a[0, 0], 0.0], rtol=1e-9)


@pytest.mark.parametrize("threshold", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize(("kind", "levels", "lift"), [("ilif", 4, 0.5), ("ilif", 1, 0.5), ("lif", 1, 0.0)])
def test_constant_neurons_learn_through_time(
    threshold: float, reset: str, kind: str, levels: int, lift: float
) -> None:
    options = {"threshold": threshold, "steps": 4, "leak": 0.25, "reset": reset, "rectify": 0.2}
    neuron = nn.LIF(5, **options) if kind == "lif" else nn.ILIF(5, levels, **options)
    x, upstream = currents(4, 1), RNG(9).normal(size=(4, 6, 5))
    p = Rules(levels, 0.25, 0.2, reset, lift)
    s, dx, _ = back(x, np.full((4, 5), threshold), p, upstream / threshold)
    got_s, got_dx = learned(neuron.double(), x, upstream)
    np.testing.assert_array_equal(got_s, s / threshold)  # a level is worth 1
    np.testing.assert_allclose(got_dx, dx, rtol=1e-12, atol=1e-13)


def test_weights_learn_by_equation_24_from_all_steps() -> None:
    """``dL/dW = sum_t dL/du_t s_t^T`` for the spikes ``s`` that the layer reads at the same step."""
    steps, batch = 3, 6
    layer, neuron = nn.Dense(4, 5, bias=False).double(), pit(np.full((steps, 5), 0.5), 4, rectify=0.1)
    spikes = RNG(0).integers(0, 3, (steps, batch, 4)).astype(float)
    weight = RNG(1).integers(-8, 9, (5, 4)) / 8.0
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
    upstream = RNG(2).normal(size=(steps, batch, 5))
    neuron(layer(torch.from_numpy(spikes))).backward(torch.from_numpy(upstream))
    _, du, _ = back(spikes @ weight.T, np.full((steps, 5), 0.5), Rules(4, 0.5, 0.1), upstream)
    np.testing.assert_allclose(layer.weight.grad.numpy(), np.einsum("tbo,tbi->oi", du, spikes), rtol=1e-11)


@pytest.mark.parametrize("steps", [1, 3])
def test_emitted_values_may_be_changed_in_place(steps: int) -> None:
    """A shortcut is often added with ``+=``."""
    x = torch.from_numpy(currents(steps, 4)).requires_grad_()
    neuron = pit(np.full((steps, 5), 0.5), 4)
    out = neuron(x * 1.0)
    out += x
    out.sum().backward()
    _, dx, da = back(x.detach().numpy(), np.full((steps, 5), 0.5), Rules(4, 0.5, 0.01), np.ones(x.shape))
    np.testing.assert_allclose(x.grad.numpy(), dx + 1, rtol=1e-12)
    np.testing.assert_allclose(neuron.log_scale.grad.numpy(), da * 0.5, rtol=1e-9)
