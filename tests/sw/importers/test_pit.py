"""PIT's published checkpoints become the same networks: against a forward pass of the tests' own."""

import json
import pickle

import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from pit_networks import CIFAR, SHAPE, cases, checkpoint, logits

import spikefold
from spikefold import limits, nn
from spikefold.cli import main
from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.importers import Grid, import_network
from spikefold.importers.pit import load, reference

CASES = {case.name: case for case in cases()}
SMALL, ONE = (1, 1), Grid((3, 8, 8), 15, 0.0, 1.0, 1)
TOLD = {"tau": 0.5, "decay_input": True}


def small(**options):
    """Two stages of a block each, for images of 8x8."""
    return checkpoint(SMALL, 3, **options)


@pytest.mark.parametrize("name", CASES)
def test_the_imported_network_is_the_same(name):
    imported, comparison = CASES[name].run(8)
    assert comparison.levels_differ == comparison.classes_differ == 0
    assert len(comparison.layers) == len(imported.taps)
    for layer in comparison.layers:
        assert layer.difference < 1e-12
        assert 0 < layer.active < 1 or layer.name == "readout", layer
    assert not imported.half_even


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("decay", [True, False])
@pytest.mark.parametrize("hard", [True, False])
def test_an_independent_forward_pass_gives_the_same_logits(steps, decay, hard):
    state, grid = small(steps=steps, seed=steps), Grid((3, 8, 8), 15, 0.0, 1.0, steps)
    options = {"tau": 0.25, "decay_input": decay, "reset": "hard" if hard else "soft"}
    x = grid.samples(grid.random(20))
    expected = logits(state, grid.real(x)[0], 0.25, decay, hard, SMALL)
    assert expected.std() > 0.05
    with torch.no_grad():
        found = load(state, grid, **options).model(x)
    assert (found - expected).abs().max() < 1e-12
    theirs = reference(state, **options)(grid.real(x))["(output)"].mean(0)
    assert (theirs - expected).abs().max() < 1e-12


@pytest.mark.parametrize("rounding", ["half_even", "half_up"])
def test_ties_are_counted_where_they_round_otherwise(rounding):
    """Scales of 1 and whole currents: membranes lie on halves."""
    state = small()
    for name, value in state.items():
        if "alpha" in name or ".p." in name or name.endswith("running_var"):
            value.fill_(1.0)
        elif "bn" in name and value.is_floating_point():
            value.fill_(1.0 if name.endswith("weight") else 0.0)
    state["layer1.0.bn1.bias"].fill_(0.5)
    state["layer1.0.bn1.running_var"].fill_(1 - 1e-5)
    state["conv1.weight"].zero_()
    options = {"tau": 0.0, "decay_input": False, "rounding": rounding, "samples": 4}
    imported, comparison = import_network("pit", state, ONE, tolerance=1.0, **options)
    first = comparison.layers[0]
    if rounding == "half_even":
        assert first.differing == first.ties == 0
        assert not imported.half_even
        return
    assert imported.half_even == imported.taps.keys() - {"readout"}
    assert first.ties == first.values == 4 * 3 * 64  # every membrane is exactly 0.5
    assert first.ties_apart == first.differing == first.ties  # 0 half to even, 1 half up


@pytest.mark.parametrize("form", ["authors", "state dict", "safetensors", "several GPUs"])
def test_files(form, tmp_path):
    state, path = small(), tmp_path / "checkpoint_max.pth"
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    elif form == "authors":
        optimizer = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}
        torch.save({"net": state, "optimizer": optimizer, "epoch": 299, "max_test_acc": 0.9}, path)
    else:
        prefix = "module." if form == "several GPUs" else ""
        torch.save({prefix + name: value for name, value in state.items()}, path)
    x = ONE.samples(ONE.random(5))
    with torch.no_grad():
        assert torch.equal(load(path, ONE, **TOLD).model(x), load(state, ONE, **TOLD).model(x))


