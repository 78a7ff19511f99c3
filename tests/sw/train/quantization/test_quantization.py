"""Fake quantization of folded weights against a plain numpy fold."""

import copy

import numpy as np
import pytest
import torch
from folded_reference import randomize
from small_networks import Net, build, sew

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.fold import fold
from spikefold.quantize import quantize
from spikefold.train import fake_quantized


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def model(steps: int, seed: int = 0) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    net = nn.models.mlp(6, [5, 4], 3, steps=steps, maximum=16.0)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.2)
        net.norm1.weight[1] = -0.7  # a negative gain
        for i in (1, 2, 3):
            weight = getattr(net, f"dense{i}").weight
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return net.eval()


def expected_weight(weight: np.ndarray, a: np.ndarray, gain: np.ndarray, bits: int, rows: bool) -> np.ndarray:
    """Fold, quantize and unfold [out, in] with source scales ``a`` [T, in]; returns [T, out, in]."""
    folded = np.stack([gain[:, None] * weight * step for step in a])
    size = np.abs(folded).max(axis=(0, 2) if rows else None, keepdims=True)
    s = size / (2 ** (bits - 1) - 1)
    return np.round(folded / s) * s / (gain[:, None] * a[:, None, :])


def rounded(net: torch.nn.Module, bits: int, names: tuple[str, ...]) -> list[np.ndarray]:
    """Rounded weights of layers that read one scale, [T or 1, out, in, ...] each."""
    with fake_quantized(net, bits, method="max") as simulation:
        found = [simulation.weights(name) for name in names]
    assert all(len(weights) == 1 for weights in found)
    return [weights[0].numpy() for weights in found]


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("steps", [1, 3])
def test_weights_are_rounded_where_the_hardware_rounds_them(bits: int, steps: int) -> None:
    net = model(steps).double()
    weights = [getattr(net, f"dense{i}").weight.detach().numpy().copy() for i in (1, 2, 3)]
    norms = [net.norm1, net.norm2]
    gains = [(n.weight / torch.sqrt(n.running_var + n.eps)).detach().numpy() for n in norms] + [np.ones(3)]
    sources = [
        np.full((1, 6), 1 / 16),
        net.neuron1.scale.detach().numpy(),
        net.neuron2.scale.detach().numpy(),
    ]
    got = rounded(net, bits, ("dense1", "dense2", "dense3"))
    for i in range(3):
        expected = expected_weight(weights[i], sources[i], gains[i], bits, rows=i < 2)
        np.testing.assert_allclose(got[i], expected, rtol=1e-9, atol=1e-12)
        assert len(got[i]) == (steps if i > 0 else 1)


def test_each_time_step_uses_its_own_rounded_weights() -> None:
    net = model(3).double()
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(2)) * 16
    hidden = net[:4](x)  # up to and with the first neuron
    with fake_quantized(net, 3) as simulation:
        (weight,) = simulation.weights("dense2")
        got = net.dense2(hidden)
    for t in range(3):
        torch.testing.assert_close(got[t], hidden[t] @ weight[t].T)


def test_latent_weights_and_parameters_come_back() -> None:
    net = model(2)
    before = {name: (parameter, parameter.detach().clone()) for name, parameter in net.named_parameters()}
    state, x = net.state_dict(), torch.rand(4, 6) * 16
    plain = net(x)
    with fake_quantized(net, 4):
        assert list(net.state_dict()) == list(state)
        assert all(parameter is before[name][0] for name, parameter in net.named_parameters())
        assert not torch.equal(net(x), plain)
    assert torch.equal(net(x), plain)
    assert all("forward" not in vars(module) for module in net.modules())
    assert torch.equal(copy.deepcopy(net)(x), plain)
    assert {name for name, _ in net.named_parameters()} == set(before)
    for name, parameter in net.named_parameters():
        assert parameter is before[name][0]
        assert torch.equal(parameter, before[name][1])


def test_gradients_pass_straight_through() -> None:
    net = model(1)
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(2)) * 16
    hidden = net[:5](x).detach()
    with fake_quantized(net, 4):
        net.dense3(hidden).sum().backward()
    expected = hidden.sum((0, 1)).expand(3, -1)
    torch.testing.assert_close(net.dense3.weight.grad, expected)


def test_a_readout_shares_one_scale_after_its_batch_norm() -> None:
    net = nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.BatchNorm(3), nn.Readout()).double().eval()
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([0.1, 1.0, -3.0]))
    weight = net[1].weight.detach().numpy().copy()
    gain = (net[2].weight / torch.sqrt(net[2].running_var + net[2].eps)).detach().numpy()
    expected = expected_weight(weight, np.full((1, 4), 1 / 16), gain, 4, rows=False)
    np.testing.assert_allclose(rounded(net, 4, ("1",))[0], expected, rtol=1e-9, atol=1e-12)


