"""What all importers share: the input grid, leaks, ties, and a comparison that does fail."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import ImportRefusal, InputError, MissingToolError, ModelError
from spikefold.importers import (
    Grid,
    Imported,
    Note,
    Precision,
    compare,
    comparison,
    default_tolerance,
    importer,
)
from spikefold.importers import frameworks as frameworks_module
from spikefold.importers.rules import leak
from spikefold.importers.ties import count_ties


@pytest.mark.parametrize(
    ("x", "steps", "options", "expected"),
    [
        (np.arange(17.0).reshape(17, 1), 2, {}, ((1,), 16, 0.0, 16.0, 2, True)),
        (np.array([[0.0, 0.2], [0.4, 1.0]]), 1, {}, ((2,), 5, 0.0, 1.0, 1, True)),
        (np.array([[-1.0, 1.0], [0.5, -0.5]]), 1, {}, ((2,), 4, -1.0, 1.0, 1, True)),
        (np.float32([[0, 100 / 255], [1, 7 / 255]]), 1, {}, ((2,), 255, 0.0, 1.0, 1, True)),
        (np.zeros((3, 4, 2, 8, 8)) + np.eye(8), 4, {"static": False}, ((2, 8, 8), 1, 0.0, 1.0, 4, False)),
        (np.linspace(0, 1, 999)[:, None], 1, {"levels": 7}, ((1,), 7, 0.0, 1.0, 1, True)),
        (np.array([[1.0], [2.0]]), 1, {"minimum": 0.0, "maximum": 4.0}, ((1,), 4, 0.0, 4.0, 1, True)),
    ],
)
def test_a_grid_is_measured(x, steps, options, expected):
    grid = Grid.of(x, steps, **options)
    assert (grid.shape, grid.levels, grid.minimum, grid.maximum, grid.steps, grid.static) == expected


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.linspace(0, 1, 999)[:, None], {}, r"^Number of input levels must be given"),
        (np.array([[0.0], [1.0], [np.pi / 4]]), {}, r"^Number of input levels must be given"),
        (np.ones((4, 2)), {}, r"^Range of the input must be increasing, not 1\.0\.\.1\.0$"),
        (np.array([[0.0, np.nan]]), {}, r"^Samples must be finite"),
        (np.zeros((4, 3, 2)), {"static": False}, r"^Calibration samples must have shape \[samples, 1 steps"),
        (np.zeros(4), {}, r"^Calibration samples must have shape \[samples, \.\.\.\], not \[4\]$"),
        ([["a"]], {}, r"^Samples must be numbers, not <U1$"),
    ],
)
def test_a_grid_is_never_guessed(x, options, message):
    with pytest.raises(InputError, match=message):
        Grid.of(x, 1, **options)


def test_what_the_source_sees_is_normalised():
    grid = Grid((2, 1, 1), 4, 0.0, 8.0, 3, True, (1.0, 2.0), (0.5, 4.0))
    raw = np.array([[[[3.0]], [[8.0]]]])
    real = grid.real(grid.samples(raw))
    assert real.shape == (3, 1, 2, 1, 1)
    assert real[0, 0].flatten().tolist() == [4.0, 1.5]
    assert grid.layer().double()(grid.samples(raw))[0, 0].flatten().tolist() == [6.0, 1.5]  # 3 is level 2


@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 0.9375, 1.0])
def test_sums_of_few_shifts_are_kept(value):
    assert leak("n", value, Precision()) == (value, None)


def test_other_leaks_come_near_and_are_told():
    for value in np.linspace(0, 1, 201):
        near, note = leak("n", float(value), Precision())
        assert abs(near - value) <= 0.016
        assert (note is None) == (abs(near - value) < 1e-7)
        assert note is None or note.error == abs(near - value)


def test_leaks_out_of_reach_are_refused():
    message = (
        r"no sum of 3 shifts to within 0\.001 .*; accepted: 5 shifts .* an allowed error of 0\.0105 or more$"
    )
    with pytest.raises(ImportRefusal, match=message):
        leak("n", 2 / 3, Precision(3, 0.001))
    with pytest.raises(ImportRefusal, match=r"decays by the factor 1\.5; accepted: a factor from 0 to 1$"):
        leak("n", 1.5, Precision())


def test_ties_are_counted():
    """0.5, 1.5, 2.5 and 3.5 lie between levels; half to even takes the first and the third down."""
    neuron = nn.ILIF(8, levels=3, leak=1.0)
    current = torch.tensor([-0.5, 0.5, 1.0, 1.5, 1.7, 2.5, 3.5, 9.0])[None, None]
    assert count_ties(neuron, current) == (3, 2)
    even = torch.round(current.clamp(0, 3))
    assert int((neuron(current) != even).sum()) == 2
    lif = nn.LIF(4, threshold=0.5, steps=2, leak=1.0)
    assert count_ties(lif, torch.tensor([[[0.5, 0.25, 0.4, 1.0]]] * 2), strict=True) == (3, 3)


def _pair(weight, threshold=1.0, static=True):
    """A network of one neuron layer, and a reference that has other numbers in it."""
    entrance = nn.Input((3,), 4, 0.0, 1.0, static=static)
    model = nn.Sequential(entrance, nn.Dense(3, 3, bias=False), nn.LIF(3), nn.Readout())
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(3))
    taps = {"2": "spikes", "3": "(output)"}

    def reference(x):
        spikes = (x * weight >= threshold).double()
        return {"spikes": spikes, "(output)": spikes}

    return Imported(model.eval(), taps), reference


def test_a_difference_is_found_and_refused():
    grid = Grid((3,), 4, 0.0, 1.0, 1)
    data = np.array([[0.0, 0.5, 1.0], [1.0, 0.75, 0.75], [0.1, 0.2, 0.3]])
    same = compare(*_pair(1.0), grid, data)
    assert (same.levels_differ, same.classes_differ, same.random) == (0, 0, False)
    assert same.layers[0].active == pytest.approx(2 / 9)
    same.check(0.0)
    other = compare(*_pair(4 / 3), grid, data)
    assert (other.levels_differ, other.classes_differ) == (2, 0)
    assert other.share == pytest.approx(2 / 9)
    other.check(0.25)
    message = (
        r"within a tolerance of 0, but 22\.22% of all levels and 0 of 3 classes differ, from layer '2' on"
    )
    with pytest.raises(ModelError, match=message):
        other.check(0.0)


@pytest.mark.parametrize("static", [True, False])
def test_many_samples_go_through_in_pieces(monkeypatch, static):
    grid = Grid((3,), 4, 0.0, 1.0, 1, static)
    data = np.random.default_rng(0).random((25, 3) if static else (25, 1, 3))
    whole = compare(*_pair(1.5, static=static), grid, data, samples=25)
    assert whole.levels_differ > 0
    assert whole.samples == 25
    monkeypatch.setattr(comparison, "_PIECE", 12)
    pieces = compare(*_pair(1.5, static=static), grid, data, samples=25)
    for one, other in zip(pieces.layers, whole.layers, strict=True):
        assert one.active == pytest.approx(other.active)
        assert replace(one, active=0) == replace(other, active=0)
    assert replace(pieces, layers=()) == replace(whole, layers=())


def test_the_price_of_the_grid_is_told():
    """0.9 and 0.95 are level 4 of 4 on the grid, and fire there."""
    grid = Grid((3,), 4, 0.0, 1.0, 1)
    data = np.array([[0.0, 0.95, 0.0], [0.0, 0.0, 0.9], [1.0, 0.0, 0.0]])
    found = compare(*_pair(1.0), grid, data)
    assert found.levels_differ == 0
    assert found.off_grid == pytest.approx(0.4)
    assert found.classes_off_grid == 2


def test_a_layer_without_counterpart_is_named():
    imported, reference = _pair(1.0)
    lacking = Imported(imported.model, {"2": "hidden", "3": "(output)"})
    with pytest.raises(ModelError, match=r"^Layer 'hidden' of the source gave nothing to compare '2' with$"):
        compare(lacking, reference, Grid((3,), 4, 0.0, 1.0, 1))


def test_tolerance_depends_on_what_was_approximated():
    imported, _ = _pair(1.0)
    assert default_tolerance(imported) == 0.0
    noted = Imported(imported.model, imported.taps, (Note("1", "leak", 0.01),))
    assert default_tolerance(noted) == 0.05


def test_a_missing_framework_names_its_extra(monkeypatch):
    absent = frameworks_module.Framework(
        "Absent", "no_such_package", "pip install 'spikefold[absent]'", live=True
    )
    monkeypatch.setitem(frameworks_module.FRAMEWORKS, "absent", absent)
    with pytest.raises(MissingToolError, match=r"'no_such_package', .*: pip install 'spikefold\[absent\]'$"):
        importer("absent")
    with pytest.raises(InputError, match=r"^Framework must be one of spikingjelly, .*, not 'keras'$"):
        importer("keras")
