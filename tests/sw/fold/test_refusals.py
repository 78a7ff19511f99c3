"""What cannot be folded is refused by name, with what to do instead."""

import pytest
import torch
from folded_reference import check, randomize
from small_networks import NORMALISED, Net, build, images, sequential

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.fold import fold


def tail(channels=4, size=72):
    return nn.PIT(channels), nn.Flatten(), nn.Dense(channels * size, 3), nn.Readout()


def stem(net, x):
    return net.fire0(net.norm0(net.stem(net.source(x))))


def end(net, x):
    return net.out(net.head(net.flat(x)))


def membrane_stream(net, x):
    """An MS-ResNet block: the sum of currents feeds a neuron and the next sum."""
    x = net.norm0(net.stem(net.source(x)))
    return end(net, net.fire2(net.conv1(net.fire0(x)) + x))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: build(membrane_stream),
            r"^Layer 'norm0' gives a current, which must be read once, not by 'fire0', 'add'; a "
            r"residual stream "
            r"of membrane potentials \(MS-ResNet\) cannot be folded: add spikes to currents \(as "
            r"nn\.models\.preact_resnet18 does\) or spikes to spikes \(sew_resnet18\)$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm(4), nn.Conv2d(4, 4, 1), *tail()),
            r"^Convolution '3' must follow the input or a neuron, but follows the currents of '2'; put "
            r"a neuron "
            r"between them or make them one layer$",
        ),
        (
            lambda: sequential(nn.Conv2d(3, 4, 1), *tail()),
            r"^Convolution '1' must have 2 input channels, as many as come, not 3$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 10), *tail()),
            r"^Convolution '1' must have a window that fits its map: Kernel \(10, 10\) must fit the map "
            r"of 9x8 ",
        ),
        (
            lambda: sequential(nn.Flatten(), nn.Conv2d(144, 4, 1), *tail()),
            r"^Convolution '2' must read maps \(channels, height, width\), not shape \(144,\)$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 3, padding=1), *tail(), **NORMALISED),
            r"^Convolution '1' must not pad the input with zeros, since a zero is not level 0: allowed only "
            r"where it is a whole level of every channel and nothing else reads the input; pad the input "
            r"instead, with spikefold\.nn\.Input\(pad=\(1, 1\)\) and padding 0 in the convolution$",
        ),
        (
            lambda: sequential(nn.MaxPool2d(1), nn.Conv2d(2, 4, 3, padding=1), *tail(), **NORMALISED),
            r"^Convolution '2' must not pad with zeros what a batch norm or the input's normalisation "
            r"shifts; ",
        ),
        (
            lambda: build(lambda net, x: end(net, net.fire2(net.conv1(net.norm1(stem(net, x)))))),
            r"^Convolution 'conv1' must not pad with zeros what a batch norm .* batch norms after the "
            r"convolution$",
        ),
        (
            lambda: sequential(
                nn.Conv2d(2, 4, 3), *tail(size=42), mean=torch.arange(144).reshape(2, 9, 8) / 144
            ),
            r"^Convolution '1' must read values with one scale per channel, but they differ between "
            r"positions; "
            r"normalise the input per channel$",
        ),
        (
            lambda: sequential(
                nn.AvgPool2d(2), nn.Conv2d(2, 4, 1), *tail(size=16), std=torch.rand(2, 9, 8) + 1
            ),
            r"^Average pool '1' must read values with one scale per channel, ",
        ),
        (
            lambda: sequential(nn.AvgPool2d(2, 1, 1), nn.Conv2d(2, 4, 1), *tail(size=90), **NORMALISED),
            r"^Average pool '1' must have padding 0 where silence is not worth 0 \(a batch norm or the "
            r"input's "
            r"normalisation shifts it\), not \(1, 1\)$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.AvgPool2d(3, 1, 1), *tail()),
            r"^Average pool '2' of currents must have padding 0, not \(1, 1\); put it after the neuron$",
        ),
        (
            lambda: sequential(
                nn.Conv2d(2, 4, 1), nn.PIT(4, 9), nn.AvgPool2d(9, 1, 4), nn.MaxPool2d(1), *tail()
            ),
            r"^Pool '3' must sum at most 255 levels, not 729; pool fewer positions, use neurons of "
            r"fewer levels or "
            r"let only dense layers and convolutions read it$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.MaxPool2d(1), nn.PIT(4, 2, 3), *tail()[1:], steps=3),
            r"^Max pool '2' of currents must come after the neuron '3' where membranes last from step "
            r"to step "
            r"\(T = 3, leak 0\.5\)$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.MaxPool2d(1), nn.BatchNorm(4), *tail()),
            r"^Batch norm '3' must not have negative gains after the max pool '2' of currents; put the "
            r"pool after ",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.MaxPool2d(1), nn.AvgPool2d(2), *tail(size=16)),
            r"^Max pool '2' of currents must be followed by a neuron, with nothing but batch norms "
            r"between, not "
            r"by '3'; put it after a neuron$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.MaxPool2d((9, 8)), nn.Flatten(), nn.Readout()),
            r"^Max pool '2' of currents must be followed by a neuron, .* not by '3'; ",
        ),
        (
            lambda: build(
                lambda net, x: end(net, net.fire2(net.peak(net.conv1(x0 := stem(net, x))) + x0)),
                peak=nn.MaxPool2d(1),
            ),
            r"^Max pool 'peak' of currents must be followed by a neuron, .* not by 'add'; ",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.PIT(4), nn.BatchNorm(4), nn.MaxPool2d(1), *tail()[1:]),
            r"^Max pool '4' must not follow a batch norm of spikes with negative gains; put the batch "
            r"norm after ",
        ),
        (
            lambda: build(
                lambda net, x: end(net, net.peak(net.fire1(net.conv1(x0 := stem(net, x))) + x0)),
                peak=nn.MaxPool2d(1),
            ),
            r"^Max pool 'peak' must read spikes of one scale, not a sum of 2 scales; tie those of the "
            r"neurons that "
            r"are added up with spikefold\.nn\.tie_scales$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.Flatten(), nn.BatchNorm(288), nn.Readout()),
            r"^Layer '2' \(flatten\) must read spikes, or currents of one position, not currents of shape "
            r"\(4, 9, 8\); put it after the neuron$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.Readout()),
            r"^Readout '2' must read one position, not maps of \(9, 8\); put "
            r"spikefold\.nn\.GlobalAvgPool and "
            r"Flatten before it$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.PIT(4), nn.Flatten(), nn.PIT(288), nn.Dense(288, 3)),
            r"^Layer '4' \(pit\) must read channels, not 288 flattened features of \(4, 9, 8\)$",
        ),
        (
            lambda: sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm(3), *tail()),
            r"^Layer '2' must have 4 channels, as many as come, not 3$",
        ),
        (
            lambda: build(
                lambda net, x: end(net, net.fire2(net.small(x0 := stem(net, x)) + x0)),
                small=nn.Conv2d(5, 5, 3),
            ),
            r"^Layer 'add' \(add\) must add values of one shape, not \(5, 7, 6\) and \(5, 9, 8\)$",
        ),
    ],
)
def test_refusals(model, message):
    model = model()
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm):
            norm.weight.data[-1] = -1.0
    with pytest.raises(ModelError, match=message):
        fold(model)


