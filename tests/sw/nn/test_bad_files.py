"""Files that must not load: edited, truncated, foreign, pickled."""

import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from nn_models import trained_like

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.formats.tensors import pack_tensors, read_tensors


def rewritten(path: Path, edit: object) -> Path:
    """Save a model changed by ``edit(description, tensors)``, with the digest of what it then holds."""
    nn.save(trained_like(nn.models.mlp(4, [5, 5], 3, steps=2, levels=7)), path)
    with safetensors.safe_open(str(path), framework="pt") as file:
        description = json.loads(file.metadata()["spikefold"])
    tensors = safetensors.torch.load_file(str(path))
    edit(description, tensors)
    path.write_bytes(pack_tensors(tensors, {"spikefold": json.dumps(description)}))
    return path


def set_first(name: str, value: float) -> object:
    return lambda description, tensors: tensors[name].view(-1)[:1].fill_(value)


def layer(name: str, inputs: list[str], kind: str = "identity") -> dict:
    return {"name": name, "kind": kind, "config": {}, "inputs": inputs}


BAD_FILES = {
    "unknown kind": (
        lambda d, t: d["layers"][3].update(kind="relu"),
        r"^Layer 'neuron1' is of unknown kind 'relu'; known: add, avg_pool, batch_norm, ",
    ),
    "unknown parameter": (
        lambda d, t: d["layers"][3]["config"].update(colour=1),
        r"^Layer 'neuron1' \(pit\) has wrong parameters: .*'colour'",
    ),
    "levels out of range": (
        lambda d, t: d["layers"][3]["config"].update(levels=300),
        r"^PIT levels \(D\) must be an integer from 1 to 255, not 300$",
    ),
    "schema": (lambda d, t: d.update(schema=99), r"^Model file '.*' must have schema 1 or 2, not 99; "),
    "no layers": (lambda d, t: d.pop("layers"), r"^Model file '.*' has a broken description "),
    "layer without config": (
        lambda d, t: d["layers"][0].pop("config"),
        r"^Model file '.*' has a broken description ",
    ),
    "twice the same name": (
        lambda d, t: d["layers"].append(layer("input", ["readout"])),
        r"^Layer names must be unique, but 'input' occurs twice$",
    ),
    "layer without inputs": (
        lambda d, t: d["layers"][1].pop("inputs"),
        r"^Model file '.*' has a broken description \(KeyError",
    ),
    "inputs that are no names": (
        lambda d, t: d["layers"][1].update(inputs="input"),
        r"^Model file '.*' has a broken description \(TypeError",
    ),
    "empty": (lambda d, t: d.update(layers=[]), r"^Model file '.*' has a broken description \(it has no "),
    "unknown input": (
        lambda d, t: d["layers"][1].update(inputs=["eye"]),
        r"^Layer 'dense1' must read layers that come before it, not 'eye'$",
    ),
    "cycle": (
        lambda d, t: d["layers"][1].update(inputs=["neuron1"]),
        r"^Layer 'dense1' must read layers that come before it, not 'neuron1'$",
    ),
    "reads itself": (
        lambda d, t: d["layers"][1].update(inputs=["dense1"]),
        r"^Layer 'dense1' must read layers that come before it, not 'dense1'$",
    ),
    "too many inputs": (
        lambda d, t: d["layers"][1].update(inputs=["input", "input"]),
        r"^Layer 'dense1' \(dense\) must read one layer, or none .*, not \['input', 'input'\]$",
    ),
    "a sum of one": (
        lambda d, t: d["layers"].append(layer("sum", ["readout"], "add")),
        r"^Layer 'sum' \(add\) must read at least 2 layers, not \['readout'\]$",
    ),
    "read by none": (
        lambda d, t: d["layers"].append(layer("more", ["neuron1"])),
        r"^Layer 'readout' must be read by a layer after it, but is read by none$",
    ),
    "name inside a layer": (
        lambda d, t: d["layers"].append(layer("readout.more", ["readout"])),
        r"^Layer name 'readout\.more' cannot be used: another layer is in the way$",
    ),
    "name of a method": (
        lambda d, t: d["layers"].append(layer("forward", ["readout"])),
        r"^Layer name 'forward' cannot be used: attribute 'forward' already exists$",
    ),
    "name with an empty part": (
        lambda d, t: d["layers"].append(layer("a..b", ["readout"])),
        r"^Layer name 'a\.\.b' cannot be used: module name can't be empty string",
    ),
    "ties that are no names": (
        lambda d, t: d.update(ties=["neuron1"]),
        r"^Model file '.*' has a broken description \(TypeError",
    ),
    "tied to nothing": (
        lambda d, t: d.update(ties=[["neuron1", "neuron7"]]),
        r"^Tied layers must be layers of the model, not 'neuron7'$",
    ),
    "tied to a dense layer": (
        lambda d, t: d.update(ties=[["neuron1", "dense1"]]),
        r"^Layers \['neuron1', 'dense1'\] cannot be tied: Tied neurons must be PIT, not Dense; ",
    ),
    "tied to itself": (
        lambda d, t: d.update(ties=[["neuron1", "neuron1"]]),
        r"^Layers \['neuron1', 'neuron1'\] cannot be tied: Tied neurons must be at least 2 different ones",
    ),
    "tied but different": (
        lambda d, t: d.update(ties=[["neuron1", "neuron2"]]),
        r"^Layers \['neuron1', 'neuron2'\] are tied, so their log_scale must be equal, but it is not$",
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


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"schema": 2, "layers": {"a": 1}}'])
def test_descriptions_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m"
    path.write_bytes(pack_tensors({"w": torch.zeros(2)}, {"spikefold": text}))
    with pytest.raises(ModelError, match=r"^Model file '.*' has a broken description \("):
        nn.load(path)


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
    nn.save(nn.models.mlp(4, [5], 3), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"^Model file '.*' is truncated or not in safetensors format "):
        nn.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^Model file '.*missing' was not found; it must be a file"):
        nn.load(tmp_path / "missing")
    with pytest.raises(ModelError, match=r"^Model file '.*' must be a file, but is a directory, written"):
        nn.load(tmp_path)
    (tmp_path / "plain").write_bytes(safetensors.torch.save({"w": torch.zeros(2)}))
    with pytest.raises(ModelError, match=r"^Model file '.*' holds no architecture; "):
        nn.load(tmp_path / "plain")
    (tmp_path / "text").write_text("hello, this is text")
    with pytest.raises(ModelError, match=r"^Model file '.*' is truncated or not in safetensors format "):
        nn.load(tmp_path / "text")


def test_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    nn.save(nn.models.mlp(4, [5], 3), path, {"a": 1})
    data = path.read_bytes()
    assert nn.read_meta(path) == {"a": 1}
    start = 8 + int.from_bytes(data[:8], "little")
    described, digest = data.index(rb"\"a\": ") + 7, data.index(b'"sha256":"') + 10
    assert data[described : described + 1] == b"1"
    for place in (*range(start, len(data), 29), described, digest):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        message = r"^Model file '.*' must be as it was written, but was edited or damaged: its sha256 differs"
        with pytest.raises(ModelError, match=message):
            nn.load(path)
        with pytest.raises(ModelError, match=message):
            nn.read_meta(path)


def test_files_without_a_digest_are_read_for_those_who_trust_them(tmp_path: Path) -> None:
    path, model = tmp_path / "m", trained_like(nn.models.mlp(4, [5], 3))
    nn.save(model, path, {"a": 1})
    found = read_tensors(path, "it")
    signed = path.read_bytes()
    path.write_bytes(safetensors.torch.save(found.tensors, metadata=found.metadata))
    for read in (nn.load, nn.read_meta):
        message = r"^Model file '.*' must carry the digest of its tensors, but has none; if you trust it: "
        with pytest.raises(ModelError, match=message):
            read(path)
    nn.save(nn.load(path, unsigned=True), path, nn.read_meta(path, unsigned=True))
    assert path.read_bytes() == signed


@pytest.mark.parametrize("kind", [torch.complex64, torch.float8_e4m3fn])
def test_types_that_no_model_has(tmp_path: Path, kind: torch.dtype) -> None:
    path = tmp_path / "m"
    path.write_bytes(pack_tensors({"w": torch.zeros(2, dtype=kind)}, {"spikefold": "{}"}))
    with pytest.raises(
        ModelError, match=r"^Tensor 'w' of model file '.*' must be of one of the types F64, F32, "
    ):
        nn.load(path)


@pytest.mark.parametrize("name", ["bench/mnist", "examples/fashion", "examples/fashion_residual"])
def test_the_models_that_come_along_carry_digests(name: str) -> None:
    assert read_tensors(Path(__file__).parents[3] / f"{name}.safetensors", "it").signed
