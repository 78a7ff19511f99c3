"""What `spikefold compile` refuses, and that it leaves everything as it was."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch
from cli_case import (
    FEATURES,
    compiled,
    features,
    invoke,
    model_file,
    recipe_model,
    refused,
    tiny_model,
    tree,
)

from spikefold.formats.tensors import pack_tensors


@pytest.fixture
def model(tmp_path):
    return recipe_model(tmp_path)


BAD_OPTIONS = {
    "weight bits 0": (["--weight-bits", "0"], r"Weight bits of 'layer0' must be 1\.\.8, not 0$"),
    "weight bits 9": (["--weight-bits", "readout=9"], r"Weight bits of 'readout' must be 1\.\.8, not 9$"),
    "weight bits text": (["--weight-bits", "four"], r"Weight bits must be a number .*, not 'four'$"),
    "weight bits layer": (["--weight-bits", "conv1=4"], r"Weight bits must name one of .*, not 'conv1'$"),
    "input levels 0": (["--input-levels", "0"], r"Input levels must be 1\.\.255, not 0$"),
    "input levels 256": (["--input-levels", "256"], r"Input levels must be 1\.\.255, not 256$"),
    "lanes 0": (["--lanes", "0"], r"Lane count of 'layer0' must be a positive integer, not 0$"),
    "lanes -1": (["--lanes", "layer0=-1"], r"Lane count of 'layer0' must be a positive integer, not -1$"),
    "lanes text": (["--lanes", "many"], r"Lane count of 'layer0' must be a positive integer, not 'many'$"),
    "lanes layer": (["--lanes", "layer9=4"], r"Lanes must name one of layer0, readout, not 'layer9'$"),
    "lanes many": (["--lanes", "2000"], r"Lane count of 'layer0' must be 1\.\.1024, not 2000$"),
    "units 0": (["--units", "0"], r"Unit count of 'layer0' must be a positive integer, not 0$"),
    "units 7": (["--units", "layer0=7"], r"Units of 'layer0' must divide the 10 channels .*, not be 7$"),
    "order": (
        ["--order", "outer"],
        r"Order of time must be auto, position-major or step-major, not 'outer'$",
    ),
    "weights": (["--weights", "ram"], r"Weights must be rom or loaded, not 'ram'$"),
    "pooling": (["--pooling", "none"], r"Pooling must be auto, unit or compose, not 'none'$"),
    "identity bits": (["--identity-bits", "0"], r"Identity bits must be 1\.\.8, not 0$"),
    "device": (["--device", "zx"], r"Device must be one of ecp5-85k, .*, not 'zx'$"),
    "fps 0": (["--fps", "0"], r"Frames per second must be a positive number, not 0\.0$"),
    "fps high": (["--fps", "1e9"], r"Frames per second must be at most [\d.]+ at 100 MHz, not 1e\+09: "),
    "clock": (["--clock-mhz", "-1"], r"Clock in MHz must be a positive number, not -1\.0$"),
    "luts": (["--lut-budget", "9"], r"LUT budget must be at least [\d ]+, not 9: the smallest design needs "),
    "memory": (["--memory-budget", "9"], r"Memory budget must be at least [\d ]+ bits, not 9: the smallest "),
    "coding": (["--coding", "gray"], r"Coding must be auto, binary, naf or unary, not 'gray'$"),
    "membrane": (["--membrane-bits", "2"], r"Membrane bits must be .*, not 2$"),
    "method": (
        ["--method", "best"],
        r"Quantization method must be one of 'auto', 'max', 'mse', 'fit', not 'best'$",
    ),
    "name": (["--name", "My Net"], r"Network name must be .*'My Net'"),
    "data": (["--data", "imagenet"], r"Data set must be one of .*, not 'imagenet'$"),
    "fit": (["--fit", "nowhere"], r"Build directory 'nowhere' was not found; compile one first"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_option(tmp_path, model, case):
    options, pattern = BAD_OPTIONS[case]
    before = sorted(tmp_path.iterdir())
    refused(compiled(tmp_path, model, *options), 3, pattern)
    assert sorted(tmp_path.iterdir()) == before


def _altered(path, change):
    """Rewrite a model file: `change(description, tensors)` alters both in place."""
    with safetensors.safe_open(str(path), framework="pt") as file:
        description = json.loads(file.metadata()["spikefold"])
    tensors = safetensors.torch.load_file(path)
    change(description, tensors)
    path.write_bytes(pack_tensors(tensors, {"spikefold": json.dumps(description)}))


def _layer(description, name):
    return next(layer for layer in description["layers"] if layer["name"] == name)


BAD_MODELS = {
    "unknown layer": (
        lambda d, t: _layer(d, "dense1").update(kind="conv9d"),
        r"Layer 'dense1' is of unknown kind 'conv9d'; known: ",
    ),
    "unknown neuron": (
        lambda d, t: _layer(d, "neuron1").update(kind="izhikevich"),
        r"Layer 'neuron1' is of unknown kind 'izhikevich'; known: ",
    ),
    "NaN weight": (
        lambda d, t: t["dense1.weight"].__setitem__((0, 0), float("nan")),
        r"Tensor 'dense1\.weight' must be finite, but it holds NaN or infinity$",
    ),
    "infinite weight": (
        lambda d, t: t["dense2.bias"].__setitem__(0, float("inf")),
        r"Tensor 'dense2\.bias' must be finite, but it holds NaN or infinity$",
    ),
    "a = 0": (
        lambda d, t: t["neuron1.log_scale"].__setitem__((0, 1), -1000.0),
        r"Layer 'neuron1': PIT scale a must be finite and above 0, not 0\.0 \(step 0, channel 1\)",
    ),
    "D = 0": (
        lambda d, t: _layer(d, "neuron1")["config"].update(levels=0),
        r".*levels \(D\) must be an integer from 1 to 255, not 0$",
    ),
    "D = 256": (
        lambda d, t: _layer(d, "neuron1")["config"].update(levels=256),
        r".*levels \(D\) must be an integer from 1 to 255, not 256$",
    ),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_model(tmp_path, model, case):
    change, pattern = BAD_MODELS[case]
    _altered(model, change)
    refused(compiled(tmp_path, model), 3, pattern)
    assert not (tmp_path / "build").exists()


def test_negative_threshold_of_lif(tmp_path):
    model = model_file(tmp_path, neuron="lif", levels=None)
    _altered(model, lambda d, t: _layer(d, "neuron1")["config"].update(threshold=-1.0))
    refused(compiled(tmp_path, model), 3, r".*threshold must be .*above 0, not -1\.0")


def test_pickle(tmp_path):
    path = tmp_path / "model.pt"
    torch.save(tiny_model().state_dict(), path)
    refused(
        compiled(tmp_path, path), 3, r"Model file '.*' is a pickle \(torch\.save\), and pickles are never"
    )


@pytest.mark.parametrize("size", [0, 4, 100, -10])
def test_truncated_model(tmp_path, model, size):
    model.write_bytes(model.read_bytes()[:size])
    refused(compiled(tmp_path, model), 3, r"Model file '.*' is truncated or not in safetensors format")


def test_data_of_another_shape(tmp_path):
    x, y = features(40)
    np.savez(tmp_path / "wide.npz", x_train=x[:, 1:], y_train=y, x_test=x[:, 1:], y_test=y)
    result = compiled(tmp_path, model_file(tmp_path), "--data", f"npz:{tmp_path / 'wide.npz'}")
    refused(result, 3, rf".*{FEATURES}.*{FEATURES - 1}")
    assert not (tmp_path / "build").exists()


def test_output_that_holds_something_else(tmp_path, model):
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    refused(compiled(tmp_path, model), 3, r"Output directory must be new, empty or an earlier build, but ")
    assert tree(folder) == {"thesis.tex": b"years of work"}
    (tmp_path / "file").write_text("x")
    refused(
        invoke("compile", model, "-o", tmp_path / "file"),
        3,
        r"Output must be a directory, but '.*' is a file",
    )
    assert (tmp_path / "file").read_text() == "x"


def test_a_bad_output_is_found_before_any_work(tmp_path):
    (tmp_path / "build").touch()
    refused(compiled(tmp_path, tmp_path / "no model"), 3, r"Output must be a directory")
