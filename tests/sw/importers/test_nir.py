"""NIR graphs become the same networks, on which the hardware agrees."""

import nir
import numpy as np
import pytest
import torch
from import_case import assert_same
from nir_networks import (
    DT,
    Numbers,
    cases,
    chain,
    fire_if,
    fire_lif,
    paper_lif,
    snntorch_mlp,
    spikingjelly_cnn,
)
from spikingjelly.activation_based import functional, layer, neuron

import spikefold
from spikefold.errors import ModelError
from spikefold.importers import Grid, compare, import_network
from spikefold.importers.nir import load, reference
from spikefold.importers.nir.readout import step_weights

CASES = {case.name: case for case in cases()}
SOFT = {"dt": 1.0, "reset": "subtract"}


@pytest.mark.parametrize("name", CASES)
def test_the_imported_network_is_the_same(name):
    assert_same(CASES[name], 1e-12)


def logits(imported, x):
    with torch.no_grad():
        return imported.model.double()(x)


def test_the_steps_are_those_of_the_equations_by_hand():
    """One neuron: tau 2 dt, r 3, threshold 1, hard reset; u = v/2 + 3/2 · I."""
    graph = chain((1,), nir.Linear(np.ones((1, 1))), fire_lif((1,), 2 * DT, 3.0))
    grid = Grid((1,), 4, 0.0, 1.0, 5, static=False)
    currents = torch.tensor([0.5, 0.25, 0.25, 1.0, 0.0]).reshape(5, 1, 1)
    # u: 0.75, 0.375 + 0.375, 0.375 + 0.375, 0.375 + 1.5 (fires), 0
    hard = load(graph, grid, dt=DT, reset="zero")
    assert logits(hard, currents).item() == pytest.approx(1 / 5)
    # soft: the rest 0.875 is halved and stays below the threshold
    values = reference(graph, dt=DT, reset="subtract")(currents.double())
    assert values["lif"].flatten().tolist() == [0, 0, 0, 1, 0]
    assert values["(output)"].flatten().tolist() == [0, 0, 0, 1, 0]


def test_membranes_at_their_threshold_are_told():
    """Weight 1, threshold 1, a spike a step: NIR fires above, so from the second step on; we fire at it."""
    graph = chain((1,), nir.Linear(np.ones((1, 1))), fire_if((1,)))
    grid, x = Grid((1,), 1, 0.0, 1.0, 4, static=False), np.ones((3, 4, 1))
    above, comparison = import_network("nir", graph, grid, x, tolerance=1.0, fires="above", **SOFT)
    first = comparison.layers[0]
    assert above.strict == {"if"}
    assert first.differing == 3  # the first step of each sample
    assert first.ties > 0
    with pytest.raises(ModelError, match="must be the source's within a tolerance of 0"):
        import_network("nir", graph, grid, x, fires="above", **SOFT)
    at, comparison = import_network("nir", graph, grid, x, fires="at", **SOFT)
    assert (at.strict, comparison.levels_differ) == (frozenset(), 0)
    assert logits(at, grid.samples(x)).tolist() == [[1.0]] * 3


@pytest.mark.parametrize(("leak", "steps"), [(1.0, 5), (0.5, 4), (0.9, 7), (0.0, 3)])
@pytest.mark.parametrize("readout", ["last", "mean"])
def test_a_membrane_is_a_weighted_sum_of_its_currents(leak, steps, readout):
    currents = np.random.default_rng(1).normal(size=steps)
    v, membranes = 0.0, []
    for current in currents:
        v = leak * v + current
        membranes.append(v)
    expected = membranes[-1] if readout == "last" else np.mean(membranes)
    assert np.mean(step_weights(leak, steps, readout) * currents) == pytest.approx(expected)


