"""Plain PyTorch networks with ReLUs, converted."""

import pytest
import torch
from ann_networks import MAPS, cases, compare_rounded

from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.importers import Grid, import_network
from spikefold.importers.scales import best_scales
from spikefold.train import load_data

CASES = {case.name: case for case in cases()}


@pytest.mark.parametrize("name", [name for name in CASES if "functional" not in name])
def test_the_network_is_the_source_with_rounded_activations(name):
    """Rounding the source's own activations leaves no difference: nothing else was changed."""
    case = CASES[name]
    imported, comparison = case.run()
    assert comparison.levels_differ > 0  # rounding does something
    found = compare_rounded(case, imported)
    assert found.levels_differ == found.classes_differ == 0
    assert found.layers[-1].difference < 1e-6
    assert all(0 < layer.active < 1 for layer in found.layers[:-1])


@pytest.mark.parametrize("name", CASES)
def test_more_levels_come_nearer(name):
    case = CASES[name]
    differences = []
    for levels in (3, 15, 255):
        _, found = import_network(
            "ann", case.source, case.grid, case.data, tolerance=1, **(case.options | {"levels": levels})
        )
        differences.append(found.layers[-1].difference)
    assert differences[0] > differences[1] > differences[2]
    assert found.classes_differ <= 1


def test_a_network_of_other_classes_is_refused():
    """The class is the largest of four inputs, of which one level more than 0 leaves little."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.ReLU(), torch.nn.Linear(4, 4))
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(4))
        net[2].weight.copy_(torch.eye(4))
    grid = Grid((4,), 255, 0.0, 1.0, 1)
    with pytest.raises(
        ModelError, match=r"^Imported network must be the source's within a tolerance of 0\.05"
    ):
        import_network("ann", net, grid, grid.random(64), levels=1)
    import_network("ann", net, grid, grid.random(64), levels=255)


def test_scales_have_the_least_error():
    torch.manual_seed(0)
    values = torch.randn(3, 500).clamp(min=0) * torch.tensor([[1.0], [10.0], [0.0]])
    scales, error = best_scales(values, 7)
    assert scales[1] / scales[0] == pytest.approx(10, rel=0.2)
    assert scales[2] == scales[1]  # a channel that is never active
    assert 0.02 < error < 0.2
    best = (values[0] / scales[0] + 0.5).floor().clamp(max=7) * scales[0]
    for factor in (0.8, 1.25):
        a = scales[0] * factor
        other = (values[0] / a + 0.5).floor().clamp(max=7) * a
        assert (values[0] - best).square().sum() < (values[0] - other).square().sum()


def test_clamped_activations_saturate_where_the_source_does():
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU6(), torch.nn.Linear(4, 2))
    with torch.no_grad():
        net[0].weight.copy_(20 * torch.eye(4))
    grid = Grid((4,), 15, 0.0, 1.0, 1)
    imported, _ = import_network("ann", net, grid, grid.random(64), levels=15, tolerance=1)
    neuron = imported.model.get_submodule("1")
    assert float(neuron.scale.detach().max() * 15) == pytest.approx(6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"calibration": None}, r"^Calibration samples must be given"),
        ({"steps": 2}, r"^Input of a network without time must have 1 static step, not 2$"),
        (
            {"levels": 0},
            r"^Layer 'activations' cannot be imported: its largest level is 0; accepted: 1\.\.255",
        ),
    ],
)
def test_what_is_asked_for(change, message):
    steps = change.pop("steps", 1)
    grid = Grid(MAPS, 15, 0.0, 1.0, steps)
    with pytest.raises((InputError, ImportRefusal), match=message):
        import_network("ann", CASES["relu resnet"].source, grid, **change)


def _accuracy(model, x, y):
    with torch.no_grad():
        return float((model(x).argmax(-1) == y).double().mean())


def _learn(model, x, y, steps, rate):
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    model.train()
    for step in range(steps):
        batch = slice(step * 64 % 1280, step * 64 % 1280 + 64)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    return model.eval()


def test_an_imported_network_learns_on():
    """Real digits: one level is too few for what the ANN knows, until weights and scales are trained on."""
    torch.manual_seed(0)
    data = load_data("digits", seed=0)
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    test = torch.from_numpy(data.test_x), torch.from_numpy(data.test_y)
    net = torch.nn.Sequential(torch.nn.Linear(64, 24), torch.nn.ReLU(), torch.nn.Linear(24, 10))
    net = _learn(net, x / 16, y, 300, 1e-2)
    grid = Grid.of(data.train_x, 1, std=16.0)
    assert grid.levels == 16
    imported, _ = import_network("ann", net, grid, data.train_x, levels=1, tolerance=1)
    before = _accuracy(imported.model, *test)
    after = _accuracy(_learn(imported.model, x, y, 200, 3e-3), *test)
    assert after > before + 0.02
    assert after > 0.9
