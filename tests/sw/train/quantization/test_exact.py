"""In eval mode and float64 a fake-quantized model is its integer network, level by level."""

import pytest
import torch
from exact_case import CLASSES, NEURONS, check, dense, lively
from small_networks import Net, build, images, sequential, sew

from spikefold import nn
from spikefold.train import fake_quantized


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("neuron", NEURONS)
def test_dense_networks(neuron, steps):
    for seed in range(6):
        bits = (2, 3, 4, 8, 1, 5)[seed]
        x = torch.rand(20, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        check(dense(neuron, steps, seed), x, bits)


@pytest.mark.parametrize(
    "options",
    [
        {"leak_terms": 1},
        {"membrane_bits": 9},
        {"method": "mse"},
        {"method": "mse", "membrane_bits": 8, "leak_terms": 2},
    ],
)
@pytest.mark.parametrize("neuron", ["pit_leak", "qblif", "reverb_floor"])
def test_options_are_those_of_quantize(neuron, options):
    for seed in range(3):
        x = torch.rand(20, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        check(dense(neuron, 3, seed), x, 3 + seed, **options)


def test_bits_by_population():
    x = torch.rand(20, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    network = check(dense("pit", 2), x, {"layer0": 2, "layer1": 6, "readout": 3})
    assert [p.projections[0].bits for p in network.populations] == [2, 6, 3]


def test_zeros_in_one_bit_take_turns():
    model = dense("pit", 3)
    with torch.no_grad():
        for layer in (model[1], model[4], model[7]):
            layer.weight[torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(3)) < 0.5] = 0
    check(model, torch.rand(20, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64), 1)


@pytest.mark.parametrize("neuron", ["pit", "qblif"])
def test_inputs_that_change_from_step_to_step(neuron):
    x = torch.rand(3, 20, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    check(dense(neuron, 3, static=False), x, static=False)


@pytest.mark.parametrize("bias", [0.5, 1.5, -0.5, -2.5])
def test_biases_between_two_units(bias):
    """They round to even once, not together with each current; the unit is 1 here, the threshold 64."""
    layers = nn.Dense(2, 2), nn.ILIF(2, 4, threshold=64.0), nn.Dense(2, 2), nn.Readout()
    net = nn.Sequential(nn.Input(2, 255, maximum=255.0), *layers)
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[7.0, 1.0], [7.0, -1.0]]))
        net[3].weight.copy_(torch.tensor([[7.0, 1.0], [3.0, -2.0]]))
        net[1].bias.fill_(bias)
        net[3].bias.fill_(bias)
    x = torch.cartesian_prod(torch.tensor([0.0, 20.0]), torch.arange(256.0)).double()
    network = check(net, x)
    assert (network.populations[0].scale == 1).all()


def residual(net, x):
    """Three kinds of shortcut, batch norms before and after the sum and of spikes, pools of both kinds."""
    x = net.fire0(net.norm0(net.stem(net.source(x))))
    mean = net.mean(x)
    y = net.fire1(net.norm2(net.norm1(net.conv1(net.peak(x))) + net.side_norm(mean) + net.side(mean)))
    z = net.fire2(y + net.norm4(net.conv2(y)))
    return net.out(net.norm3(net.head(net.flat(net.mean2(net.in_norm(z))))))


def residual_model(neuron, steps, seed):
    make = NEURONS[neuron]
    layers = {
        "source": nn.Input((2, 9, 8), 7, mean=[0.0, 0.2], std=[0.5, 0.4], steps=steps),
        "stem": nn.Conv2d(2, 6, (3, 2), groups=2),
        "norm0": nn.BatchNorm(6),
        "fire0": make(6, steps),
        "peak": nn.MaxPool2d((3, 2), 2),
        "mean": nn.AvgPool2d((3, 2), 2),
        "conv1": nn.Conv2d(6, 6, 3, padding=1, groups=3),
        "norm1": nn.BatchNorm(6),
        "side": nn.Conv2d(6, 6, 1, bias=False),
        "side_norm": nn.BatchNorm(6),
        "norm2": nn.BatchNorm(6),
        "fire1": make(6, steps),
        "conv2": nn.Conv2d(6, 6, (1, 3), padding=(0, 1), bias=False),
        "norm4": nn.BatchNorm(6),
        "fire2": make(6, steps),
        "in_norm": nn.BatchNorm(6),
        "mean2": nn.AvgPool2d((1, 3)),
        "flat": nn.Flatten(),
        "head": nn.Dense(18, CLASSES),
        "norm3": nn.BatchNorm(CLASSES),
        "out": nn.Readout(),
    }
    return lively(Net(residual, **layers), seed)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("neuron", ["pit", "pit_decay", "ilif", "lif", "qblif", "reverb_floor"])
def test_residual_networks(neuron, steps):
    for seed in range(3):
        check(residual_model(neuron, steps, seed), images(seed), 2 + seed, identity_bits=(8, 4, 2)[seed])


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("tied", [True, False])
def test_sums_of_spikes(tied, steps):
    """Untied: every member has weights of its own."""
    net = build(sew, steps, 3)
    if tied:
        nn.tie_scales(net.fire0, net.fire1, net.fire2)
    network = check(lively(net, 1), images(1), 3)
    assert [len(p.projections) for p in network.populations] == ([1] * 4 if tied else [1, 1, 2, 3])


