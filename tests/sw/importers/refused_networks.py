"""Networks that cannot be imported, by reason; bench/importers.py counts them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import snntorch
import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

from spikefold.importers import Grid

MAPS, FLAT = (2, 8, 8), (6,)


@dataclass(frozen=True)
class Refused:
    """A network, the layer that must be named, and what the reason must say."""

    framework: str
    reason: str
    source: Any
    node: str
    says: str
    grid: Grid
    options: Mapping[str, Any] = field(default_factory=dict)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.matmul(self.q(x), self.k(x))


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) if x.sum() > 0 else x


class Twice(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(self.body(x))


class OwnNode(neuron.LIFNode):
    """A neuron of a user's own that looks like one that is known."""

    def single_step_forward(self, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        return super().single_step_forward(x, *rest) * 2


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.gain = nn.Parameter(torch.ones(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) * self.gain


class Feedback(nn.Module):
    """A loop over steps in which a later layer's spikes come back."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), snntorch.Leaky(beta=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, spikes, found = self.lif.init_leaky(), x, []
        for _ in range(4):
            spikes, mem = self.lif(self.fc(spikes), mem)
            found.append(spikes)
        return torch.stack(found)


class Forgetful(nn.Module):
    """A loop that starts every step from rest."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), snntorch.Leaky(beta=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = []
        for _ in range(4):
            spikes, _mem = self.lif(self.fc(x), self.lif.init_leaky())
            found.append(spikes)
        return torch.stack(found)


def _sj(*layers: nn.Module) -> nn.Module:
    net = nn.Sequential(*layers)
    functional.set_step_mode(net, "m")
    return net.eval()


def _spikingjelly() -> Iterator[tuple[str, nn.Module, str, str]]:
    fc = layer.Linear(6, 6)
    yield "reset voltage", _sj(fc, neuron.IFNode(v_reset=0.25)), "1", r"^its v_reset is 0\.25$"
    uneven = neuron.ParametricLIFNode()
    uneven.w = nn.Parameter(torch.zeros(5))
    yield "time constants of some channels", _sj(fc, uneven), "1", r"w has shape \[5\] for neurons \[6\]"
    normed = (layer.Conv2d(2, 4, 3), layer.MaxPool2d(2), layer.BatchNorm2d(4), neuron.IFNode())
    yield "maximum of currents", _sj(*normed), "1", "largest of currents, which the neurons '3' add up"
    yield "synaptic current", _sj(fc, neuron.CUBALIFNode()), "1", "keeps a synaptic current"
    yield "nonlinear charge", _sj(fc, neuron.QIFNode()), "1", "nonlinear law"
    yield "parallel neuron", _sj(fc, neuron.PSN(4)), "1", "weighs all time steps"
    yield "negative spikes", _sj(fc, neuron.TernaryIFNode()), "1", "negative spikes"
    yield "membrane readout", _sj(fc, neuron.NonSpikingLIFNode()), "1", "reads membranes out"
    yield "own neuron", _sj(fc, OwnNode()), "1", "OwnNode extends LIFNode by methods"
    yield "delay", _sj(fc, layer.Delay(1)), "1", "delays spikes"
    yield (
        "no spikes",
        _sj(fc, neuron.IFNode(surrogate_function=surrogate.ATan(spiking=False))),
        "1",
        "ATan gives",
    )
    yield (
        "per-step batch norm",
        _sj(layer.TemporalEffectiveBatchNorm2d(4, 2)),
        "0",
        "other parameters at every",
    )
    yield "attention", _sj(layer.TemporalWiseAttention(4, 2)), "0", "multiplies activations"
    recurrent = layer.LinearRecurrentContainer(neuron.IFNode(), 6, 6)
    yield "recurrence", _sj(fc, recurrent), "1", "feeds its result back"
    yield "bias in slots", _sj(layer.SpikeCountToBinary(15), fc), "1", "bias is added in every slot"
    yield "too few slots", _sj(neuron.ILIFNode(), layer.SpikeCountToBinary(1)), "1", "1 slots for counts"
    yield "weights called twice", Twice(fc).eval(), "body.0", "called 2 times"
    yield "dilation", _sj(layer.Conv2d(2, 2, 3, dilation=2)), "0", r"dilation must be \(1, 1\)"
    yield (
        "padding mode",
        _sj(layer.Conv2d(2, 2, 3, padding=1, padding_mode="circular")),
        "0",
        "padding_mode must",
    )
    yield "linear over maps", _sj(layer.Linear(8, 4)), "0", "reads maps"


def _ann() -> Iterator[tuple[str, nn.Module, str, str]]:
    yield "no relu", nn.Sequential(nn.Linear(6, 6), nn.GELU()), "1", "GELU is no ReLU"
    yield "negative clamp", nn.Sequential(nn.Linear(6, 6), nn.Hardtanh()), "1", "from -1 to 1"
    yield "softmax", nn.Sequential(nn.Linear(6, 6), nn.Softmax(-1)), "1", "divides by a sum"
    yield "layer norm", nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6)), "1", "statistics from every sample"
    yield "products", Attention(), "matmul", "'matmul' is not supported"
    yield "branches", Branching(), "Branching", "cannot be followed"
    yield "parameters of its own", Scaled(), "mul", "'mul' is not supported"
    frozen = nn.BatchNorm1d(6, track_running_stats=False)
    yield "no running statistics", nn.Sequential(nn.Linear(6, 6), frozen), "1", "change with every batch"
    yield "unequal windows", nn.Sequential(nn.AdaptiveAvgPool2d(3)), "0", "8x8 to 3x3"
    yield "ceil mode", nn.Sequential(nn.MaxPool2d(3, ceil_mode=True)), "0", "ceil_mode must be False"
    yield "lopsided padding", nn.Sequential(nn.Conv2d(2, 2, 2, padding="same")), "0", "one side more"


