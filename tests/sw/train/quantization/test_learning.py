"""Gradients through the rounding, against formulas written out in numpy; and training with it."""

import numpy as np
import pytest
import torch
from small_networks import build, images, sew

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.fold import fold
from spikefold.golden import run
from spikefold.quantize import quantize
from spikefold.train import fake_quantized


def one_layer(neuron, seed=0):
    """Five features, a dense layer, neurons and a readout that passes on what they emit."""
    generator = torch.Generator().manual_seed(seed)
    steps = neuron.steps
    net = nn.Sequential(nn.Input(5, 15, steps=steps), nn.Dense(5, 4), neuron, nn.Dense(4, 2), nn.Readout())
    with torch.no_grad():
        net[1].weight.copy_(torch.rand(4, 5, generator=generator) - 0.3)
        net[1].bias.copy_(torch.rand(4, generator=generator) * 0.3)
        net[3].weight.copy_(torch.randn(2, 4, generator=generator))
        net[3].bias.copy_(torch.randn(2, generator=generator))
    return net.double().eval()


def hidden_layer(net, bits):
    """Real values of weights, bias and thresholds (T or 1, C) of the integer network's hidden population."""
    network, _ = quantize(fold(net), weight_bits=bits)
    hidden = network.populations[0]
    weight = hidden.projections[0].weight[0] * (hidden.scale * (1 << hidden.fraction))[:, None]
    return weight, hidden.bias[0] * hidden.scale, hidden.neuron.threshold * hidden.scale, hidden.neuron


def gradients(net, bits, x):
    """Fill in the gradients of the sum of all logits; return that of each neuron's emitted value."""
    with fake_quantized(net, bits, method="max") as simulation:
        net(x).sum().backward()
        return simulation.weights("3")[0].numpy().sum(1) / net[2].steps


def half_up(x):
    return np.floor(x + 0.5)