def test_sums_of_one_scale_with_more_levels_than_a_source_may_have():
    net = build(sew, 2, 200)
    for name in ("fire0", "fire1", "fire2"):
        setattr(net, name, nn.ILIF(5, 200, 2, threshold=0.02))
    network = check(lively(net, 1), images(1), 3)
    assert [len(p.projections) for p in network.populations] == [1, 1, 2, 3]


def test_untied_sums_of_equal_scales():
    """They are one source of the integer network as long as they are equal, as before the first batch."""
    net = build(sew, 2, 3)
    with torch.no_grad():
        for neuron in (net.fire0, net.fire1, net.fire2):
            neuron.log_scale.fill_(-1)
        assert len(check(net, images(1), 3).readout.projections) == 1
        context = fake_quantized(net, 3)
        with context:
            net.fire1.log_scale.sub_(0.7)  # as training does
            inside = net(images(1))
    with torch.no_grad(), fake_quantized(net, 3):
        torch.testing.assert_close(inside, net(images(1)), rtol=0, atol=0)
    assert len(check(net, images(1), 3).readout.projections) == 2


def normed_sum(net, x):
    """A batch norm of a sum of spikes, pooled and added to others behind it."""
    x = net.fire0(net.norm0(net.stem(net.source(x))))
    y = net.norm(net.fire1(net.conv1(x)) + x)
    z = net.fire2(net.norm2(net.conv2(y)) + y)
    return net.out(net.head(net.flat(net.mean(net.norm3(z) + y))))


@pytest.mark.parametrize("steps", [1, 2])
def test_batch_norms_of_sums_of_spikes(steps):
    layers = {"norm": nn.BatchNorm(5), "norm3": nn.BatchNorm(5), "mean": nn.AvgPool2d((3, 4))}
    net = build(normed_sum, steps, 3, **layers)
    net.conv2 = nn.Conv2d(5, 5, 1)
    net.head = nn.Dense(30, CLASSES)
    network = check(lively(net, 2), images(2), 4)
    assert len(network.readout.projections) == 3


@pytest.mark.parametrize("steps", [1, 2])
def test_batch_norms_before_and_after_flattening(steps):
    def connect(net, x):
        x = net.fire(net.stem(net.source(x)))
        return net.out(net.head(net.flat_norm(net.flat(x)) + net.flat2(net.norm(x))))

    layers = {
        "source": nn.Input((2, 9, 8), 7, steps=steps),
        "stem": nn.Conv2d(2, 4, 2, 3),
        "fire": nn.PIT(4, 4, steps),
        "flat": nn.Flatten(),
        "flat_norm": nn.BatchNorm(36),
        "norm": nn.BatchNorm(4),
        "flat2": nn.Flatten(),
        "head": nn.Dense(36, CLASSES),
        "out": nn.Readout(),
    }
    check(lively(Net(connect, **layers), 1), images(1))


def own_average(steps):
    def connect(net, x):
        x = net.fire(net.stem(net.source(x)))
        return net.out(net.head(net.flat(net.mean(x) + x)))

    layers = {
        "source": nn.Input((2, 9, 8), 7, steps=steps),
        "stem": nn.Conv2d(2, 3, 3),
        "fire": nn.PIT(3, 4, steps),
        "mean": nn.AvgPool2d(3, 1, 1),
        "flat": nn.Flatten(),
        "head": nn.Dense(126, CLASSES),
        "out": nn.Readout(),
    }
    return Net(connect, **layers)


@pytest.mark.parametrize("steps", [1, 2])
def test_sums_of_a_neuron_with_its_own_average(steps):
    network = check(lively(own_average(steps), 1), images(1))
    assert [p.source for p in network.readout.projections] == ["pool0", "layer0"]


@pytest.mark.parametrize("steps", [1, 2])
def test_shortcuts_from_one_neuron_before_and_after_a_norm(steps):
    """Both are identities from one source, and each has the gains that come behind it."""

    def connect(net, x):
        x = net.fire(net.stem(net.source(x)))
        y = net.fire2(net.norm(net.conv(x) + x) + x)
        return net.out(net.head(net.flat(y)))

    layers = {
        "source": nn.Input((2, 9, 8), 7, steps=steps),
        "stem": nn.Conv2d(2, 3, 3),
        "fire": nn.PIT(3, 4, steps),
        "conv": nn.Conv2d(3, 3, 3, padding=1),
        "norm": nn.BatchNorm(3),
        "fire2": nn.PIT(3, 4, steps),
        "flat": nn.Flatten(),
        "head": nn.Dense(126, CLASSES),
        "out": nn.Readout(),
    }
    for seed in range(3):
        network = check(lively(Net(connect, **layers), seed), images(seed), 3, identity_bits=3)
    assert len(network.populations[1].projections) == 3


