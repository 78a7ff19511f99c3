"""A model written as NIR comes back as it was, to the bit; other readers get what NIR can say."""

import json

import nir
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from nir_networks import DT, cases, spikingjelly_cnn

from spikefold import nn
from spikefold.cli import main
from spikefold.errors import ImportRefusal, MissingToolError, ModelError
from spikefold.exporters import exporter
from spikefold.exporters.nir import KEY, to_nir, write
from spikefold.importers import Grid, compare, import_network
from spikefold.importers.nir import load, own, reference

NEURONS = {
    "lif": lambda channels, steps: nn.LIF(channels, 0.3, steps, 0.75),
    "if": lambda channels, steps: nn.LIF(channels, 0.3, steps, 1.0, reset="zero"),
    "leaky": lambda channels, steps: nn.Leaky(channels, 0.3, steps, [0.5 + k / 16 for k in range(channels)]),
    "lif of channels": lambda channels, steps: nn.LIF(
        channels, 0.1, steps, [1 - k / 8 for k in range(channels)], reset="zero", input_decay=True
    ),
    "ilif": lambda channels, steps: nn.ILIF(channels, 3, steps, 0.5, threshold=0.7, input_decay=True),
    "ilif half to even": lambda channels, steps: nn.ILIF(channels, 3, steps, rounding="half_even"),
    "pit": lambda channels, steps: nn.PIT(channels, 3, steps, 0.5, reset="zero"),
    "pit by factor": lambda channels, steps: nn.PIT(channels, 4, steps, 0.25, learn="factor"),
    "qblif": lambda channels, steps: nn.QBLIF(channels, 3, steps),
    "reverb": lambda channels, steps: nn.ReverB(channels, 3, steps, threshold=0.3),
}


def conv_network(neuron, steps=3, binary=False, **options):
    """Convolution, batch norm, neurons, pool; dense, batch norm, LIF, dense."""
    conv = nn.BinaryConv2d(2, 5, 3, alpha="output") if binary else nn.Conv2d(2, 5, 3, 1, 1)
    return nn.Sequential(
        nn.Input((2, 6, 6), 7, steps=steps, **options),
        conv,
        nn.BatchNorm(5),
        NEURONS[neuron](5, steps),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Dense(20 if binary else 45, 8),
        nn.BatchNorm(8),
        nn.LIF(8, 0.2, steps),
        nn.Dense(8, 3, bias=False),
        nn.Readout(),
    )


class SEW(torch.nn.Module):
    """Spikes that share a scale are added up, and a global pool ends it."""

    def __init__(self, steps=2):
        super().__init__()
        self.input = nn.Input((2, 6, 6), 4, -1.0, 1.0, steps=steps, static=False)
        self.stem, self.neuron1 = nn.Conv2d(2, 4, 3), nn.PIT(4, 2, steps)
        self.conv, self.neuron2 = nn.Conv2d(4, 4, 3, 1, 1), nn.PIT(4, 2, steps)
        self.pool, self.flat, self.dense = nn.GlobalAvgPool(), nn.Flatten(), nn.Dense(4, 3)
        self.readout = nn.Readout()
        nn.tie_scales(self.neuron1, self.neuron2)

    def forward(self, x):
        spikes = self.neuron1(self.stem(self.input(x)))
        spikes = spikes + self.neuron2(self.conv(spikes))
        return self.readout(self.dense(self.flat(self.pool(spikes))))


MODELS = {name: (lambda name=name: conv_network(name)) for name in NEURONS}
MODELS |= {
    "binary": lambda: conv_network("reverb", binary=True),
    "normalised": lambda: conv_network("lif", binary=True, mean=[0.4, 0.2], std=[0.2, 0.3]),
    "sew": SEW,
    "preact": lambda: nn.models.preact_resnet(
        (3, 16, 16),
        4,
        (1, 1),
        width=4,
        neuron="lif",
        steps=3,
        leak=0.5,
        input_levels=7,
        neuron_options={"reset": "zero", "threshold": 0.3},
    ),
}


def warmed(name, seed=0):
    """The model in eval mode, after batches that set its scales and statistics."""
    torch.manual_seed(seed)
    model = MODELS[name]().train()
    with torch.no_grad():
        for _ in range(3):
            model(samples(model, 16))
    return model.eval()


def entrance(model):
    return next(one for one in model.modules() if isinstance(one, nn.Input))


def grid_of(model):
    return own.grid_of(entrance(model))


def samples(model, count):
    layer = entrance(model)
    lead = () if layer.static else (layer.steps,)
    return torch.rand(*lead, count, *layer.shape) * (layer.maximum - layer.minimum) + layer.minimum