def _snntorch() -> Iterator[tuple[str, nn.Module, str, str]]:
    fc = nn.Linear(6, 6)

    def net(**options: Any) -> nn.Module:
        return nn.Sequential(fc, snntorch.Leaky(**{"beta": 0.5, "init_hidden": True} | options))

    yield "betas of some channels", net(beta=torch.linspace(0.5, 0.9, 5)), "1", r"shape \[5\] for neurons"
    yield "late reset, strong leak", net(beta=0.25), "1", "after a leak of 0.25"
    several = torch.linspace(0.25, 0.75, 6)
    yield "late reset, strong leak of a channel", net(beta=several), "1", "after a leak of 0.25"
    by_place = nn.Sequential(
        nn.Conv2d(2, 2, 1),
        snntorch.Leaky(beta=torch.linspace(0.5, 0.9, 128).reshape(2, 8, 8), init_hidden=True),
    )
    tutorial = nn.Sequential(nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), snntorch.Leaky(beta=0.5, init_hidden=True))
    yield (
        "maximum of currents",
        tutorial,
        "1",
        "largest of currents, which the neurons '2' add up over 4 time",
    )
    yield "betas by position", by_place, "1", "beta differs from position to position"
    yield "graded spikes", net(graded_spikes_factor=2.0), "1", r"worth 2\.0"
    yield "quantized state", net(state_quant=torch.round), "1", "quantized on the way"
    yield "threshold", net(threshold=-1.0), "1", r"threshold is -1\.0"
    yield (
        "synaptic current",
        nn.Sequential(fc, snntorch.Synaptic(0.5, 0.5, init_hidden=True)),
        "1",
        "synaptic",
    )
    yield (
        "recurrence",
        nn.Sequential(fc, snntorch.RLeaky(0.5, V=1.0, all_to_all=False, init_hidden=True)),
        "1",
        "feeds its result",
    )
    yield "feedback", Feedback(), "fc", "called 2 times"
    yield "rest at every step", Forgetful(), "lif", "own call in the step before"


def cases() -> Iterator[Refused]:
    torch.manual_seed(0)
    for framework, found, steps in (
        ("spikingjelly", _spikingjelly, 4),
        ("ann", _ann, 1),
        ("snntorch", _snntorch, 4),
    ):
        for reason, net, node, says in found():
            maps = any(isinstance(m, nn.Conv2d | nn.MaxPool2d | nn.AdaptiveAvgPool2d) for m in net.modules())
            maps = maps or reason in ("per-step batch norm", "attention", "linear over maps")
            grid = Grid(MAPS if maps else FLAT, 15, 0.0, 1.0, steps)
            maps = {"calibration": grid.random(4)} if framework == "ann" else {}
            yield Refused(framework, reason, net.eval(), node, says, grid, maps)
    third = _sj(layer.Linear(6, 6), neuron.LIFNode(tau=3.0))
    says = r"leak 0\.666667 is no sum of 3 shifts to within 0\.001 \(nearest: 0\.65625\)"
    exact = {"leak_error": 0.001}
    yield Refused("spikingjelly", "leak", third, "1", says, Grid(FLAT, 15, 0.0, 1.0, 4), exact)
