"""Model files: exact round trips, and every kind of file that must not load."""

import json
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError


def trained_like(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every tensor of ``model`` a value that no constructor would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
            else:
                tensor.fill_(1)
    return model.eval()


def models() -> dict[str, torch.nn.Module]:
    mean = np.random.default_rng(0).normal(size=(2, 3)).tolist()
    return {
        "pit": nn.models.mlp(4, [5], 3, steps=2, levels=7, leak=0.25),
        "lif": nn.Sequential(nn.Input(4), nn.Dense(4, 3), nn.LIF(3, threshold=0.7), nn.Readout()),
        "images": nn.Sequential(
            nn.Input((2, 3), 255, -1.5, 2.5, mean=mean, std=0.3, steps=2),
            nn.Flatten(),
            nn.Dense(6, 2),
            nn.Dropout(0.25),
            torch.nn.Identity(),
            nn.ILIF(2, steps=2, rectify=0.1, reset="zero"),
            nn.Dense(2, 2, bias=False),
            nn.Readout(),
        ),
        "nested": nn.Sequential(
            OrderedDict(
                a=nn.Input(4), b=nn.Sequential(nn.Dense(4, 3), nn.Sequential(nn.PIT(3))), c=nn.Readout()
            )
        ),
    }


@pytest.mark.parametrize("name", ["pit", "lif", "images", "nested"])
def test_round_trip_is_exact(tmp_path: Path, name: str) -> None:
    model = trained_like(models()[name])
    nn.save(model, tmp_path / "m.safetensors", {"accuracy": 0.5})
    loaded = nn.load(tmp_path / "m.safetensors")
    assert list(loaded.state_dict()) == list(model.state_dict())
    for key, tensor in model.state_dict().items():
        assert loaded.state_dict()[key].dtype == tensor.dtype
        assert torch.equal(loaded.state_dict()[key], tensor)
    assert not loaded.training
    assert str(loaded) == str(model)
    shape = model[0].shape
    x = torch.rand(6, *shape, generator=torch.Generator().manual_seed(1)) * 3
    assert torch.equal(loaded(x), model(x))
    assert nn.read_meta(tmp_path / "m.safetensors") == {"accuracy": 0.5}


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


class Interleaved(torch.nn.Module):
    """A chain whose container ``block`` is left and entered again."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Input(4)
        self.block = torch.nn.ModuleList([torch.nn.Linear(4, 3), nn.Readout()])
        self.neuron = nn.PIT(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block[1](self.neuron(self.block[0](self.input(x))))


def test_custom_chain_is_saved_as_a_sequential(tmp_path: Path) -> None:
    model = trained_like(Interleaved())
    nn.save(model, tmp_path / "m")
    loaded = nn.load(tmp_path / "m")
    assert [name for name, _ in loaded.named_children()] == ["input", "block_0", "neuron", "block_1"]
    x = torch.rand(6, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(loaded(x), model(x))


class Forked(Interleaved):
    """Not a chain: the dense layer reads the model's input, past the encoder, which is read nowhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block[1](self.block[0](x))


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


def rewritten(path: Path, edit: object) -> Path:
    """Save a model with its description or tensors changed by ``edit(description, tensors)``."""
    nn.save(trained_like(models()["pit"]), path)
    with safetensors.safe_open(str(path), framework="pt") as file:
        description = json.loads(file.metadata()["spikefold"])
    tensors = safetensors.torch.load_file(str(path))
    edit(description, tensors)
    path.write_bytes(safetensors.torch.save(tensors, metadata={"spikefold": json.dumps(description)}))
    return path


def set_first(name: str, value: float) -> object:
    return lambda description, tensors: tensors[name].view(-1)[:1].fill_(value)


BAD_FILES = {
    "unknown kind": (
        lambda d, t: d["layers"][3].update(kind="relu"),
        r"^Layer 'neuron1' is of unknown kind 'relu'; known: batch_norm, dense, ",
    ),
    "unknown parameter": (
        lambda d, t: d["layers"][3]["config"].update(colour=1),
        r"^Layer 'neuron1' \(pit\) has wrong parameters: .*'colour'",
    ),
    "levels out of range": (
        lambda d, t: d["layers"][3]["config"].update(levels=300),
        r"^PIT levels \(D\) must be an integer from 1 to 255, not 300$",
    ),
    "schema": (lambda d, t: d.update(schema=99), r"^Model file '.*' must have schema 1, not 99; "),
    "no layers": (lambda d, t: d.pop("layers"), r"^Model file '.*' has a broken description "),
    "layer without config": (
        lambda d, t: d["layers"][0].pop("config"),
        r"^Model file '.*' has a broken description ",
    ),
    "twice the same name": (
        lambda d, t: d["layers"].append({"name": "input", "kind": "readout", "config": {}}),
        r"^Layer names must be unique and nest in layer order, not \[",
    ),
    "missing tensor": (
        lambda d, t: t.pop("dense1.weight"),
        r"^Layer 'dense1' does not match its tensors: (.|\n)*weight",
    ),
    "tensor too many": (
        lambda d, t: t.update(extra=torch.zeros(1)),
        r"^Model file '.*' holds the tensor 'extra', which belongs to no layer$",
    ),
    "wrong shape": (
        lambda d, t: t.update({"dense1.weight": torch.zeros(2, 2)}),
        r"^Layer 'dense1' does not match its tensors: (.|\n)*size mismatch",
    ),
    "NaN": (set_first("dense1.weight", float("nan")), r"^Tensor 'dense1\.weight' must be finite, "),
    "infinity": (
        set_first("norm1.running_mean", float("inf")),
        r"^Tensor 'norm1\.running_mean' must be finite, ",
    ),
    "variance": (
        set_first("norm1.running_var", -1.0),
        r"^Tensor 'norm1\.running_var' must not be negative, ",
    ),
    "scale zero": (
        set_first("neuron1.log_scale", -1000.0),
        r"^Layer 'neuron1': PIT scale a must be finite and above 0, not 0\.0 \(step 0, channel 0\); ",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_edited_files_are_refused(tmp_path: Path, case: str) -> None:
    edit, message = BAD_FILES[case]
    with pytest.raises(ModelError, match=message):
        nn.load(rewritten(tmp_path / "m", edit))


class Exploit:
    """Would run code if it were ever unpickled."""

    def __reduce__(self) -> tuple:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("write", ["torch.save", "old torch.save", "pickle"])
def test_pickles_are_never_loaded(tmp_path: Path, write: str) -> None:
    path = tmp_path / "model.pt"
    if write == "pickle":
        path.write_bytes(pickle.dumps(Exploit()))
    else:
        torch.save(Exploit(), path, _use_new_zipfile_serialization=write == "torch.save")
    with pytest.raises(
        ModelError, match=r"^Model file '.*' is a pickle .* never loaded .*spikefold\.nn\.save\("
    ):
        nn.load(path)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_files_are_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "m"
    nn.save(models()["pit"], path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"^Model file '.*' is truncated or not in safetensors format "):
        nn.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^Model file '.*' must exist and be a file; "):
        nn.load(tmp_path / "missing")
    with pytest.raises(ModelError, match=r"^Model file '.*' must exist and be a file; "):
        nn.load(tmp_path)
    (tmp_path / "plain").write_bytes(safetensors.torch.save({"w": torch.zeros(2)}))
    with pytest.raises(ModelError, match=r"^Model file '.*' holds no architecture; "):
        nn.load(tmp_path / "plain")
    (tmp_path / "text").write_text("hello, this is text")
    with pytest.raises(ModelError, match=r"^Model file '.*' is truncated or not in safetensors format "):
        nn.load(tmp_path / "text")