SHAPES = {
    "composed_mean": lambda t: (
        nn.Conv2d(2, 4, 2),
        nn.PIT(4, 5, t),
        nn.GlobalAvgPool(),
        nn.Flatten(),
        nn.Dense(4, 3),
    ),
    "composed_conv": lambda t: (
        *(nn.Conv2d(2, 4, 2), nn.PIT(4, 64, t), nn.AvgPool2d(2), nn.Conv2d(4, 5, 2), nn.BatchNorm(5)),
        *(nn.PIT(5, 4, t), nn.Flatten(), nn.Dense(30, 3)),
    ),
    "composed_padded": lambda t: (
        *(nn.Conv2d(2, 4, 2), nn.PIT(4, 64, t), nn.AvgPool2d(2, 2, 1), nn.Flatten(), nn.Dense(80, 3)),
    ),
    "means_of_currents": lambda t: (
        *(nn.Conv2d(2, 4, 2, 2), nn.AvgPool2d(2), nn.BatchNorm(4), nn.PIT(4, 4, t), nn.Flatten()),
        *(nn.Dense(16, 3, bias=False), nn.BatchNorm(3)),
    ),
    "peaks_of_currents": lambda t: (
        *(nn.Conv2d(2, 4, 2), nn.MaxPool2d(2), nn.PIT(4, 4, t, leak=0.0), nn.Flatten(), nn.Dense(48, 3)),
    ),
    "flat_norm": lambda t: (
        *(nn.Conv2d(2, 4, 2, 3), nn.PIT(4, 4, t), nn.Flatten(), nn.BatchNorm(36), nn.Dropout(0.5)),
        *(nn.Dense(36, 5), nn.PIT(5, 4, t), nn.Dense(5, 3)),
    ),
}


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_pools_and_norms(shape, steps):
    for seed in range(3):
        model = sequential(*SHAPES[shape](steps), nn.Readout(), steps=steps)
        check(lively(model, seed), images(seed), 2 + seed)


def test_frames_of_normalised_images():
    """Zero padding of an input whose zero is a level of its own, and padding that stands for it."""
    for options, padding in (
        ({"mean": 2 / 7, "std": 0.5}, 1),
        ({"mean": [0.4, 0.2], "std": [0.3, 0.5], "pad": 1}, 0),
    ):
        layers = (
            nn.Conv2d(2, 4, 3, padding=padding),
            nn.PIT(4, 4, 2),
            nn.Flatten(),
            nn.Dense(288, 3),
            nn.Readout(),
        )
        check(lively(sequential(*layers, steps=2, **options), 1), images(3), 3)


def binary_model(steps, bits, alpha, neuron_alpha):
    layers = (
        *(nn.Conv2d(2, 6, 3), nn.BatchNorm(6), nn.ReverB(6, bits, steps, threshold=0.05, alpha=neuron_alpha)),
        *(nn.BinaryConv2d(6, 6, 3, alpha=alpha), nn.BatchNorm(6), nn.ReverB(6, bits, steps), nn.Flatten()),
        *(nn.BinaryDense(120, 7, alpha=alpha, bias=False), nn.BatchNorm(7), nn.ReverB(7, bits, steps)),
        *(nn.Dense(7, CLASSES), nn.Readout()),
    )
    return sequential(*layers, steps=steps)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(
    ("alpha", "neuron_alpha"), [("none", "channel"), ("output", "none"), ("layer", "layer")]
)
def test_binary_networks(alpha, neuron_alpha, steps):
    for seed in range(3):
        network = check(lively(binary_model(steps, 2 + seed, alpha, neuron_alpha), seed), images(seed))
        assert [p.projections[0].bits for p in network.populations] == [4, 1, 1, 4]


def test_binary_layers_beside_shortcuts():
    def connect(net, x):
        x = net.fire0(net.stem(net.source(x)))
        return net.out(net.head(net.flat(net.fire1(net.norm(net.conv(x)) + x))))

    layers = {
        "source": nn.Input((2, 9, 8), 7, steps=2),
        "stem": nn.Conv2d(2, 5, 3),
        "fire0": nn.ReverB(5, 3, 2),
        "conv": nn.BinaryConv2d(5, 5, 3, padding=1),
        "norm": nn.BatchNorm(5),
        "fire1": nn.ReverB(5, 3, 2),
        "flat": nn.Flatten(),
        "head": nn.Dense(210, CLASSES),
        "out": nn.Readout(),
    }
    network = check(lively(Net(connect, **layers), 0), images(0))
    assert [p.bits for p in network.populations[1].projections] == [1, 8]


@pytest.mark.parametrize("neuron", ["pit", "qblif", "reverb_floor"])
@pytest.mark.parametrize("gain", [0.0, 1e-12, 1e-3])
def test_channels_whose_weights_vanish(neuron, gain):
    for bits in (1, 4):
        model = dense(neuron, 3)
        with torch.no_grad():
            model[2].weight[1] = gain
            model[5].weight[2:4] = -gain
            model[1].weight[3] = 0.0
        x = torch.rand(20, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        check(model, x, bits)
