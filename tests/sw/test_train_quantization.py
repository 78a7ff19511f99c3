"""Fake quantization of folded weights against a plain numpy fold."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.train import fake_quantized


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
    with fake_quantized(net, bits):
        got = [getattr(net, f"dense{i}").weight.detach().numpy() for i in (1, 2, 3)]
    for i in range(3):
        expected = expected_weight(weights[i], sources[i], gains[i], bits, rows=i < 2)
        np.testing.assert_allclose(
            got[i] if got[i].ndim == 3 else got[i][None], expected, rtol=1e-9, atol=1e-12
        )
        assert got[i].ndim == (3 if steps > 1 and i > 0 else 2)


def test_each_time_step_uses_its_own_rounded_weights() -> None:
    net = model(3).double()
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(2)) * 16
    hidden = net[:4](x)  # up to and with the first neuron
    with fake_quantized(net, 3):
        weight = net.dense2.weight.detach()
        got = net.dense2(hidden)
    for t in range(3):
        torch.testing.assert_close(got[t], hidden[t] @ weight[t].T)


def test_latent_weights_and_parameters_come_back() -> None:
    net = model(2)
    before = {name: (parameter, parameter.detach().clone()) for name, parameter in net.named_parameters()}
    with fake_quantized(net, 4):
        assert not torch.equal(net.dense1.weight, before["dense1.weight"][1])
    assert {name for name, _ in net.named_parameters()} == set(before)
    for name, parameter in net.named_parameters():
        assert parameter is before[name][0]
        assert torch.equal(parameter, before[name][1])


def test_gradients_pass_straight_through() -> None:
    net = model(1)
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(2)) * 16
    with fake_quantized(net, 4):
        hidden = net[:5](x).detach()
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
    with fake_quantized(net, 4):
        np.testing.assert_allclose(net[1].weight.detach().numpy()[None], expected, rtol=1e-9, atol=1e-12)


def test_rows_of_zeros_stay_zero() -> None:
    net = model(1)
    with torch.no_grad():
        net.dense1.weight[2] = 0.0
        net.norm1.weight[3] = 0.0
    with fake_quantized(net, 4):
        weight = net.dense1.weight.detach()
    assert bool(torch.isfinite(weight).all())
    assert not weight[2].any()


def test_weights_come_back_after_an_error() -> None:
    net = model(1)
    with pytest.raises(KeyboardInterrupt), fake_quantized(net, 4):
        raise KeyboardInterrupt
    assert list(net.dense1.state_dict()) == ["weight"]
