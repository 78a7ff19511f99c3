"""Networks of the real SpikingJelly, imported and compared."""

import numpy as np
import pytest
import torch
from import_case import assert_same
from sj_networks import CSNN, FLAT, MAPS, STEPS, cases, step_by_step
from spikingjelly.activation_based import functional, layer, neuron

import spikefold
from spikefold import nn
from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.importers import Grid, import_network
from spikefold.importers.spikingjelly import reference

CASES = {case.name: case for case in cases()}


@pytest.mark.parametrize("name", CASES)
def test_the_imported_network_is_the_same(name):
    assert_same(CASES[name], 1e-7)


def test_parameters_are_those_of_the_source():
    net = CASES["cnn soft lif"].source
    imported, _ = CASES["cnn soft lif"].run(2)
    lif = imported.model.get_submodule("conv_fc.2")
    assert (lif.leak, lif.firing_threshold, lif.reset_mode, lif.input_gain) == (0.75, 0.75, "subtract", 1.0)
    conv = imported.model.get_submodule("conv_fc.0")
    assert torch.equal(conv.weight, net.conv_fc[0].weight)
    assert conv.weight.data_ptr() != net.conv_fc[0].weight.data_ptr()
    assert conv.weight.dtype == torch.float32
    ilif = CASES["sew resnet ilif"].run(2)[0].model.get_submodule("layer1.0.sn1")
    assert (ilif.levels, ilif.firing_threshold, ilif.leak) == (6, 0.5, 0.25)


def test_the_source_is_left_as_it_was():
    torch.manual_seed(0)
    net = CSNN(neuron.IFNode).eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    names = set(vars(net))
    import_network("spikingjelly", net, Grid(MAPS, 15, 0.0, 1.0, STEPS))
    assert set(vars(net)) == names
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.conv_fc[2].v == 0.0  # no membrane is left behind


def test_an_imported_model_is_saved_and_loaded(tmp_path):
    imported, _ = CASES["sew resnet ilif"].run(2)
    nn.save(imported.model, tmp_path / "m.safetensors")
    again = nn.load(tmp_path / "m.safetensors")
    x = torch.rand(3, *MAPS)
    assert torch.equal(again(x), imported.model(x))


def test_leaks_that_are_approximated_are_noted_and_tolerated():
    torch.manual_seed(3)
    net = torch.nn.Sequential(
        layer.Linear(24, 16), neuron.LIFNode(tau=3.0, v_reset=None), layer.Linear(16, 4)
    )
    functional.set_step_mode(net, "m")
    net[0].weight.data *= 4
    grid = Grid(FLAT, 15, 0.0, 1.0, STEPS)
    imported, comparison = import_network("spikingjelly", net, grid)
    (note,) = imported.notes
    assert str(note) == "Layer '1': leak 0.666667 became 0.65625, a sum of shifts"
    assert note.error == pytest.approx(1 / 96)
    assert 0 < comparison.share < 0.05
    with pytest.raises(
        ModelError, match=r"^Imported network must be the source's within a tolerance of 0, but"
    ):
        import_network("spikingjelly", net, grid, tolerance=0.0)
    closer, _ = import_network("spikingjelly", net, grid, leak_terms=5)
    assert closer.notes[0].error < 0.001