@pytest.mark.parametrize("decay", [True, False])
def test_spikingjelly_own_neurons_give_the_same(decay):
    """The parameters that SpikingJelly's exporter writes: r = 1 where the input decays, else tau."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        layer.Linear(12, 20),
        neuron.LIFNode(tau=4.0, decay_input=decay, v_threshold=0.25),
        layer.Linear(20, 5),
        neuron.IFNode(v_threshold=0.5),
    ).double()
    functional.set_step_mode(net, "m")
    first, last = (nir.Affine(net[i].weight.detach().numpy(), net[i].bias.detach().numpy()) for i in (0, 2))
    lif = fire_lif((20,), 4.0 * DT, 1.0 if decay else 4.0, 0.25)
    graph = chain((12,), first, lif, last, fire_if((5,), 1 / DT, 0.5))
    grid = Grid((12,), 15, 0.0, 1.0, 6)
    x = grid.samples(grid.random(200))
    theirs = net(grid.real(x)).mean(0)
    assert 0.01 < theirs.mean() < 0.99
    assert torch.equal(logits(load(graph, grid, dt=DT, reset="zero", fires="at"), x), theirs)


def test_a_leak_that_is_no_sum_of_shifts_is_noted():
    grid = Grid((1,), 15, 0.0, 1.0, 50, static=False)
    imported = load(paper_lif(), grid, dt=DT, reset="zero")
    (note,) = (note for note in imported.notes if note.error)
    assert note.node == "lif"
    assert note.text == "leak 0.96 became 0.960938, a sum of shifts"
    assert note.error == pytest.approx(0.0009375, rel=1e-3)


def test_zeros_beside_a_shifted_input_are_its_nearest_levels():
    grid = Grid((2, 8, 8), 10, 0.0, 1.0, 4, mean=(0.31, 0.5), std=(0.25, 0.5))
    imported, comparison = import_network(
        "nir", spikingjelly_cnn(), grid, dt=DT, reset="zero", tolerance=0.05
    )
    note = imported.notes[-1]
    assert (note.node, note.error) == ("conv2d", pytest.approx(0.04))  # level 3 is worth (0.3 - 0.31) / 0.25
    assert imported.model.get_submodule("input").pad == (1, 1)
    assert 0 < comparison.share < 0.05


def test_several_readers_of_a_current_do_not_scale_it_twice():
    one = Numbers(1)
    nodes = {
        "in": nir.Input(np.array([6])),
        "w": one.affine(4, 6),
        "scale": nir.Scale(np.array([0.5, 1.0, 2.0, 3.0])),
        "a": fire_if((4,), 2.0),
        "b": fire_if((4,), 5.0),
        "head": one.affine(3, 4),
        "out": nir.Output(np.array([3])),
    }
    edges = [("in", "w"), ("w", "scale"), ("scale", "a"), ("scale", "b"), ("a", "head"), ("b", "head")]
    graph = nir.NIRGraph(nodes, [*edges, ("head", "out")], type_check=False)
    grid = Grid((6,), 4, 0.0, 1.0, 3)
    with pytest.raises(ModelError, match="gives a current, which must be read once"):
        import_network("nir", graph, grid, **SOFT)
    imported = load(graph, grid, **SOFT)
    comparison = compare(imported, reference(graph, **SOFT), grid)
    assert comparison.levels_differ == comparison.classes_differ == 0


def test_a_file_is_read_as_the_graph(tmp_path):
    nir.write(tmp_path / "net.nir", snntorch_mlp())
    grid = Grid((12,), 7, 0.0, 1.0, 6)
    x = grid.samples(grid.random(50))
    options = {"dt": DT, "reset": "subtract"}
    from_file, live = (load(one, grid, **options) for one in (tmp_path / "net.nir", snntorch_mlp()))
    assert torch.equal(logits(from_file, x), logits(live, x))


def test_the_reset_of_the_metadata_counts():
    graph = chain((4,), Numbers(2).affine(6, 4), fire_if((6,), reset="subtract"), Numbers(3).affine(3, 6))
    assert load(graph, Grid((4,), 3, 0.0, 1.0, 4), dt=1).model.get_submodule("if").reset_mode == "subtract"


QUICK = {
    "snnTorch's MLP": ("amaranth", 3),
    "LI read at its last": ("amaranth", 3),
    "nested graphs": ("amaranth", 3),
}


@pytest.mark.parametrize("name", QUICK)
def test_the_gateware_computes_the_network(name):
    case, (simulator, samples) = CASES[name], QUICK[name]
    check_gateware(case, simulator, samples)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_verilog_computes_the_network(name):
    check_gateware(CASES[name], "verilator", 6)


def check_gateware(case, simulator, samples):
    imported, _ = case.run()
    design = spikefold.compile(imported.model, name="net", weight_bits=8)
    x = case.grid.random(200, seed=3)
    classes = logits(imported, case.grid.samples(x)).argmax(1).numpy()
    assert (design.golden(x).classes == classes).mean() > 0.85
    result = design.verify(x[:samples], simulator=simulator)
    assert result.passed
    assert result.mismatches == 0
    assert result.events > 0
