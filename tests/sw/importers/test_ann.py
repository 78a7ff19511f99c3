"""Plain PyTorch networks with ReLUs, converted."""

import pytest
import torch
from ann_networks import MAPS, cases
from import_case import Case

from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.importers import Grid, Imported, import_network
from spikefold.importers.ann import reference
from spikefold.importers.scales import best_scales

CASES = {case.name: case for case in cases()}
_LAYERED = [name for name in CASES if "functional" not in name]  # whose activations can be reached


def rounded(case: Case, imported: Imported):
    """Let the source round its own activations to the scales that were found: it has levels now."""
    scales = {tap: imported.model.get_submodule(name) for name, tap in imported.taps.items()}
    handles, calls = [], {}

    def hook(name):
        def round_it(layer, given, value):
            call = calls[name] = calls.get(name, 0) + 1
            neuron = scales[name if call == 1 else f"{name}_{call}"]
            a = neuron.scale[0].double().reshape(-1, *(1,) * (value.dim() - 2))
            return torch.floor(value / a + 0.5).clamp(0, neuron.levels) * a

        return round_it

    for name, layer in case.source.named_modules():
        if isinstance(layer, torch.nn.ReLU | torch.nn.Hardtanh):
            layer.inplace = False
            handles.append(layer.register_forward_hook(hook(name)))
    return handles, calls


@pytest.mark.parametrize("name", _LAYERED)
def test_the_network_is_the_source_with_rounded_activations(name):
    """Rounding the source's own activations leaves no difference: nothing else was changed."""
    case = CASES[name]
    imported, _ = case.run()
    x = case.grid.layer().double()(case.grid.samples(case.grid.random(40, seed=3)))
    expected = reference(case.source)
    with torch.no_grad():
        ours = imported.model.double()(case.grid.samples(case.grid.random(40, seed=3)))
    assert not torch.allclose(ours, expected(x)["(output)"], atol=1e-4)  # rounding does something
    handles, calls = rounded(case, imported)
    try:
        theirs = reference(case.source)(x)["(output)"]
    finally:
        for handle in handles:
            handle.remove()
    assert calls
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


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