def test_the_command(tmp_path):
    torch.save({"net": small(), "epoch": 299}, tmp_path / "checkpoint_max.pth")
    grid = ["--shape", "3,8,8", "--input-levels", "15", "--minimum", "0", "--maximum", "1", "--steps", "1"]
    given = ["import", str(tmp_path / "checkpoint_max.pth"), "--from", "pit", *grid, "--json"]
    out = ["-o", str(tmp_path / "pit.safetensors")]
    result = CliRunner().invoke(main, [*given, *out, "--tau", "0.5", "--decay-input", "yes"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["comparison"]["samples"] == 64
    x = ONE.samples(ONE.random(4))
    with torch.no_grad():
        assert torch.equal(nn.load(tmp_path / "pit.safetensors")(x), load(small(), ONE, **TOLD).model(x))
    refused = CliRunner().invoke(main, [*given, *out])
    assert refused.exit_code == 3
    assert "the options tau" in json.loads(refused.stdout)["error"]


class Evil:
    def __reduce__(self):
        return print, ("a pickle ran",)


def test_files_that_are_no_checkpoints(tmp_path, capsys):
    path = tmp_path / "net.pth"
    with pytest.raises(ModelError, match=r"Checkpoint '.*net.pth' must exist"):
        load(path, ONE, **TOLD)
    torch.save({"net": Evil()}, path)
    with pytest.raises(ModelError, match="no checkpoint of tensors alone"):
        load(path, ONE, **TOLD)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelError, match="truncated or not in safetensors format"):
        load(path, ONE, **TOLD)
    assert "ran" not in capsys.readouterr().out
    torch.save(small(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="or is damaged"):
        load(path, ONE, **TOLD)
    torch.save([1, 2], path)
    with pytest.raises(ModelError, match="must hold a table, not a list"):
        load(path, ONE, **TOLD)
    torch.save({"net": {"conv1.weight": 3}}, path)
    with pytest.raises(ModelError, match=r"table of tensors, but holds 'conv1.weight', a int"):
        load(path, ONE, **TOLD)
    torch.save(small(), path)
    with limits.memory(100), pytest.raises(ModelError, match=r"must need at most .* of memory"):
        load(path, ONE, **TOLD)
    with pytest.raises(InputError, match="must be a path or a state dict, not int"):
        load(3, ONE, **TOLD)


def without(name):
    return {key: value for key, value in small().items() if key != name}


def with_(**tensors):
    return small() | {name.replace("__", "."): value for name, value in tensors.items()}


REFUSED = {
    "no scale": (
        without("layer2.0.relu1.alpha.0"),
        "layer2.0.relu1.alpha",
        "no tensor 'layer2.0.relu1.alpha.0'",
    ),
    "no factor": (without("relu1.p.0"), "relu1.p", "has no tensor 'relu1.p.0'"),
    "no bias": (without("layer1.0.conv2.bias"), "layer1.0.conv2", "has no tensor 'layer1.0.conv2.bias'"),
    "no shortcut": (without("layer2.0.shortcut.weight"), "layer2.0.shortcut", "has no tensor"),
    "no head": (without("linear.weight"), "linear", "has no tensor 'linear.weight'"),
    "bottleneck": (
        with_(layer1__0__bn3__weight=torch.ones(3)),
        "layer1.0.bn3",
        "'layer1.0.bn3.weight' is unknown",
    ),
    "attention": (with_(attn__qkv__weight=torch.ones(3, 3)), "attn.qkv", "'attn.qkv.weight' is unknown"),
    "more steps": (with_(relu1__alpha__1=torch.ones(6)), "layer1.0.relu1.alpha", "'layer1.0.relu1.alpha.1'"),
    "shape": (with_(layer1__0__relu1__alpha__0=torch.ones(4)), "layer1.0.relu1.alpha", "has shape [4]"),
    "factor below 0": (with_(relu1__p__0=torch.tensor(-0.5)), "relu1", "its factor p is -0.5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name):
    state, node, reason = REFUSED[name]
    with pytest.raises(ImportRefusal) as found:
        load(state, ONE, **TOLD)
    assert found.value.node == node
    assert reason in found.value.reason
    assert found.value.accepted in str(found.value)


def test_a_tensor_that_is_not_finite():
    with pytest.raises(ModelError, match=r"Tensor 'linear.bias' must be finite"):
        load(with_(linear__bias=torch.full((10,), torch.nan)), ONE, **TOLD)


def test_leak_and_input_are_asked_for():
    for options in ({}, {"tau": 0.5}, {"decay_input": True}):
        with pytest.raises(
            ImportRefusal, match=r"holds neither the leak .*accepted: the options tau .* decay_input"
        ):
            load(small(), ONE, **options)
    with pytest.raises(ModelError, match=r"PIT reset must be one of 'soft', 'hard', not 'zero'"):
        load(small(), ONE, **TOLD, reset="zero")
    with pytest.raises(ModelError, match=r"PIT rounding must be one of 'half_up', 'half_even', not 'even'"):
        load(small(), ONE, **TOLD, rounding="even")
    with pytest.raises(ImportRefusal, match=r"its leak 0.3 is no sum of 1 shifts"):
        load(small(), ONE, tau=0.3, decay_input=True, leak_terms=1)


def test_the_input_must_fit():
    with pytest.raises(ImportRefusal, match=r"'conv1' .* reads 3 channels, not \[1, 8, 8\]"):
        load(small(), Grid((1, 8, 8), 15, 0.0, 1.0, 1), **TOLD)
    with pytest.raises(ImportRefusal, match=r"'relu1' .* alpha for 1 time steps, the input 2"):
        load(small(), Grid((3, 8, 8), 15, 0.0, 1.0, 2), **TOLD)
    with pytest.raises(
        ImportRefusal, match=r"'linear' .* reads 6 features, but maps of \[16, 16\] leave 2x2"
    ):
        load(small(), Grid((3, 16, 16), 15, 0.0, 1.0, 1), **TOLD)


def test_a_channel_whose_scale_is_the_least():
    imported, comparison = import_network("pit", small(zero="layer1.0.relu2.alpha.0"), ONE, **TOLD)
    assert [str(note) for note in imported.notes] == [
        "Layer 'layer1.0.relu2': 1 of 3 scales are the least, 0.001"
    ]
    assert comparison.levels_differ == 0


def test_normalised_pixels_are_framed_by_their_nearest_levels():
    grid = Grid(SHAPE, 255, 0.0, 1.0, 1, **CIFAR)
    imported, comparison = import_network("pit", checkpoint(), grid, **TOLD, samples=4)
    (note,) = imported.notes
    assert note.node == "conv1"
    assert note.error == pytest.approx(0.00595, abs=1e-5)
    assert 0 < comparison.share < 0.02
    assert comparison.classes_differ == 0


def test_training_goes_on_as_the_authors_do_it():
    neuron = load(small(), ONE, **TOLD).model.get_submodule("neuron")
    assert isinstance(neuron, nn.PIT)
    assert (neuron.learn, neuron.levels, neuron.reset_mode, neuron.input_decay) == (
        "factor",
        4,
        "subtract",
        True,
    )
    assert bool(neuron.initialised)


def test_the_gateware_computes_the_network():
    imported, _ = import_network("pit", checkpoint(SMALL, 2, classes=2), ONE, **TOLD)
    check_gateware(imported, ONE, "amaranth", 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet18 in 4 steps"])
def test_the_verilog_computes_a_resnet18(name):
    imported, _ = CASES[name].run(4)
    check_gateware(imported, CASES[name].grid, "native", 3)


def check_gateware(imported, grid, simulator, samples):
    x = grid.random(samples, seed=5)
    design = spikefold.compile(imported.model, name="net", calibration=x)
    result = design.verify(x, simulator=simulator)
    assert result.passed
    assert result.mismatches == 0
    assert result.events > 0