def test_rows_of_zeros_stay_zero() -> None:
    net = model(1)
    with torch.no_grad():
        net.dense1.weight[2] = 0.0
        net.norm1.weight[3] = 0.0
    (weight,) = rounded(net, 4, ("dense1",))
    assert np.isfinite(weight).all()
    assert not weight[:, 2].any()


def test_weights_come_back_after_an_error() -> None:
    net = model(1)
    x = torch.rand(4, 6) * 16
    plain = net(x)
    with pytest.raises(KeyboardInterrupt), fake_quantized(net, 4):
        raise KeyboardInterrupt
    assert torch.equal(net(x), plain)


def test_a_context_within_a_context_gives_way_to_it() -> None:
    net = model(2)
    x = torch.rand(4, 6) * 16
    with fake_quantized(net, 8):
        eight = net(x)
        with fake_quantized(net, 2):
            assert not torch.equal(net(x), eight)
        assert torch.equal(net(x), eight)


def residual(net, x):
    """Currents with three kinds of shortcut, batch norms before and after the sum, and pools."""
    x = net.fire0(net.norm0(net.stem(net.source(x))))
    mean = net.mean(x)
    y = net.fire1(net.norm2(net.norm1(net.conv1(net.peak(x))) + net.side_norm(mean) + net.side(mean)))
    return net.out(net.norm3(net.head(net.flat(net.mean2(net.in_norm(y))))))


def residual_model(steps: int, seed: int = 0) -> Net:
    layers = {
        "source": nn.Input((2, 9, 8), 7, mean=[0.0, 0.2], std=[0.5, 2.0], steps=steps),
        "stem": nn.Conv2d(2, 6, (3, 2), groups=2),
        "norm0": nn.BatchNorm(6),
        "fire0": nn.PIT(6, 4, steps),
        "peak": nn.MaxPool2d((3, 2), 2),
        "mean": nn.AvgPool2d((3, 2), 2),
        "conv1": nn.Conv2d(6, 6, 3, padding=1, groups=3),
        "norm1": nn.BatchNorm(6),
        "side": nn.Conv2d(6, 6, 1, bias=False),
        "side_norm": nn.BatchNorm(6),
        "norm2": nn.BatchNorm(6),
        "fire1": nn.PIT(6, 4, steps),
        "in_norm": nn.BatchNorm(6),
        "mean2": nn.AvgPool2d((1, 3)),
        "flat": nn.Flatten(),
        "head": nn.Dense(18, 3),
        "norm3": nn.BatchNorm(3),
        "out": nn.Readout(),
    }
    return randomize(Net(residual, **layers), seed)


def rounded_by_quantizer(
    net: torch.nn.Module, places: dict[str, tuple[int, int]], bits: int
) -> list[np.ndarray]:
    """Integer weights times their scale, unfolded by what folding did; [T or 1, out, in, ...] each."""
    folded = fold(net)
    network, _ = quantize(folded, weight_bits=bits)
    found = []
    for name, (population, projection) in places.items():
        real = folded.populations[population].projections[projection].weight.numpy()
        whole = network.populations[population]
        scale = whole.scale * (1 << whole.fraction) * (folded.steps if whole.neuron is None else 1)
        integers = whole.projections[projection].weight
        values = integers * scale.reshape(-1, *(1,) * (integers.ndim - 2))
        found.append(values / (real / net.get_submodule(name).weight.detach().numpy()))
    return found


PLACES = {"stem": (0, 0), "conv1": (1, 0), "side": (1, 2), "head": (2, 0)}


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("steps", [1, 3])
def test_residual_networks_round_as_the_quantizer_does(bits: int, steps: int) -> None:
    net = residual_model(steps)
    expected = rounded_by_quantizer(net, PLACES, bits)
    got = rounded(net, bits, tuple(PLACES))
    for k, (mine, theirs) in enumerate(zip(got, expected, strict=True)):
        assert len(mine) == (steps if k else 1)
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shortcut", [1.0, 300.0, 1e6])
def test_shortcuts_count_in_the_scale(shortcut: float) -> None:
    """The identity's gain, with its 8 bits, sets the step of the population where it is large."""
    net = residual_model(1)
    with torch.no_grad():
        net.side_norm.weight.mul_(shortcut)
        net.side_norm.running_mean.zero_()
    expected = rounded_by_quantizer(net, PLACES, 4)
    got = rounded(net, 4, tuple(PLACES))
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-9, atol=1e-12)
    assert got[1].any() == (shortcut < 1e6)


