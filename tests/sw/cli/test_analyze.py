import json

import numpy as np
import pytest
from cli_case import data_file, fields, invoke, model_file, recipe_meta, refused

from spikefold import nn


@pytest.fixture
def model(tmp_path):
    return model_file(tmp_path, meta=recipe_meta(data_file(tmp_path)), steps=2)


def test_fields(model, tmp_path):
    output = tmp_path / "analysis"
    options = ("--samples", 24, "--landscape", 3, "--first", model)
    found = fields(invoke("analyze", model, "-o", output, *options, "--json"))
    assert found["path"] == str(output)
    assert found["files"] == sorted(file.name for file in output.iterdir())
    assert found["samples"] == 24
    assert 0 <= found["accuracy"] <= 100
    assert found["landscape"]["samples"] == 24
    assert found["integer"] is None
    written = json.loads((output / "analysis.json").read_text())
    assert written.pop("name") == "tiny"
    assert written == {key: value for key, value in found.items() if key not in ("path", "files")}


def test_tables(model, tmp_path):
    result = invoke("analyze", model, "-q")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "neuron1" in result.stdout
    assert "dense1 *" in result.stdout
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.npz", "tiny.safetensors"]


def test_samples_are_spread_over_the_test_set(model, tmp_path):
    """Every third of 60; and all where more are asked for."""
    x = np.load(tmp_path / "tiny.npz")
    every_third = tmp_path / "third.npz"
    np.savez(every_third, **{k: (x[k][::3] if k.endswith("test") else x[k]) for k in x.files})
    found = fields(invoke("analyze", model, "--samples", 20, "--json"))
    assert found == fields(invoke("analyze", model, "--data", f"npz:{every_third}", "--json"))
    assert fields(invoke("analyze", model, "--json"))["samples"] == 60


def test_build(model, tmp_path):
    assert invoke("compile", model, "-o", tmp_path / "b", "-q").exit_code == 0
    found = fields(invoke("analyze", model, "--build", tmp_path / "b", "--json"))["integer"]
    assert [row["name"] for row in found["layers"]] == ["layer0", "readout"]
    assert found["total"]["additions"] > 0
    table = invoke("analyze", model, "--build", tmp_path / "b", "-q")
    assert "synaptic additions of build tiny" in table.stdout


def test_numbers_alone(model, tmp_path):
    found = fields(invoke("analyze", model, "-o", tmp_path / "a", "--no-figures", "--json"))
    assert found["files"] == ["analysis.json"]


def test_missing_matplotlib(model, tmp_path, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    refused(
        invoke("analyze", model, "-o", tmp_path / "a"), 4, r"Figures need the package matplotlib; install it"
    )
    assert invoke("analyze", model, "-q").exit_code == 0


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (("--samples", 0), r"Number of samples must be a positive integer, not 0$"),
        (("--landscape", 4), r"Landscape points must be odd, 3\.\.201, .*, not 4$"),
        (("--data", "none"), r"Data set must be one of "),
        (("--first", "none"), r"Model file 'none' was not found"),
        (("--build", "none"), r"Build directory 'none' was not found; compile one first"),
        (("--weight-bits", 0), r"Weight bits must be a positive integer, not 0$"),
    ],
)
def test_refusals(model, tmp_path, options, pattern):
    refused(invoke("analyze", model, "-o", tmp_path / "a", *options), 3, pattern)
    assert not (tmp_path / "a").exists()


def test_data_must_be_known_and_fit(tmp_path, model):
    nameless = model_file(tmp_path, "nameless.safetensors")
    refused(invoke("analyze", nameless), 3, r"Data must be named with --data, as the model file names none$")
    refused(
        invoke("analyze", model, "--data", "digits"),
        3,
        r"Input must have shape \[batch, 12\], not \[32, 64\]$",
    )
    other = tmp_path / "other.safetensors"
    nn.save(nn.models.mlp(12, [7], 3), other)
    refused(
        invoke("analyze", model, "--first", other),
        3,
        r"First model must have the neuron layers of the analysed",
    )


def test_output_that_is_taken(model, tmp_path):
    refused(
        invoke("analyze", model, "-o", tmp_path),
        3,
        r"Output directory must be new, empty or an earlier analysis",
    )
