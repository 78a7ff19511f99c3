"""Networks of SpikingJelly as its users write them."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from import_case import Case, liven
from spikingjelly.activation_based import functional, layer, neuron, surrogate

from spikefold.importers import Grid

STEPS = 4
MAPS, FLAT = (2, 8, 8), (24,)
Node = Callable[[], torch.nn.Module]

soft_if = partial(neuron.IFNode, v_reset=None)
soft_lif = partial(neuron.LIFNode, tau=4.0, v_reset=None, decay_input=False, v_threshold=0.75)
six_levels = partial(neuron.ILIFNode, surrogate_function=surrogate.MultiLevelSpikeCount(6), v_threshold=0.5)


class CSNN(torch.nn.Module):
    """The convolutional network of SpikingJelly's tutorial; it repeats the image itself."""

    def __init__(self, node: Node, channels: int = 4) -> None:
        super().__init__()
        self.conv_fc = torch.nn.Sequential(
            layer.Conv2d(MAPS[0], channels, kernel_size=3, padding=1, bias=False),
            layer.BatchNorm2d(channels),
            node(),
            layer.MaxPool2d(2, 2),
            layer.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            layer.BatchNorm2d(channels),
            node(),
            layer.MaxPool2d(2, 2),
            layer.Flatten(),
            layer.Linear(channels * 4, 12, bias=False),
            layer.BatchNorm1d(12),
            node(),
            layer.Linear(12, 5, bias=False),
            layer.BatchNorm1d(5),
            node(),
        )
        functional.set_step_mode(self, step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x_seq = x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)
        x_seq = self.conv_fc(x_seq)
        return x_seq.mean(0)


