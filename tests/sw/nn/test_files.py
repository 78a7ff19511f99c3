"""Model files: exact round trips."""

import copy
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from nn_models import models, trained_like

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.nn.kinds import KINDS
from spikefold.train import fake_quantized

CHAINS = ["pit", "lif", "images", "nested", "shared scale", "lenet", "vgg11"]
GRAPHS = ["preact_resnet", "resnet19", "resnet20", "sew_resnet", "interleaved", "sums"]


@pytest.mark.parametrize("name", CHAINS + GRAPHS)
def test_round_trip_is_exact(tmp_path: Path, name: str) -> None:
    model = trained_like(models()[name])
    nn.save(model, tmp_path / "m.safetensors", {"accuracy": 0.5})
    loaded = nn.load(tmp_path / "m.safetensors")
    assert isinstance(loaded, nn.Sequential if name in CHAINS else nn.Graph)
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        assert loaded.state_dict()[key].dtype == tensor.dtype
        assert torch.equal(loaded.state_dict()[key], tensor)
    assert not loaded.training
    if name in CHAINS:
        assert str(loaded) == str(model)
    assert described(loaded) == described(model)
    x = samples(model)
    assert torch.equal(loaded(x), model(x))
    assert nn.read_meta(tmp_path / "m.safetensors") == {"accuracy": 0.5}
    nn.save(loaded, tmp_path / "again", {"accuracy": 0.5})
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


def described(model: torch.nn.Module) -> list[tuple]:
    return [(n.name, n.kind, n.inputs, KINDS[n.kind].config(n.module)) for n in nn.graph(model)]


def samples(model: torch.nn.Module) -> torch.Tensor:
    """Make a batch that fits the model's input layer."""
    layer = nn.graph(model)[0].module
    lead = (6,) if layer.static else (layer.steps, 6)
    return torch.rand(*lead, *layer.shape, generator=torch.Generator().manual_seed(1)) * 3


def test_ties_are_saved(tmp_path: Path) -> None:
    model = nn.models.sew_resnet((1, 8, 8), 3, (2, 2), (2, 3))
    model(torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)))  # sets the scales
    nn.save(model, tmp_path / "m")
    loaded = nn.load(tmp_path / "m")
    first, second = loaded.stage1, loaded.stage2
    groups = [
        [loaded.neuron, first.block1.neuron2, first.block2.neuron2],
        [second.block1.neuron2, second.block1.shortcut.neuron, second.block2.neuron2],
    ]
    for group in groups:
        assert {id(neuron.log_scale) for neuron in group} == {id(group[0].log_scale)}
        assert set(group[0].tied) == set(group)
    assert groups[0][0].log_scale is not first.block1.neuron1.log_scale
    assert len(list(loaded.parameters())) == len(list(model.parameters()))


def test_a_tie_made_by_hand_is_saved(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Dense(2, 3), nn.PIT(3), nn.Dense(3, 3), nn.PIT(3))
    model[3].log_scale = model[1].log_scale
    nn.save(model, tmp_path / "m")
    loaded = nn.load(tmp_path / "m")
    assert loaded[3].log_scale is loaded[1].log_scale


def test_files_of_schema_1_still_load(tmp_path: Path) -> None:
    """The benchmark's model was written when models were chains without ties and padding."""
    path = Path(__file__).parents[3] / "bench" / "mnist.safetensors"
    with safetensors.safe_open(str(path), framework="pt") as file:
        description = json.loads(file.metadata()["spikefold"])
    assert description["schema"] == 1
    assert "inputs" not in description["layers"][0]
    model = nn.load(path)
    assert isinstance(model, nn.Sequential)
    assert [node.name for node in nn.graph(model)] == [layer["name"] for layer in description["layers"]]
    tensors = safetensors.torch.load_file(str(path))
    assert {key: value.tolist() for key, value in model.state_dict().items()} == {
        key: value.tolist() for key, value in tensors.items()
    }
    nn.save(model, tmp_path / "m", nn.read_meta(path))
    x = samples(model)
    assert torch.equal(nn.load(tmp_path / "m")(x), model(x))
    kept = nn.read_meta(tmp_path / "m")
    assert kept.pop("rounding") == {
        **vars(nn.Rounding(4))
    }  # read from the recipe, which says so in old files
    assert kept == nn.read_meta(path)