@pytest.mark.parametrize("steps", [1, 2])
def test_composed_pools_round_as_the_quantizer_does(steps: int) -> None:
    """56 positions of 5 levels are too many for a unit: the mean is in the dense weights."""
    layers = (
        nn.Conv2d(2, 4, 2),
        nn.PIT(4, 5, steps),
        nn.GlobalAvgPool(),
        nn.Flatten(),
        nn.Dense(4, 3),
        nn.Readout(),
    )
    net = randomize(nn.Sequential(nn.Input((2, 9, 8), 7, steps=steps), *layers), 3)
    folded = fold(net)
    network, _ = quantize(folded)
    integers = network.readout.projections[0].weight
    assert integers.shape == (steps, 3, 4 * 56)
    scale = network.readout.scale[0] * steps
    factor = folded.populations[1].projections[0].weight[:, :, ::56].numpy() / net[5].weight.detach().numpy()
    (got,) = rounded(net, 4, ("5",))
    np.testing.assert_allclose(
        np.broadcast_to(got, factor.shape), integers[:, :, ::56] * scale / factor, rtol=1e-9
    )


def test_composed_pools_share_their_scale() -> None:
    """2x2 windows of 64 levels pass 255: the mean goes into `side`, whose weights are a quarter of W then."""

    def connect(net, x):
        x = net.fire0(net.stem(net.source(x)))
        y = net.fire1(net.conv1(x) + net.side(net.mean(x)))
        return net.out(net.head(net.flat(y)))

    layers = {
        "source": nn.Input((2, 9, 8), 7),
        "stem": nn.Conv2d(2, 4, 2),
        "fire0": nn.PIT(4, 64),
        "conv1": nn.Conv2d(4, 4, 2, 2),
        "mean": nn.AvgPool2d(2),
        "side": nn.Conv2d(4, 4, 1),
        "fire1": nn.PIT(4),
        "flat": nn.Flatten(),
        "head": nn.Dense(48, 3),
        "out": nn.Readout(),
    }
    net = randomize(Net(connect, **layers), 0)
    with torch.no_grad():
        net.conv1.weight.mul_(0.1)
    network, _ = quantize(fold(net))
    conv, side = network.populations[1].projections
    assert side.weight.shape == (1, 4, 4, 2, 2)
    scale = network.populations[1].scale * (1 << network.populations[1].fraction)
    a = net.fire0.scale.detach().numpy()[0][:, None, None]
    got = [weight[0] for weight in rounded(net, 4, ("conv1", "side"))]
    by_target = scale[:, None, None, None]
    np.testing.assert_allclose(got[0], conv.weight[0] * by_target / a, rtol=1e-9)
    np.testing.assert_allclose(got[1], side.weight[0, :, :, :1, :1] * by_target / a * 4, rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 2])
def test_convolutions_compute_with_rounded_weights_step_by_step(steps: int) -> None:
    net = residual_model(steps)
    x = torch.rand(steps, 3, 6, 7, 7, dtype=torch.float64)
    with fake_quantized(net, 3) as simulation:
        (weight,) = simulation.weights("side")
        got = net.side(x)
    assert len(weight) == steps
    for t in range(steps):
        torch.testing.assert_close(got[t], torch.nn.functional.conv2d(x[t], weight[t]))


def test_tied_sums_are_one_source() -> None:
    net = build(sew, 2, 3)
    nn.tie_scales(net.fire0, net.fire1, net.fire2)
    places = {"stem": (0, 0), "conv1": (1, 0), "conv2": (2, 0), "head": (3, 0)}
    expected = rounded_by_quantizer(net, places, 4)
    for mine, theirs in zip(rounded(net, 4, tuple(places)), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_overlapping_pools_of_currents_are_refused() -> None:
    layers = nn.Conv2d(2, 4, 2), nn.AvgPool2d(2), nn.PIT(4), nn.Flatten(), nn.Dense(48, 3), nn.Readout()
    net = nn.Sequential(nn.Input((2, 9, 8)), *layers)
    message = r"^Layer '1' must not be composed with an average pool whose windows overlap to be trained with"
    with pytest.raises(ModelError, match=message), fake_quantized(net, 4):
        pass
    net[1] = nn.Conv2d(2, 4, 2, 2)
    net[5] = nn.Dense(16, 3)
    with fake_quantized(net, 4):
        pass


def test_convolutions_train() -> None:
    net = residual_model(2).train()
    x = torch.rand(5, 2, 9, 8, dtype=torch.float64)
    before = net.conv1.weight.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with fake_quantized(net, 4):
        net(x).square().sum().backward()
        optimizer.step()
    assert not torch.equal(net.conv1.weight, before)
    assert bool(torch.isfinite(net.conv1.weight).all())
