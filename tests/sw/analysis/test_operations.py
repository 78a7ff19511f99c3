"""Additions counted event by event, over every synapse that exists."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.analysis.operations import coverage
from spikefold.analysis.recording import Recording
from spikefold.analysis.sources import COUNTS
from spikefold.ir.coding import digits_of

torch.set_num_threads(1)


def digits(name, level):
    """How many additions a level causes at one synapse, from its definition."""
    if name == "events":
        return int(level > 0)
    return level if name == "unary" else len(digits_of(level, name))


def by_events(levels, layer):
    """Additions of levels [T, B, C, H, W] under a convolution: every event, every target it reaches."""
    rows, columns = layer.kernel_size
    height, width = levels.shape[3:]
    out_height = (height + 2 * layer.padding[0] - rows) // layer.stride[0] + 1
    out_width = (width + 2 * layer.padding[1] - columns) // layer.stride[1] + 1
    found = dict.fromkeys(COUNTS, 0)
    for index in np.argwhere(levels):
        level, (y, x) = int(levels[tuple(index)]), index[3:]
        for top in range(out_height):
            for left in range(out_width):
                inside_rows = 0 <= y + layer.padding[0] - top * layer.stride[0] < rows
                inside = inside_rows and 0 <= x + layer.padding[1] - left * layer.stride[1] < columns
                for name in COUNTS if inside else ():
                    found[name] += digits(name, level) * layer.out_channels // layer.groups
    return found


def model_of(*layers, shape=(2, 5, 4), steps=1, levels=7, static=True):
    """Input of 0..7, layers, and a readout after neurons that make the model a network."""
    torch.manual_seed(len(layers))
    model = nn.Sequential(
        nn.Input(shape, levels, 0.0, float(levels), steps=steps, static=static), *layers, nn.Readout()
    )
    return model.eval()


def raw(shape=(2, 5, 4), samples=3, seed=0, steps=None):
    rng = np.random.default_rng(seed)
    lead = (samples,) if steps is None else (steps, samples)
    return rng.integers(0, 8, (*lead, *shape)) * (rng.random((*lead, *shape)) < 0.6)


def record(model, x):
    recording = Recording(model)
    logits = recording.run(torch.from_numpy(x.astype(np.float32)))
    assert torch.equal(logits, model(torch.from_numpy(x.astype(np.float32))))
    return recording


def spikes_of(layer, model, x):
    """Levels that the layer at this place of a Sequential emitted."""
    value = torch.from_numpy(x.astype(np.float32))
    for module in list(model)[: layer + 1]:
        value = module(value)
    neuron = model[layer]
    shape = (neuron.steps, 1, -1, *(1,) * (value.dim() - 3))
    return torch.round(value / neuron.scale.reshape(shape)).detach().numpy().astype(np.int64)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": 3},
        {"kernel": 3, "padding": 1},
        {"kernel": (2, 3), "stride": (2, 1), "padding": (0, 1), "groups": 2},
        {"kernel": 2, "stride": 3},
        {"kernel": 1, "padding": 1},
    ],
)
def test_convolution(options):
    conv, second = nn.Conv2d(2, 6, **options), nn.Conv2d(6, 3, 2, padding=1)
    model = model_of(conv, nn.PIT(6, 5, 1), second, nn.ILIF(3), nn.Flatten())
    model[1].weight.data *= 4
    x = raw()
    recording = record(model, x)
    assert recording.synapses["1"].additions == by_events(x[None], conv)
    spikes = spikes_of(2, model, x)
    assert spikes.max() > 1
    assert recording.synapses["3"].additions == by_events(spikes, second)
    outputs = int(np.prod(model[1](model[0](torch.from_numpy(x.astype(np.float32)))).shape[3:]))
    assert recording.synapses["1"].macs == outputs * 6 * conv.weight[0].numel()
    assert recording.synapses["1"].first
    assert not recording.synapses["3"].first
    assert recording.synapses["1"].rate == 1
    assert recording.synapses["3"].rate == pytest.approx(spikes.mean() / 5)


def test_static_input_is_worked_on_once_and_frames_at_every_step():
    x = raw((6,), 4)
    layers = lambda: (nn.Dense(6, 5), nn.LIF(5, steps=3), nn.Dense(5, 2))  # noqa: E731
    static = record(model_of(*layers(), shape=(6,), steps=3), x)
    once = {name: 5 * sum(digits(name, int(n)) for n in x.ravel()) for name in COUNTS}
    assert static.synapses["1"].additions == once
    frames = raw((6,), 4, steps=3)
    moving = record(model_of(*layers(), shape=(6,), steps=3, static=False), frames)
    assert moving.synapses["1"].additions == {
        name: 5 * sum(digits(name, int(n)) for n in frames.ravel()) for name in COUNTS
    }
    assert moving.synapses["3"].additions["events"] == 2 * int(moving.neurons["2"].counts[:, 1].sum())


def pooled_sums(levels, size):
    """Sums over windows of [T, B, C, H, W]."""
    t, b, c, h, w = levels.shape
    return levels.reshape(t, b, c, h // size, size, w // size, size).sum(axis=(4, 6))


def test_average_pool_is_a_sum_of_levels():
    shape = (2, 4, 4)
    conv = nn.Conv2d(2, 3, 2, padding=1)
    model = model_of(
        nn.Conv2d(2, 2, 1), nn.ILIF(2), nn.AvgPool2d(2), conv, nn.ILIF(3), nn.Flatten(), shape=shape
    )
    x = raw(shape)
    recording = record(model, x)
    spikes = spikes_of(2, model, x)
    assert recording.synapses["4"].additions == by_events(pooled_sums(spikes, 2), conv)
    assert recording.synapses["4"].rate == pytest.approx(spikes.mean() / 4)


def test_average_pool_whose_sums_are_too_large_goes_into_the_weights():
    """16 positions of 20 levels: levels stay single, each is added for every window it is in."""
    shape = (2, 8, 8)
    conv = nn.Conv2d(2, 3, 2, padding=1)
    layers = (nn.Conv2d(2, 2, 1), nn.ILIF(2, 20), nn.AvgPool2d(4), conv, nn.ILIF(3, 20), nn.GlobalAvgPool())
    model = model_of(*layers, nn.Flatten(), nn.Dense(3, 2), shape=shape)
    model[1].weight.data *= 5
    x = raw(shape)
    recording = record(model, x)
    spikes = spikes_of(2, model, x)
    reached = coverage((2, 2), (2, 2), (1, 1), (1, 1)) * 3
    wide = np.repeat(np.repeat(reached, 4, axis=0), 4, axis=1)
    for name in COUNTS:
        each = np.vectorize(lambda n, name=name: digits(name, int(n)))(spikes)
        assert recording.synapses["4"].additions[name] == (each * wide).sum()
    sums = spikes_of(5, model, x).sum(axis=(3, 4))  # 9 positions of 20 levels: a unit
    assert recording.synapses["8"].additions["binary"] == 2 * sum(
        digits("binary", int(n)) for n in sums.ravel()
    )


class Branches(torch.nn.Module):
    """Two neuron layers added, read by a dense layer, whose current one of them joins."""

    def __init__(self, tied):
        super().__init__()
        self.input = nn.Input(6, 7, 0.0, 7.0)
        self.left, self.right, self.both = nn.Dense(6, 4), nn.Dense(6, 4), nn.Dense(4, 4)
        self.a, self.b, self.c = nn.PIT(4), nn.PIT(4), nn.ILIF(4)
        self.b.log_scale.data += 0.0 if tied else 0.3
        self.head, self.readout = nn.Dense(4, 2), nn.Readout()

    def forward(self, x):
        x = self.input(x)
        a, b = self.a(self.left(x)), self.b(self.right(x))
        return self.readout(self.head(self.c(self.both(a + b) + b)))


@pytest.mark.parametrize("tied", [True, False])
def test_sums_of_spikes(tied):
    torch.manual_seed(3)
    model = Branches(tied).eval()
    x = raw((6,), 9)
    recording = record(model, x)
    encoded = model.input(torch.from_numpy(x.astype(np.float32)))
    a, b = (
        torch.round(neuron(layer(encoded)) / neuron.scale[0]).to(torch.int64).flatten().tolist()
        for neuron, layer in ((model.a, model.left), (model.b, model.right))
    )
    read = [m + n for m, n in zip(a, b, strict=True)] if tied else a + b
    for name in COUNTS:
        assert recording.synapses["both"].additions[name] == 4 * sum(digits(name, n) for n in read)
        identity = next(count for count in recording.synapses.values() if count.kind == "identity")
        assert identity.additions[name] == sum(digits(name, n) for n in b)
    assert max(read) > 1
    assert identity.macs == 0


def test_coverage():
    assert coverage((3, 1), (2, 1), (1, 1), (0, 0)).tolist() == [[1], [2], [1]]
    assert coverage((3, 2), (3, 3), (2, 2), (1, 1)).tolist() == [[1, 1], [2, 2], [1, 1]]
    assert coverage((4, 1), (1, 1), (3, 1), (0, 0)).ravel().tolist() == [1, 0, 0, 1]