def test_double_precision_survives(tmp_path: Path) -> None:
    model = trained_like(nn.models.mlp(4, [5], 3)).double()
    nn.save(model, tmp_path / "m.safetensors")
    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(nn.load(tmp_path / "m.safetensors")(x), model(x))


def test_same_model_gives_same_bytes_and_leaves_no_other_file(tmp_path: Path) -> None:
    model = trained_like(models()["pit"])
    nn.save(model, tmp_path / "a", {"z": 1, "a": [2]})
    nn.save(model, tmp_path / "b", {"a": [2], "z": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_only_supported_finite_models_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with pytest.raises(ModelError, match=r"^Layer '1' is a ReLU"):
        nn.save(nn.Sequential(nn.Dense(2, 2), torch.nn.ReLU()), path)
    broken = models()["pit"]
    with torch.no_grad():
        broken.dense1.weight[0, 0] = float("nan")
    with pytest.raises(
        ModelError, match=r"^Tensor 'dense1\.weight' must be finite, but it holds NaN or infinity$"
    ):
        nn.save(broken, path)
    unusual = nn.Sequential(torch.nn.BatchNorm1d(3, affine=False))
    with pytest.raises(ModelError, match=r"^Layer '0' must hold the tensors \['bias', .*\], not \["):
        nn.save(unusual, path)
    with pytest.raises(InputError, match=r"^Model meta must be JSON-able: "):
        nn.save(models()["pit"], path, {"x": object()})
    with pytest.raises(
        InputError, match=r"^Model file '.*' must be a file, not a directory; add a file name$"
    ):
        nn.save(models()["pit"], tmp_path)
    assert not path.exists()


def test_how_weights_were_rounded_is_kept(tmp_path):
    net = nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.Readout())
    nn.save(net, tmp_path / "plain")
    assert nn.rounding_of(nn.load(tmp_path / "plain")) is None
    with fake_quantized(net.train(), {"readout": 3}, leak_terms=2):
        net(torch.rand(5, 4))
    assert nn.rounding_of(net) == nn.Rounding({"readout": 3}, "mse", 2)
    nn.save(net, tmp_path / "rounded", {"note": 1})
    assert nn.rounding_of(nn.load(tmp_path / "rounded")) == nn.Rounding({"readout": 3}, "mse", 2)
    assert nn.read_meta(tmp_path / "rounded")["note"] == 1


def test_looking_is_no_training():
    net = nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.Readout())
    with fake_quantized(net.eval(), 4):
        net(torch.rand(5, 4))
    with torch.no_grad(), fake_quantized(net.train(), 4):
        net(torch.rand(5, 4))
    assert nn.rounding_of(net) is None


@pytest.mark.parametrize(
    ("rounding", "message"),
    [
        ("4", r": rounding must be a table, not '4'$"),
        ({"weight_bits": 9}, r"^Weight bits of all layers must be an integer from 1 to 8, not 9$"),
        ({"weight_bits": 4, "method": "x"}, r"^Method must be one of 'max', 'mse', not 'x'$"),
        ({"weight_bits": 4, "bits": 3}, r"rounding.* 'bits' is unknown"),
    ],
)
def test_a_broken_note_about_rounding_is_refused(tmp_path, rounding, message):
    nn.save(nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.Readout()), tmp_path / "m", {"rounding": rounding})
    with pytest.raises(ModelError, match=message):
        nn.load(tmp_path / "m")


def test_a_model_keeps_the_name_of_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = nn.models.mlp(4, [5], 3)
    nn.save(model, "named", data="npz:mine.npz")
    assert nn.read_meta("named") == {"data": {"name": f"npz:{tmp_path / 'mine.npz'}"}}
    nn.save(nn.load("named"), "again", {"note": 1})
    assert nn.read_meta("again") == {"note": 1, **nn.read_meta("named")}
    nn.save(copy.deepcopy(nn.load("again")), "copied")
    assert nn.read_meta("copied") == nn.read_meta("named")
    nn.save(model, "trained", {"recipe": {"data": {"name": "digits", "seed": 3}}, "accuracy": 1})
    nn.save(nn.load("trained"), "tuned")
    assert nn.read_meta("tuned") == {"data": {"name": "digits", "seed": 3}}
    nn.save(nn.load("trained"), "other", data="fashion")
    assert nn.read_meta("other") == {"data": {"name": "fashion"}}
