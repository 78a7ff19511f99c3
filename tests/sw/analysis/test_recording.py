"""The whole analysis of a small network."""

import json

import numpy as np
import pytest
import torch
from cli_case import features, tiny_model

from spikefold import nn
from spikefold.analysis import Recording, analyze
from spikefold.errors import InputError, ModelError

torch.set_num_threads(1)


class Lazy:
    """Samples that are read when asked for, as image folders are."""

    def __init__(self, x):
        self._x, self.shape, self.dtype = x, x.shape, x.dtype

    def __len__(self):
        return len(self._x)

    def __getitem__(self, indices):
        assert isinstance(indices, np.ndarray)
        return self._x[indices]


def counts_by_hand(model, x, steps, levels):
    """How often each level, from a hook of torch."""
    seen = []
    handle = model.neuron1.register_forward_hook(lambda module, given, out: seen.append(out.detach()))
    model(torch.from_numpy(x))
    handle.remove()
    n = torch.round(seen[0] / model.neuron1.scale[:, None]).to(torch.int64).numpy()
    return np.array([[(n[t] == level).sum() for level in range(levels + 1)] for t in range(steps)])


@pytest.mark.parametrize("neuron", ["pit", "ilif", "lif", "qblif", "reverb"])
def test_levels_do_not_depend_on_batches(neuron):
    levels = {"lif": 1, "reverb": 15}.get(neuron, 4)
    model = tiny_model(steps=3, levels=None if neuron == "reverb" else levels, neuron=neuron)
    x, y = features(50)
    found = analyze(model, x, y, batch=7)
    layer = found.neurons[0]
    by_hand = counts_by_hand(model, x, 3, levels)
    assert layer.statistics.counts.tolist() == by_hand.tolist()
    assert layer.statistics.activity > 0
    whole = analyze(model, Lazy(x), y, batch=50).neurons[0]
    assert whole.statistics.counts.tolist() == by_hand.tolist()
    right = (model(torch.from_numpy(x)).argmax(1).numpy() == y).mean()
    assert found.accuracy == pytest.approx(100 * right)
    assert (layer.neurons, layer.steps, layer.levels, layer.name) == (10, 3, levels, "neuron1")
    assert layer.capacity.bits == pytest.approx(np.log2(3) + 10 * np.log2(levels + 1))


def test_nothing_stays_behind():
    model = tiny_model()
    model.train()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    analyze(model, features(9)[0])
    assert model.training
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_frames():
    """Samples with a time axis of their own."""
    model = nn.models.mlp(6, [5], 3, steps=4, static=False, neuron="ilif").eval()
    model.dense1.weight.data *= 6
    x = np.random.default_rng(0).random((11, 4, 6)).astype(np.float32)
    found = analyze(model, x, batch=4)
    recording = Recording(model)
    recording.run(torch.from_numpy(x).transpose(0, 1))
    assert found.neurons[0].statistics.counts.tolist() == recording.neurons["neuron1"].counts.tolist()
    assert found.samples == 11
    assert found.accuracy is None


def test_json_holds_plain_values():
    x, y = features(20)
    found = analyze(tiny_model(steps=2), x, y, first=tiny_model(seed=1, steps=2), landscape_points=3)
    fields = json.loads(json.dumps(found.to_json()))
    assert fields == found.to_json()
    assert fields["schema"] == 1
    assert list(fields["capacity"])[-1] == "PIT"
    assert fields["capacity"]["PIT"]["neurons"] == 10
    layer = fields["neurons"][0]
    values = tiny_model(seed=1, steps=2).neuron1.threshold.detach().numpy()
    assert fields["first"]["neuron1"]["threshold"]["median"] == pytest.approx(np.median(values))
    assert layer["threshold"]["max"] >= layer["threshold"]["upper_quartile"] > layer["threshold"]["min"] > 0
    assert sum(map(sum, layer["level_counts"])) == 20 * 2 * 10
    assert fields["totals"]["updates"] == 2 * 10
    spikes = sum(n * count for step in layer["level_counts"] for n, count in enumerate(step))
    assert fields["totals"]["pit_additions"] == pytest.approx(3 * spikes / 20)
    assert fields["effort"]["s_ace"] == (12 * 10 + 10 * 3) * 16 * 2 * 4
    rate = spikes / (20 * 2 * 10 * 4)
    assert fields["effort"]["ns_ace"] == pytest.approx((12 * 10 + 10 * 3 * rate) * 16 * 2 * 4)
    own = fields["totals"]
    work = own["additions"]["naf"] + own["neuron_additions"] + own["comparisons"]
    assert own["energy"]["spikefold_uj"]["naf"] == pytest.approx(work * 0.1e-6)


def test_refusals():
    model, (x, y) = tiny_model(), features(5)
    with pytest.raises(InputError, match=r"^Samples must be at least one, not 0$"):
        analyze(model, x[:0])
    with pytest.raises(
        InputError, match=r"^Labels must be integers of shape \(5,\), not int64 of shape \(4,\)$"
    ):
        analyze(model, x, y[:4])
    with pytest.raises(InputError, match=r"^Labels must be given for a loss landscape, but are missing$"):
        analyze(model, x, landscape_points=3)
    with pytest.raises(InputError, match=r"^Batch must be a positive integer, not 0$"):
        analyze(model, x, batch=0)
    with pytest.raises(InputError, match=r"^Input must have shape \[batch, 12\], not \[5, 3\]$"):
        analyze(model, x[:, :3])
    plain = nn.Sequential(nn.Input(12), nn.Dense(12, 3), nn.Readout())
    with pytest.raises(ModelError, match=r"^Model must have spiking neurons to be analysed, but has none$"):
        analyze(plain, x)
    headless = nn.Sequential(nn.Dense(12, 3), nn.ILIF(3), nn.Readout())
    with pytest.raises(ModelError, match=r"^Model must begin with spikefold\.nn\.Input, not with '0'$"):
        analyze(headless, x)
    real = nn.Sequential(nn.Input(12), nn.Dense(12, 3), nn.ReverB(3, bits=None), nn.Readout())
    with pytest.raises(
        ModelError, match=r"^Neurons '2' must emit integer levels to be analysed, not real values"
    ):
        analyze(real, x)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            lambda: tiny_model(levels=3),
            "PIT with 10 channels, T=1, D=3 instead of PIT with 10 channels, T=1, D=4",
        ),
        (lambda: tiny_model(neuron="ilif"), "ILIF with .* instead of PIT with .*"),
        (lambda: nn.models.mlp(12, [10, 10], 3), "'neuron2': PIT with .* instead of no such layer"),
    ],
)
def test_first_must_be_the_same_network(other, words):
    with pytest.raises(
        InputError, match=rf"^First model must have the neuron layers of .*{words}; give an earlier"
    ):
        analyze(tiny_model(), features(5)[0], first=other())
