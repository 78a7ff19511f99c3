import re

import numpy as np
import pytest
import torch
from cli_case import data_file, fields, invoke, refused

from spikefold import nn


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(
        f"[data]\nname = 'npz:{data_file(tmp_path)}'\n[model]\nhidden = [10]\n"
        "[training]\nepochs = 2\nbatch_size = 32\nweight_bits = 4\n"
    )
    return path


def test_fields(recipe, tmp_path):
    model = tmp_path / "model.safetensors"
    result = invoke("train", recipe, "-o", model, "--json")
    found = fields(result)
    assert found["path"] == str(model)
    assert found["epochs"] == 2
    assert found["seconds"] > 0
    assert 0 <= found["accuracy_quantized"] <= 100
    assert found["accuracy_float"] == pytest.approx(100 * nn.read_meta(model)["accuracy_float"], abs=1e-3)
    assert "epoch 2/2" in result.stderr
    first = model.read_bytes()
    table = invoke("train", recipe, "-o", model, "--no-resume", "-q")
    words = " ".join(table.stdout.split())
    assert re.search(
        r"accuracy as deployed, weights rounded [\d.]+ % without rounding the weights [\d.]+ %", words
    )
    assert "float accuracy" not in words  # it would be that of weights which nobody deploys
    assert table.stderr == ""
    assert model.read_bytes() == first


def test_keep_first(tmp_path):
    text = (
        "[data]\nname='digits'\n[model]\nhidden=[4]\n"
        "[training]\nschedule='constant'\nwarmup=0.0\nepochs={}\n"  # the first epoch of two is that of one
    )
    for epochs in (1, 2):
        (tmp_path / f"{epochs}.toml").write_text(text.format(epochs))
    first, one, two = (tmp_path / name for name in ("first", "one", "two"))
    fields(invoke("train", tmp_path / "2.toml", "-o", two, "--keep-first", first, "--json", "-q"))
    fields(invoke("train", tmp_path / "1.toml", "-o", one, "--json", "-q"))
    kept, alone, last = (nn.load(path).state_dict() for path in (first, one, two))
    assert all(torch.equal(kept[key], alone[key]) for key in kept)
    assert not torch.equal(kept["dense1.weight"], last["dense1.weight"])
    refused(
        invoke("train", tmp_path / "1.toml", "-o", one, "--keep-first", one),
        3,
        "File of the first epoch must be another than the output",
    )


def test_images(tmp_path):
    x = np.random.default_rng(0).random((24, 1, 8, 8))
    y = np.arange(24) % 3
    np.savez(tmp_path / "x.npz", x_train=x, y_train=y, x_test=x[:7], y_test=y[:7])
    path = tmp_path / "cnn.toml"
    path.write_text(
        f"[data]\nname = 'npz:{tmp_path / 'x.npz'}'\n[model]\nkind = 'cnn'\nchannels = [3]\nsteps = 2\n"
        "[training]\nepochs = 1\nbatch_size = 8\nshift = 1\nflip = true\n"
    )
    found = fields(invoke("train", path, "-o", tmp_path / "m", "--json", "-q"))
    assert found["accuracy_quantized"] is None
    assert found["accuracy_float"] == pytest.approx(100 * nn.read_meta(tmp_path / "m")["accuracy_float"])
    assert nn.read_meta(tmp_path / "m")["recipe"]["model"]["channels"] == [3]
    assert nn.load(tmp_path / "m").pool1.kernel_size == (2, 2)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("[data]\nname='x'\n[model]\nhidden=[3]", r"Data set must be one of .*, not 'x'$"),
        (
            "[data]\nname='digits'\n[model]\nhidden=[3]\nneuron='hh'",
            r"Recipe model\.neuron must be one of .*'hh'$",
        ),
        (
            "[data]\nname='digits'\n[model]\nhidden=[3]\nlevels=0",
            r"Recipe model\.levels \(D\) must be .*, not 0$",
        ),
        (
            "[data]\nname='digits'\n[model]\nhidden=[3]\nlevel=4",
            r"Recipe key 'model\.level' is unknown; did you",
        ),
        (
            "[data]\nname='digits'\n[model]\nkind='cnn'\nwidth=4",
            r"Recipe key 'model\.width' is unknown for the kind 'cnn'; known keys: kind, channels, ",
        ),
        (
            "[data]\nname='digits'\n[model]\nkind='cnn'",
            r"Recipe model\.kind must be 'mlp' for 'digits', whose samples have the shape \(64,\), not 'cnn'",
        ),
        (
            "[data]\nname='idx:none'\n[model]\nhidden=[3]",
            r"Data folder '.*/none' must hold the file 'train-im",
        ),
        ("no toml", r"Recipe '.*' must be TOML: "),
    ],
)
def test_bad_recipe(tmp_path, text, pattern):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    refused(invoke("train", path, "-o", tmp_path / "m.safetensors", "-q"), 3, pattern)
    assert list(tmp_path.iterdir()) == [path]


def test_bad_paths(recipe, tmp_path):
    refused(invoke("train", tmp_path / "none.toml", "-o", tmp_path / "m"), 3, r"Recipe '.*' was not found")
    refused(invoke("train", recipe, "-o", tmp_path), 3, r"Output '.*' must be a file, not a directory")
    (tmp_path / "notes").write_text("mine")
    refused(
        invoke("train", recipe, "-o", tmp_path / "notes"),
        3,
        r"Output '.*' exists and is not a spikefold model",
    )
    assert (tmp_path / "notes").read_text() == "mine"


def test_quantize_and_start_from_a_model(recipe, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    fields(invoke("train", recipe, "-o", first, "--json", "-q"))
    options = ("--quantize", "bits=3,leak_terms=2", "--from", first, "--device", "cpu")
    found = fields(invoke("train", recipe, "-o", second, *options, "--json", "-q"))
    assert found["accuracy_quantized"] is not None
    assert found["accuracy_validation"] is None
    training = nn.read_meta(second)["recipe"]["training"]
    chosen = [training[key] for key in ("weight_bits", "leak_terms", "quantize_after", "device")]
    assert chosen == [3, 2, 0.0, "cpu"]
    invoke("train", recipe, "-o", second, "--quantize", "after=0.5,bits=5", "-q")
    assert nn.read_meta(second)["recipe"]["training"]["quantize_after"] == 0.5


def test_logs(recipe, tmp_path):
    pytest.importorskip("tensorboardX")
    fields(invoke("train", recipe, "-o", tmp_path / "m", "--log-dir", tmp_path / "logs", "--json", "-q"))
    assert list((tmp_path / "logs").glob("events.*"))


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (["--quantize", "4"], r"Option --quantize must be bits=B, optionally with leak_terms=K and .*'4'$"),
        (["--quantize", "bits=x"], r"Option --quantize must be bits=B, .*, not 'bits=x'$"),
        (["--quantize", "leak_terms=3"], r"Option --quantize must name the bits, as in bits=4, not 'leak_t"),
        (["--quantize", "bits=9"], r"Recipe training\.weight_bits must be an integer from 2 to 8, not 9$"),
        (["--from", "none"], r"Model file 'none' "),
        (["--device", "cuda"], r"Recipe training\.device must be 'cpu' or 'auto' here, not 'cuda'"),
    ],
)
def test_bad_options(recipe, tmp_path, monkeypatch, options, pattern):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refused(invoke("train", recipe, "-o", tmp_path / "m", "-q", *options), 3, pattern)
    assert not (tmp_path / "m").exists()