@pytest.mark.parametrize("name", MODELS)
def test_round_trip_to_the_bit(name, tmp_path):
    model = warmed(name)
    write(model, tmp_path / "net.nir")
    back = load(tmp_path / "net.nir", None).model
    nn.save(model, tmp_path / "a.safetensors")
    nn.save(back, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    x = samples(model, 8)
    assert torch.equal(model(x), back(x))
    write(back, tmp_path / "again.nir")
    assert (tmp_path / "again.nir").read_bytes() == (tmp_path / "net.nir").read_bytes()


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_with_its_metadata_computes_the_network(name, tmp_path):
    model = warmed(name)
    write(model, tmp_path / "net.nir")
    grid = grid_of(model)
    imported = load(tmp_path / "net.nir", grid)
    comparison = compare(imported, imported.reference, grid, samples=12)
    assert comparison.levels_differ == comparison.classes_differ == 0
    for layer in comparison.layers:
        assert layer.difference < 1e-6
        assert layer.active > 0


def test_the_file_passes_nir_s_own_checks_and_tells_the_parameters(tmp_path):
    model = warmed("ilif")
    notes = write(model, tmp_path / "net.nir", dt=0.001)
    graph = nir.read(tmp_path / "net.nir", type_check=True)
    graph.check_types()
    neuron = graph.nodes["3"]
    assert type(neuron).__name__ == "LIF"
    assert neuron.tau.shape == (5, 6, 6)
    assert neuron.tau.flat[0] == 0.002  # leak 0.5
    assert neuron.r.flat[0] == 1.0  # the input decays
    assert neuron.v_threshold.flat[0] == pytest.approx(0.35)  # the first of the levels, rounded half up
    told = neuron.metadata
    assert {key: told[key] for key in ("levels", "steps", "leak", "gain")} == {
        "levels": 3,
        "steps": 3,
        "leak": 0.5,
        "gain": 0.5,
    }
    assert (told["reset"], told["rounding"], told["fires"]) == ("subtract", "half_up", "at")
    assert len(notes) == 2
    assert notes[0].startswith("Layer '3' (and 1 more) resets otherwise than to 0, which NIR cannot say")
    assert notes[1].startswith("Layer '3' emits integer levels")


@pytest.mark.parametrize("name", ["if", "preact"])
def test_without_the_metadata_a_binary_network_is_the_same_network(name):
    """Another reader's view: NIR's own semantics, the reset told."""
    model = warmed(name)
    for neuron in model.modules():
        if isinstance(neuron, nn.LIF):
            neuron.reset_mode = "zero"
    graph = to_nir(model).graph
    for node in graph.nodes.values():
        node.metadata.clear()
    graph.metadata.clear()
    grid, x = grid_of(model), samples(model, 40)
    imported, comparison = import_network("nir", graph, grid, dt=1, reset="zero", fires="at")
    assert comparison.levels_differ == 0
    assert (imported.model.double()(x) - model.double()(x)).abs().max() < 1e-9


@pytest.mark.parametrize("name", ["branches", "nested graphs", "a line", "LI read at its last"])
def test_imported_networks_can_be_exported(name, tmp_path):
    case = {case.name: case for case in cases()}[name]
    imported, _ = case.run()
    write(imported.model, tmp_path / "net.nir")
    back = load(tmp_path / "net.nir", case.grid)
    x = case.grid.samples(case.grid.random(20))
    assert torch.equal(imported.model(x), back.model(x))
    assert compare(back, reference(tmp_path / "net.nir"), case.grid).levels_differ == 0


def test_a_changed_file_is_not_taken_for_what_it_was(tmp_path):
    path = tmp_path / "net.nir"
    write(warmed("lif"), path)

    def changed(edit):
        graph = nir.read(path)
        edit(graph)
        nir.write(tmp_path / "changed.nir", graph)
        return tmp_path / "changed.nir"

    def weight(graph):
        graph.nodes["1"].weight[0, 0, 0, 0] += 1

    def threshold(graph):
        graph.nodes["3"].v_threshold[:] = 0.5

    def reset(graph):
        graph.nodes["3"].metadata["reset"] = "zero"

    def edge(graph):
        graph.nodes["more"] = nir.Scale(np.ones(3))
        graph.edges += [("10", "more"), ("more", "11")]

    for edit, node in ((threshold, "3"), (reset, "3"), (edge, "more")):
        with pytest.raises(
            ImportRefusal, match=f"Layer '{node}' cannot .* accepted: the graph as it was written"
        ):
            load(changed(edit), None)
    # a weight is read from its node, so a changed one is another network, which is written the same way
    was, now = (load(file, None).model.get_submodule("1").weight for file in (path, changed(weight)))
    assert float((now - was).detach().abs().max()) == 1


def test_levels_are_not_dropped_with_the_description(tmp_path):
    graph = to_nir(warmed("ilif")).graph
    del graph.metadata[KEY]
    grid = Grid((2, 6, 6), 7, 0.0, 1.0, 3)
    with pytest.raises(ImportRefusal, match=r"'3' .*metadata tell of 3 levels, which a LIF has not"):
        load(graph, grid, dt=1, reset="subtract")
    graph.nodes["3"].metadata.clear()
    imported = load(graph, grid, dt=1, reset="subtract")
    assert compare(imported, reference(graph, dt=1, reset="subtract"), grid).levels_differ == 0


def test_another_input_than_the_file_s_is_refused(tmp_path):
    write(warmed("lif"), tmp_path / "net.nir")
    with pytest.raises(ImportRefusal, match=r"its input is Input\(.*accepted: the input grid of the file"):
        load(tmp_path / "net.nir", Grid((2, 6, 6), 15, 0.0, 1.0, 3))


def test_what_nir_has_not_is_refused(tmp_path):
    maximum = nn.Sequential(
        nn.Input((1, 4, 4)),
        nn.Conv2d(1, 2, 1),
        nn.LIF(2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dense(8, 2),
        nn.Readout(),
    )
    with pytest.raises(ModelError, match=r"Layer '3' \(max_pool\) has no counterpart in NIR"):
        write(maximum, tmp_path / "net.nir")
    slash = nn.Sequential()
    for name, layer in (("in/put", nn.Input((4,))), ("dense", nn.Dense(4, 2)), ("readout", nn.Readout())):
        slash.add_module(name, layer)
    with pytest.raises(ModelError, match="'in/put' must have no slash"):
        to_nir(slash)
    with pytest.raises(ModelError, match=r"\(dt\) must be a finite number above 0, not -1"):
        to_nir(maximum, dt=-1)


def test_an_input_with_a_frame_comes_back(tmp_path):
    grid = Grid((2, 8, 8), 10, 0.0, 1.0, 4, mean=(0.31, 0.5), std=(0.25, 0.5))
    options = {"dt": DT, "reset": "zero", "tolerance": 0.05}
    imported, _ = import_network("nir", spikingjelly_cnn(), grid, **options)
    write(imported.model, tmp_path / "net.nir")
    back, comparison = import_network("nir", tmp_path / "net.nir", grid)
    assert comparison.levels_differ == comparison.classes_differ == 0
    assert back.model.get_submodule("input").pad == (1, 1)


def test_groups_are_told_and_come_back(tmp_path):
    model = nn.Sequential(
        nn.Input((4, 5, 5), 3),
        nn.Conv2d(4, 8, 3, groups=2),
        nn.LIF(8, 0.2),
        nn.Flatten(),
        nn.Dense(72, 2),
        nn.Readout(),
    ).eval()
    (note,) = write(model, tmp_path / "net.nir")
    assert note.startswith("Layer '1' has groups or a kernel that is not square")
    x = samples(model, 5)
    assert torch.equal(load(tmp_path / "net.nir", None).model(x), model(x))


def test_the_command(tmp_path):
    model = warmed("pit")
    nn.save(model, tmp_path / "m.safetensors")
    arguments = ["export", str(tmp_path / "m.safetensors"), "--nir", "-o", str(tmp_path / "m.nir"), "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["path"], found["format"], found["dt"]) == (str(tmp_path / "m.nir"), "nir", 1.0)
    assert len(found["notes"]) == 3
    assert KEY in nir.read(tmp_path / "m.nir").metadata
    x = samples(model, 4)
    assert torch.equal(load(tmp_path / "m.nir", None).model(x), model(x))


def test_there_and_back_by_command(tmp_path):
    """The file tells the input; told otherwise, it is refused."""
    model, there = warmed("sew"), tmp_path / "m.nir"
    write(model, there)
    back = ["import", str(there), "--from", "nir", "-o", str(tmp_path / "b.safetensors")]
    result = CliRunner().invoke(main, [*back, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["grid"]["levels"] == 4
    x = samples(model, 5)
    assert torch.equal(nn.load(tmp_path / "b.safetensors")(x), model(x))
    other = ["--shape", "2,6,6", "--input-levels", "5", "--minimum", "-1", "--maximum", "1", "--steps", "2"]
    result = CliRunner().invoke(main, [*back, *other, "--frames"])
    assert result.exit_code == 3
    assert "accepted: the input grid of the file" in result.stderr


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"needs the package 'nir'.*pip install 'spikefold\[nir\]'"):
        exporter("nir")