def twice(net, x):
    """The input padded by one convolution and read by another."""
    x = net.source(x)
    return end(net, net.fire2(net.stem(x) + net.side(x)))


def test_the_frame_serves_one_reader_only():
    layers = {
        "source": nn.Input((2, 9, 8), 15, **NORMALISED),
        "stem": nn.Conv2d(2, 5, 3, padding=1),
        "side": nn.Conv2d(2, 5, 1),
        "fire2": nn.PIT(5),
        "flat": nn.Flatten(),
        "head": nn.Dense(360, 3),
        "out": nn.Readout(),
    }
    with pytest.raises(ModelError, match=r"^Convolution 'stem' must not pad the input with zeros"):
        fold(randomize(Net(twice, **layers), 0))


def test_a_frame_of_other_levels_is_no_zero():
    """The mean 0.41 is nearest to level 6 of 15, but not that level."""
    layers = (nn.Conv2d(2, 4, 3, padding=1), *tail(size=110))
    options = {"levels": 15, "std": [0.3, 0.5], "pad": 1}
    fold(sequential(*layers, mean=[0.4, 0.2], **options))
    with pytest.raises(ModelError, match=r"^Convolution '1' must not pad the input with zeros"):
        fold(sequential(*layers, mean=[0.41, 0.2], **options))


def test_a_frame_within_a_frame():
    """A batch norm makes level 3 worth 0, but the inner frame was level 0 before it."""
    for pad, fits in ((0, True), (1, False)):
        layers = (nn.BatchNorm(2), nn.Conv2d(2, 4, 3, padding=1), *tail(size=72 if fits else 110))
        model = sequential(*layers, levels=15, pad=pad)
        with torch.no_grad():
            model[1].running_mean.fill_(0.2)
            model[1].bias.zero_()
        if fits:
            assert check(model, images()).input.pad_levels == (3, 3)
            continue
        with pytest.raises(ModelError, match=r"^Convolution '2' must not pad the input with zeros"):
            fold(model)


def test_layers_read_the_input_layer():
    def connect(net, x):
        return end(net, net.fire2(net.stem(net.source(x)) + net.side(x)))

    with pytest.raises(
        ModelError, match=r"^Layer 'side' must read layers after 'source', not the model's input$"
    ):
        fold(build(connect, side=nn.Conv2d(2, 5, 3, padding=1)))


def test_flattened_maps_of_several_shapes():
    def connect(net, x):
        x = stem(net, x)
        other = net.fire1(net.conv1(x))
        return net.out(net.head(net.flat(x) + net.flat2(other)))

    model = build(connect, flat2=nn.Flatten())
    fold(model)  # equal maps add
    wide = {"conv1": nn.Conv2d(5, 10, (1, 2), (1, 2)), "fire1": nn.PIT(10)}
    for name, layer in wide.items():
        setattr(model, name, layer)
    with pytest.raises(
        ModelError,
        match=r"^Layer 'add' \(add\) must add flattened maps of one shape, not \(5, 9, 8\) and \(10, 9, 4\)$",
    ):
        fold(model)


def test_unknown_pooling():
    with pytest.raises(InputError, match=r"^Pooling must be auto, unit or compose, not 'both'$"):
        fold(sequential(nn.Conv2d(2, 4, 1), *tail()), pooling="both")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("layer", ["stem", "conv2", "norm2", "norm1"])
def test_values_that_are_not_finite(layer, value):
    def connect(net, x):
        x = stem(net, x)
        return end(net, net.fire2(net.norm2(net.conv2(net.fire1(net.conv1(x))) + net.norm1(x))))

    model = build(connect)
    with torch.no_grad():
        model.get_submodule(layer).weight.view(-1)[0] = value
    with pytest.raises(ModelError, match=rf"^Parameters of layer '{layer}' must be finite, but hold "):
        fold(model)