def _conv(before: int, channels: int, kernel: int, stride: int = 1) -> torch.nn.Module:
    return layer.Conv2d(before, channels, kernel, stride, padding=kernel // 2, bias=False)


class SEWBlock(torch.nn.Module):
    """BasicBlock of SpikingJelly's SEW ResNet with cnf="ADD"."""

    def __init__(self, node: Node, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(before, channels, 3, stride), layer.BatchNorm2d(channels)
        self.sn1 = node()
        self.conv2, self.bn2 = _conv(channels, channels, 3), layer.BatchNorm2d(channels)
        self.sn2 = node()
        self.downsample = None
        if stride != 1 or before != channels:
            self.downsample = torch.nn.Sequential(
                _conv(before, channels, 1, stride), layer.BatchNorm2d(channels), node()
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x
        out = self.sn1(self.bn1(self.conv1(x)))
        out = self.sn2(self.bn2(self.conv2(out)))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return out


class PreActBlock(torch.nn.Module):
    """Neurons first, currents added; the shortcut carries spikes."""

    def __init__(self, node: Node, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.sn1 = layer.BatchNorm2d(before), node()
        self.conv1 = _conv(before, channels, 3, stride)
        self.bn2, self.sn2 = layer.BatchNorm2d(channels), node()
        self.conv2 = _conv(channels, channels, 3)
        self.shortcut = _conv(before, channels, 1, stride) if stride != 1 or before != channels else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.sn1(self.bn1(x))
        out = self.conv2(self.sn2(self.bn2(self.conv1(spikes))))
        return out + (spikes if self.shortcut is None else self.shortcut(spikes))


class ResNet(torch.nn.Module):
    def __init__(self, block: type[torch.nn.Module], node: Node, width: int = 3) -> None:
        super().__init__()
        sew = block is SEWBlock
        self.stem = torch.nn.Sequential(
            _conv(MAPS[0], width, 3), *((layer.BatchNorm2d(width), node()) if sew else ())
        )
        self.layer1 = torch.nn.Sequential(block(node, width, width, 1), block(node, width, width, 1))
        self.layer2 = torch.nn.Sequential(block(node, width, 2 * width, 2))
        self.last = None if sew else torch.nn.Sequential(layer.BatchNorm2d(2 * width), node())
        self.avgpool = layer.AdaptiveAvgPool2d((1, 1))
        self.fc = layer.Linear(2 * width, 4)
        functional.set_step_mode(self, step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer2(self.layer1(self.stem(x)))
        if self.last is not None:
            x = self.last(x)
        x = self.avgpool(x)
        if self.avgpool.step_mode == "s":
            x = torch.flatten(x, 1)
        elif self.avgpool.step_mode == "m":
            x = torch.flatten(x, 2)
        return self.fc(x)


def step_by_step() -> torch.nn.Module:
    """A dense network that its user calls once for every step."""
    return torch.nn.Sequential(
        layer.Flatten(),
        layer.Linear(24, 16),
        layer.BatchNorm1d(16),
        neuron.LIFNode(tau=2.0, v_reset=None),
        torch.nn.Linear(16, 10),
        torch.nn.BatchNorm1d(10),
        neuron.ParametricLIFNode(init_tau=4.0, decay_input=False),
        layer.Linear(10, 4),
    )


def contained() -> torch.nn.Module:
    """Torch's own layers in containers."""
    return torch.nn.Sequential(
        layer.SeqToANNContainer(torch.nn.Conv2d(MAPS[0], 4, 3, 2, padding="valid"), torch.nn.BatchNorm2d(4)),
        neuron.IFNode(step_mode="m"),
        layer.MultiStepContainer(
            torch.nn.Conv2d(4, 6, 3, padding="same", groups=2),
            torch.nn.BatchNorm2d(6),
            neuron.LIFNode(),
            torch.nn.Flatten(),
        ),
        layer.SeqToANNContainer(torch.nn.Dropout(0.2), torch.nn.Linear(54, 4)),
    )


def slotted() -> torch.nn.Module:
    """I-LIF counts that are spread over binary slots at inference."""
    net = torch.nn.Sequential(
        layer.Linear(24, 16),
        layer.BatchNorm1d(16),
        neuron.ILIFNode(),
        layer.SpikeCountToBinary(4),
        layer.Linear(16, 12, bias=False),
        layer.TemporalBinSum(4),
        layer.BatchNorm1d(12),
        neuron.ILIFNode(),
        layer.Linear(12, 4),
    )
    functional.set_step_mode(net, "m")
    return net


def voting() -> torch.nn.Module:
    """A network for event cameras: one frame a step, tdBN, an average pool, a vote at the end."""
    net = torch.nn.Sequential(
        layer.Conv2d(MAPS[0], 4, 3, padding=1, bias=False),
        layer.ThresholdDependentBatchNorm2d(1.0, 1.0, 4),
        neuron.LIFNode(tau=2.0),
        layer.AvgPool2d(2, 2),
        layer.Flatten(),
        layer.Dropout(0.5),
        layer.Linear(64, 12, bias=False),
        layer.BatchNorm1d(12),
        neuron.LIFNode(tau=2.0),
        layer.VotingLayer(3),
    )
    functional.set_step_mode(net, "m")
    return net


def _run(grid: Grid, net: torch.nn.Module) -> None:
    """One pass as the network's user would do it."""
    functional.reset_net(net)
    x = grid.real(grid.samples(grid.random(8, seed=5))).float()
    modes = [getattr(module, "step_mode", "m") for module in net.modules()]
    if isinstance(net, CSNN):
        net(x[0])
    elif "s" in modes and not any(isinstance(module, layer.SeqToANNContainer) for module in net):
        torch.stack([net(step) for step in x])
    else:
        net(x)
    functional.reset_net(net)


def _case(name: str, net: torch.nn.Module, shape: tuple[int, ...], static: bool = True, **more) -> Case:
    grid = Grid(shape, 15, 0.0, 1.0, STEPS, static)
    return Case("spikingjelly", name, liven(net, partial(_run, grid)), grid, **more)


def _plif_of_channels() -> torch.nn.Module:
    """A time constant for each channel, which SpikingJelly computes with but does not make itself."""
    first, second = (neuron.ParametricLIFNode(v_reset=reset) for reset in (None, 0.0))
    for node, leaks in ((first, torch.arange(1, 13) / 16), (second, torch.tensor([0.25, 0.5, 0.75, 0.5]))):
        node.w = torch.nn.Parameter((1 - leaks.double()).logit())
    net = torch.nn.Sequential(layer.Linear(24, 12), first, layer.Linear(12, 4), second)
    functional.set_step_mode(net, "m")
    net[0].weight.data *= 6
    net[2].weight.data *= 4
    return net


def cases() -> Iterator[Case]:
    for name, node in (
        ("if", neuron.IFNode),
        ("soft if", soft_if),
        ("lif", neuron.LIFNode),
        ("soft lif", soft_lif),
        ("plif", neuron.ParametricLIFNode),
        ("ilif", neuron.ILIFNode),
    ):
        torch.manual_seed(1)
        yield _case(f"cnn {name}", CSNN(node), MAPS)
    torch.manual_seed(1)
    yield _case("mlp plif of channels", _plif_of_channels(), FLAT)
    for name, block, node in (
        ("sew resnet if", SEWBlock, neuron.IFNode),
        ("sew resnet ilif", SEWBlock, six_levels),
        ("preact resnet ilif", PreActBlock, six_levels),
    ):
        torch.manual_seed(2)
        yield _case(name, ResNet(block, node), MAPS)
    torch.manual_seed(3)
    yield _case("mlp step by step", step_by_step(), FLAT)
    yield _case("containers", contained(), MAPS)
    yield _case("slots", slotted(), FLAT)
    yield _case("voting", voting(), MAPS, static=False)