def test_ties_of_integer_spikes():
    """u is a half of an integer here; SpikingJelly rounds 0.5 and 2.5 down, "half_up" up."""
    net = torch.nn.Sequential(layer.Linear(4, 4, bias=False), neuron.ILIFNode(), layer.Linear(4, 2))
    functional.set_step_mode(net, "m")
    net[0].weight.data = 0.5 * torch.eye(4)
    grid = Grid((4,), 8, 0.0, 8.0, 1)
    imported, comparison = import_network("spikingjelly", net, grid)
    assert comparison.levels_differ == 0
    assert comparison.layers[0].active > 0.5
    design = spikefold.compile(imported.model, weight_bits=8)
    first = design.network.populations[0]
    assert (first.neuron.threshold % 2 == 0).all()  # so that there are ties in integers too
    levels = design.golden(np.repeat(np.arange(9.0)[:, None], 4, 1), record=True).levels[first.name]
    assert levels.reshape(9, 4)[:, 0].tolist() == [0, 0, 1, 2, 2, 2, 3, 4, 4]
    with pytest.raises(
        ModelError, match=r"differ, from layer '1' on .* \d+ ties round otherwise\); allow more"
    ):
        import_network("spikingjelly", net, grid, rounding="half_up")
    with pytest.raises(ModelError, match=r"^I-LIF rounding must be one of 'half_up', 'half_even', not 'up'$"):
        import_network("spikingjelly", net, grid, rounding="up")
    _, comparison = import_network("spikingjelly", net, grid, tolerance=1.0, rounding="half_up")
    assert comparison.layers[0].ties > comparison.layers[0].ties_apart > 0
    assert comparison.layers[0].ties_apart == comparison.layers[0].differing


def test_step_modes_must_be_one():
    net = step_by_step()
    net[0].step_mode = "m"
    with pytest.raises(
        InputError, match=r"^All layers must be in one step mode, but '1' is in 's' beside others"
    ):
        import_network("spikingjelly", net, Grid(FLAT, 15, 0.0, 1.0, STEPS))


def test_frames_cannot_be_repeated():
    with pytest.raises(InputError, match=r"^Input must be static where the network itself repeats a sample"):
        import_network("spikingjelly", CSNN(neuron.IFNode), Grid(MAPS, 15, 0.0, 1.0, STEPS, static=False))


def test_zeros_beside_a_normalised_input():
    """Zero is level 8 of 16 and stays exact; of 15 levels it is none, and the nearest frames the input."""
    net = CASES["cnn if"].source
    exact, comparison = import_network(
        "spikingjelly", net, Grid(MAPS, 16, 0.0, 1.0, STEPS, mean=0.5, std=0.25)
    )
    assert exact.notes == ()
    assert comparison.levels_differ == 0
    imported, comparison = import_network(
        "spikingjelly", net, Grid(MAPS, 15, 0.0, 1.0, STEPS, mean=(0.5, 0.4), std=(0.25, 0.5)), tolerance=0.2
    )
    (note,) = imported.notes
    assert note.error == pytest.approx(0.5 / 15 / 0.25)
    assert str(note).startswith("Layer 'conv_fc.0': its padding of zeros became that of the nearest levels")
    assert comparison.levels_differ > 0
    inner = compare_inside(imported, net)
    assert inner == 0


def compare_inside(imported, net):
    """Levels that differ in the first layer away from the border, where no padding reaches."""
    grid = Grid(MAPS, 15, 0.0, 1.0, STEPS, mean=(0.5, 0.4), std=(0.25, 0.5))
    x = grid.samples(grid.random(16))
    found = {}
    imported.model.double().get_submodule("conv_fc.2").register_forward_hook(
        lambda layer, given, value: found.update(ours=value)
    )
    with torch.no_grad():
        imported.model(x)
    theirs = reference(net)(grid.layer().double()(x))["conv_fc.2"]
    apart = found["ours"] != theirs
    assert apart.any()
    return int(apart[..., 1:-1, 1:-1].sum())


def test_other_steps_than_the_network_repeats():
    with pytest.raises(
        ImportRefusal, match=r"^Layer 'repeat' cannot be imported: the operation 'repeat' is not"
    ):
        import_network("spikingjelly", CSNN(neuron.IFNode), Grid(MAPS, 15, 0.0, 1.0, STEPS + 1))


def test_samples_of_another_shape():
    with pytest.raises(
        ImportRefusal, match=r"^Layer 'conv_fc.0' cannot be imported: it cannot read .* \[4, 2, 24\]"
    ):
        import_network("spikingjelly", CSNN(neuron.IFNode), Grid(FLAT, 15, 0.0, 1.0, STEPS))


def test_something_else_than_a_module():
    with pytest.raises(
        InputError, match=r"^Source must be a torch module with its weights loaded, not 'net\.pt'$"
    ):
        import_network("spikingjelly", "net.pt", Grid(FLAT, 15, 0.0, 1.0, STEPS))