def samples():
    return torch.rand(50, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_gradients_of_a_pit_layer(bits):
    """At the rounded `x = u / threshold`: Eq. 30 for weights and bias, Eq. 32 for the scale."""
    net, x = one_layer(nn.PIT(4, 4, rectify=0.0)), samples()
    with torch.no_grad():
        net[2].log_scale.copy_(torch.tensor([[-0.2, -1.0, -1.5, -0.6]]))
    weight, bias, threshold, _ = hidden_layer(net, bits)
    upstream = gradients(net, bits, x)[0]
    a, levels = net[2].scale.detach().numpy()[0], half_up(x.numpy() * 15)
    ratio = (levels @ weight.T + bias) / threshold[0]
    n = np.clip(half_up(ratio + 1e-12), 0, 4)
    window = (ratio >= -1e-12) & (ratio <= 4 + 1e-12)
    assert 0.1 < window.mean() < 0.99
    slope = upstream * window * a / threshold[0]
    np.testing.assert_allclose(net[1].weight.grad.numpy(), slope.T @ (levels / 15), rtol=1e-9)
    np.testing.assert_allclose(net[1].bias.grad.numpy(), slope.sum(0), rtol=1e-9)
    of_scale = (upstream * (n - ratio * window * a / threshold[0])).sum(0)
    np.testing.assert_allclose(net[2].log_scale.grad.numpy()[0], of_scale * a, rtol=1e-9)
    np.testing.assert_allclose(net[3].weight.grad.numpy(), np.tile((n * a).sum(0), (2, 1)), rtol=1e-9)


@pytest.mark.parametrize("bits", [2, 8])
def test_the_tails_of_qblif_are_those_of_real_membranes(bits):
    """QB-LIF Eq. 12: exp(u - gamma) and exp(Nmax gamma - u), of real membranes, not of integers."""
    net, x = one_layer(nn.QBLIF(4, 3, init=0.2)), samples()
    weight, bias, threshold, _ = hidden_layer(net, bits)
    upstream = gradients(net, bits, x)[0]
    levels = half_up(x.numpy() * 15)
    u, gamma = levels @ weight.T + bias, threshold[0]
    g = np.exp(np.minimum(np.minimum(u - gamma, 3 * gamma - u), 0))
    assert (g < 0.9).any()
    assert (g == 1).any()
    slope = upstream * g * 0.2 / gamma
    np.testing.assert_allclose(net[1].weight.grad.numpy(), slope.T @ (levels / 15), rtol=1e-6)
    n = np.clip(np.floor(u / gamma + 1e-12), 0, 3)
    of_scale = (upstream * (n - u / gamma * g * 0.2 / gamma)).sum()
    np.testing.assert_allclose(float(net[2].log_scale.grad), of_scale * 0.2, rtol=1e-5)


@pytest.mark.parametrize(("leak", "used"), [(0.5, 0.5), (0.7, 0.75)])
def test_gradients_through_time_see_the_leak_in_use(leak, used):
    """`u2 = leak (u1 - s1) + I`; with one shift or two terms the leak is a rounded one."""
    net, x = one_layer(nn.PIT(4, 4, 2, leak=leak, rectify=0.0)), samples()
    with torch.no_grad():
        net[2].log_scale.copy_(torch.tensor([[-0.2, -1.0, -1.5, -0.6], [-0.5, -0.7, -1.2, -0.9]]))
    network, _ = quantize(fold(net), leak_terms=2)
    assert network.populations[0].neuron.leak.value == used
    weight, bias, threshold, _ = hidden_layer(net, 4)
    with fake_quantized(net, 4, leak_terms=2) as simulation:
        net(x).sum().backward()
        upstream = simulation.weights("3")[0].numpy().sum(1) / 2
    a, current = net[2].scale.detach().numpy(), half_up(x.numpy() * 15) @ weight.T + bias
    unit = network.populations[0].scale
    first = current / threshold[0]
    n = np.clip(half_up(first + 1e-12), 0, 4)
    v = half_up((current - n * threshold[0]) / unit * used + 1e-9) * unit
    second = (v + current) / threshold[1]
    windows = [(ratio >= -1e-12) & (ratio <= 4 + 1e-12) for ratio in (first, second)]
    into_second = upstream[1] * windows[1] * a[1] / threshold[1]
    into_first = upstream[0] * windows[0] * a[0] / threshold[0] + used * into_second * (1 - windows[0])
    np.testing.assert_allclose(net[1].bias.grad.numpy(), (into_first + into_second).sum(0), rtol=1e-9)


def test_a_first_batch_sets_the_scales():
    """It passes the neurons unrounded, so that scales start as they would without rounding."""
    x = torch.rand(30, 2, 9, 8)
    nets = [nn.models.cnn((2, 9, 8), 3, channels=[4, 5], steps=2) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    with torch.no_grad():
        nets[0].train()(x)
        with fake_quantized(nets[1].train(), 8):
            nets[1](x)
    pairs = [[m for m in net.modules() if isinstance(m, nn.PIT)] for net in nets]
    for plain, rounded in zip(*pairs, strict=True):
        assert rounded.initialised
        torch.testing.assert_close(rounded.log_scale, plain.log_scale, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("neuron", ["pit", "ilif", "lif", "qblif", "reverb"])
def test_every_neuron_trains_to_its_integers(neuron):
    """Two-bit weights learn which third is bright; parameters are read anew at every step."""
    torch.manual_seed(0)
    x, y = torch.rand(60, 2, 8, 8) * 0.6, torch.arange(60) % 3
    for k in range(3):
        x[y == k, :, 3 * k : 3 * k + 2] += 0.4
    net = nn.models.cnn((2, 8, 8), 3, channels=[6, 8], steps=2, neuron=neuron).train()
    net(x)
    optimizer = torch.optim.AdamW(net.parameters(), 0.02)
    with fake_quantized(net, 2):
        for epoch in range(40):
            optimizer.param_groups[0]["lr"] = 0.02 if epoch < 25 else 0.001  # batch norms catch up in the end
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())
        simulated = net.double().eval()(x.double()).argmax(1)
    assert nn.rounding_of(net) == nn.Rounding(2, "mse")
    network, _ = quantize(fold(net), weight_bits=2, method="mse")
    classes = run(network, network.input.encode(x.numpy(), 2)).classes
    np.testing.assert_array_equal(simulated.numpy(), classes)
    assert (classes == y.numpy()).mean() > 0.9


def test_single_precision_decides_alike():
    """float32 may miss a tie by a unit of the membrane: few levels differ, hardly a class."""
    net = build(sew, 2, 4).float()
    x = images(4, samples=60).float()
    with torch.no_grad(), fake_quantized(net, 4):
        single = net(x)
        double = net.double()(x.double())
    assert (single.argmax(1) == double.argmax(1)).float().mean() > 0.97
    assert (single - double).abs().max() < 0.2 * double.abs().max()


def binary(alpha):
    layers = nn.Dense(4, 5), nn.ReverB(5), nn.BinaryDense(5, 4, alpha=alpha), nn.ReverB(4), nn.Dense(4, 3)
    return nn.Sequential(nn.Input(4), *layers, nn.Readout()).eval()


def test_alphas_per_input_channel_are_refused():
    message = (
        r"^Layer '3' must not have an alpha per input channel to be trained as the integer network computes; "
        r"move it into the neurons with spikefold\.nn\.reparameterize$"
    )
    with pytest.raises(ModelError, match=message), fake_quantized(binary("input"), 4):
        pass
    with fake_quantized(nn.reparameterize(binary("input")), 4):
        pass


def test_binary_weights_keep_their_values():
    net = binary("output")
    with fake_quantized(net, 4) as simulation:
        (weight,) = simulation.weights("3")
    torch.testing.assert_close(weight[0], net[3].effective_weight().detach())


def test_one_bit_weights_behind_gaps_are_refused():
    layers = (
        nn.Conv2d(2, 4, 2),
        nn.PIT(4, 64),
        nn.AvgPool2d(2, 3),
        nn.Conv2d(4, 3, 2),
        nn.PIT(3),
        nn.Flatten(),
    )
    net = nn.Sequential(nn.Input((2, 9, 8)), *layers, nn.Dense(6, 3), nn.Readout())
    message = (
        r"^Layer '4' must have 2 or more bits to be composed with an average pool whose windows leave gaps"
    )
    with pytest.raises(ModelError, match=message), fake_quantized(net, 1):
        pass
    with fake_quantized(net, 2):
        pass


def test_sums_of_too_many_scales_are_refused_while_they_are_equal():
    """As before the first batch: training would go on until the scales differ, and end there."""
    net = nn.models.sew_resnet34((3, 8, 8), 5, width=2, tie=False)
    message = r"must read a sum of spikes of at most 4 different scales, not [5-9]; tie those"
    with pytest.raises(ModelError, match=message), fake_quantized(net, 4):
        pass
    with fake_quantized(nn.models.sew_resnet34((3, 8, 8), 5, width=2, tie=False, neuron="ilif"), 4):
        pass  # all of scale 1


def test_half_precision_counts_units_in_single():
    """Under autocast currents have 8 bits; the neurons make whole levels of them all the same."""
    net = build(sew, 2, 4).float()
    emitted = []
    net.fire2.register_forward_hook(
        lambda neuron, _, out: emitted.append(out / neuron.scale[:, None, :, None, None])
    )
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), fake_quantized(net, 4):
        logits = net(images(4).float())
    assert emitted[0].dtype == logits.dtype == torch.float32
    assert emitted[0].max() > 1
    torch.testing.assert_close(emitted[0], emitted[0].round(), rtol=0, atol=1e-4)


def test_a_network_that_can_no_longer_be_folded_is_refused_at_once():
    layers = nn.Conv2d(2, 4, 2), nn.MaxPool2d(2), nn.BatchNorm(4), nn.PIT(4), nn.Flatten(), nn.Dense(48, 3)
    net = nn.Sequential(nn.Input((2, 9, 8)), *layers, nn.Readout())
    x = torch.rand(5, 2, 9, 8)
    with fake_quantized(net, 4):
        net(x)
        with torch.no_grad():
            net[3].weight[1] = -0.1
        with pytest.raises(ModelError, match=r"^Batch norm '3' must not have negative gains after the max"):
            net(x)
