"""Networks of the real snnTorch, imported and compared."""

import pytest
import snntorch
import torch
from import_case import assert_same
from snntorch_networks import STEPS, Looped, cases

import spikefold
from spikefold import importers, nn
from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.importers import Grid, import_network

CASES = {case.name: case for case in cases()}


@pytest.mark.parametrize("name", CASES)
def test_the_imported_network_is_the_same(name):
    assert_same(CASES[name], 1e-6)


def test_a_reset_that_comes_late_is_another_neuron():
    kinds = {
        name: type(CASES[name].run(2)[0].model.get_submodule("lif1")).__name__ for name in list(CASES)[:4]
    }
    assert kinds == {
        "leaky mlp": "Leaky",
        "leaky mlp of frames": "Leaky",
        "leaky zero": "LIF",
        "leaky at once": "LIF",
    }


def test_thresholds_of_channels_become_gains():
    imported, _ = CASES["leaky learnt"].run(2)
    gain = imported.model.get_submodule("1_1")
    source = CASES["leaky learnt"].source[1].threshold
    assert torch.allclose(gain(torch.ones(1, 1, 16))[0, 0] * source, torch.ones(16))


def test_betas_of_channels_are_leaks_of_channels():
    case = CASES["leaky of channels, subtract"]
    leaky = case.run(2)[0].model.get_submodule("1")
    assert type(leaky).__name__ == "Leaky"
    assert leaky.leak == tuple(case.source[1].beta.tolist())
    alike = torch.nn.Sequential(
        torch.nn.Linear(24, 16), snntorch.Leaky(beta=torch.full((16,), 0.75), init_hidden=True)
    )
    assert importers.snntorch.load(alike, case.grid).model.get_submodule("1").leak == 0.75


def test_compile_keeps_the_precision_of_an_import(tmp_path):
    """Five shifts of each channel, of which three would be too few."""
    betas = torch.tensor([0.7317, 0.5, 0.8641, 0.9])
    net = torch.nn.Sequential(
        torch.nn.Linear(24, 4), snntorch.Leaky(beta=betas, init_hidden=True), torch.nn.Linear(4, 2)
    )
    grid = Grid((24,), 15, 0.0, 1.0, STEPS)
    imported, _ = import_network("snntorch", net, grid, leak_terms=5, leak_error=1e-3, tolerance=0.1)
    (note,) = imported.notes
    assert str(note).startswith("Layer '1': leaks of its channels became sums of shifts, that of channel ")
    assert 0 < note.error < 1e-3
    nn.save(imported.model, tmp_path / "net.safetensors")
    for model in (imported.model, nn.load(tmp_path / "net.safetensors")):
        leaks = model.get_submodule("1").leak
        neuron = spikefold.compile(model).network.populations[0].neuron
        assert tuple(neuron.leak.value) == leaks
        coarse = spikefold.compile(model, leak_terms=2).network.populations[0].neuron
        assert tuple(coarse.leak.value) != leaks
    with pytest.raises(
        ImportRefusal, match=r"^Layer '1' .* accepted: 4 shifts \(leak_terms\), or an allowed "
    ):
        import_network("snntorch", net, grid, leak_error=1e-3)


@pytest.mark.parametrize(
    ("layers", "steps"),
    [
        (("conv", "neuron", "pool"), 4),
        (("conv", "average", "neuron"), 4),
        (("conv", "pool", "neuron"), 1),
    ],
)
def test_what_a_refused_max_pool_may_become_is_taken(layers, steps):
    made = {
        "conv": torch.nn.Conv2d(2, 4, 3, padding=1),
        "neuron": snntorch.Leaky(beta=0.5, init_hidden=True, threshold=0.3),
        "pool": torch.nn.MaxPool2d(2),
        "average": torch.nn.AvgPool2d(2),
    }
    net = torch.nn.Sequential(*(made[name] for name in layers), torch.nn.Flatten(), torch.nn.Linear(64, 3))
    _, comparison = import_network("snntorch", net, Grid((2, 8, 8), 15, 0.0, 1.0, steps))
    assert comparison.levels_differ == 0


class Pooled(torch.nn.Module):
    """A max pool of a sum of spikes, which neurons read."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.MaxPool2d(2)
        self.one, self.two, self.last = (
            snntorch.Leaky(beta=0.5, init_hidden=True, reset_mechanism="zero", threshold=threshold)
            for threshold in (0.1, 0.5, 1.5)
        )
        self.fc = torch.nn.Linear(64, 3)

    def forward(self, x):
        x = self.one(self.conv(x))
        return self.fc(self.last(self.pool(x + self.two(x))).flatten(1))


def test_a_max_pool_of_added_spikes_is_taken():
    torch.manual_seed(0)
    _, comparison = import_network("snntorch", Pooled(), Grid((2, 8, 8), 15, 0.0, 1.0, 4))
    assert comparison.levels_differ == 0
    assert all(layer.active for layer in comparison.layers)


def test_membranes_at_the_threshold_are_told():
    """snnTorch fires above the threshold; with such weights every membrane is a multiple of it."""
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 4, bias=False), snntorch.Leaky(beta=1.0, init_hidden=True), torch.nn.Linear(4, 2)
    )
    net[0].weight.data = torch.eye(4)
    grid = Grid((4,), 2, 0.0, 2.0, 1)
    with pytest.raises(ModelError, match=r"from layer '1' on .* \d+ ties round otherwise\)"):
        import_network("snntorch", net, grid)
    _, comparison = import_network("snntorch", net, grid, tolerance=1.0)
    assert comparison.layers[0].ties == comparison.layers[0].differing > 0


def test_a_loop_of_other_steps_is_refused():
    message = r"^Layer 'stack' cannot be imported: the operation 'stack' is not supported"
    with pytest.raises(ImportRefusal, match=message):
        import_network("snntorch", Looped(), Grid((24,), 15, 0.0, 1.0, STEPS + 1))


@pytest.mark.parametrize("frames", [False, True])
def test_frames_must_be_what_the_forward_takes(frames):
    with pytest.raises(InputError, match=rf"^Input must be one array a step .* static is {frames}$"):
        import_network("snntorch", Looped(frames), Grid((24,), 15, 0.0, 1.0, STEPS, static=frames))
