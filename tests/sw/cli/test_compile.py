import json
import re
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from cli_case import (
    FEATURES,
    data_file,
    features,
    fields,
    invoke,
    model_file,
    recipe_meta,
    refused,
    tiny_model,
    tree,
)

from spikefold import load, nn
from spikefold.choices import parse_weight_bits
from spikefold.cli.compile import design_name
from spikefold.errors import InputError
from spikefold.formats.tensors import pack_tensors
from spikefold_boards import devices


@pytest.fixture
def model(tmp_path):
    return model_file(tmp_path, "Tiny-Net 2.safetensors", meta=recipe_meta(data_file(tmp_path)))


def compiled(tmp_path, *arguments):
    return invoke("compile", *arguments, "-o", tmp_path / "build", "--json")


def test_fields(tmp_path, model):
    found = fields(compiled(tmp_path, model))
    assert 0 <= found["accuracy_float"] <= 100
    assert 0 <= found["accuracy_integer"] <= 100
    assert set(found["widths"]) == set(found["lanes"]) == {"layer0", "readout"}
    assert set(found["coding"]) == {"input", "layer0"}
    assert found["memory_bits"] > 0
    assert found["seconds"] > 0
    assert found["name"] == "tiny_net_2"
    assert found["path"] == str(tmp_path / "build")
    design = load(tmp_path / "build")
    assert design.name == "tiny_net_2"
    assert design.info["data"]["name"] == f"npz:{tmp_path / 'tiny.npz'}"
    assert design.summary["accuracy_integer"] == found["accuracy_integer"]


def test_accuracies_are_those_of_the_test_split(tmp_path, model):
    found = fields(compiled(tmp_path, model))
    with np.load(tmp_path / "tiny.npz") as data:
        x, y = data["x_test"], data["y_test"]
    hits = (load(tmp_path / "build").golden(x).classes == y).mean()
    assert found["accuracy_integer"] == pytest.approx(100 * hits, abs=1e-3)
    with torch.no_grad():
        hits = (tiny_model()(torch.from_numpy(x)).argmax(1).numpy() == y).mean()
    assert found["accuracy_float"] == pytest.approx(100 * hits, abs=1e-3)


def test_table(tmp_path, model):
    result = invoke("compile", model, "-o", tmp_path / "build")
    assert result.exit_code == 0
    for text in ("float accuracy", "memory bits", "layer0 *", "readout", "cycles per sample", "total"):
        assert text in result.stdout
    words = " ".join(result.stdout.split())
    assert re.search(r"layer0 sets the pace with \d+ cycles a sample: ", words)
    assert "Order of time: position-major. With one time step there is no order to choose." in words


def test_pipeline_fields(tmp_path, model):
    found = fields(compiled(tmp_path, model, "--device", "ice40-up5k"))
    rows = {row["stage"]: row for row in found["pipeline"]}
    assert list(rows) == ["input", "layer0", "readout"]
    assert [row["stage"] for row in found["pipeline"] if row["slowest"]] == [found["limit"]["stage"]]
    assert found["total"]["memory_bits"] == found["memory_bits"]
    assert found["total"]["memory_bits"] == sum(row["memory_bits"] for row in rows.values())
    assert found["total"]["luts"] == sum(row["luts"] for row in rows.values())
    assert rows["layer0"]["lanes"] == found["lanes"]["layer0"]
    assert found["order"] == "position_major"
    assert found["order_reason"]
    assert found["fits"] is True
    assert found["device"]["block_ram_bits"] == 122880
    assert found["calibration"].keys() == {
        *("samples", "cycles_interval", "cycles_latency", "layers", "firing", "levels")
    }


def test_memory_that_does_not_fit_is_a_warning(tmp_path, model, monkeypatch):
    small = replace(devices.DEVICES["ice40-up5k"], block_ram_bits=1500)
    monkeypatch.setattr(devices, "DEVICES", {**devices.DEVICES, "ice40-up5k": small})
    found = fields(compiled(tmp_path, model, "--device", "ice40-up5k"))
    assert found["fits"] is False
    result = invoke("compile", model, "-o", tmp_path / "build", "--device", "ice40-up5k")
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert "fits the block RAM of ice40-up5k no" in words
    assert "Warning: memory of " in words


def test_help_has_examples_and_every_option():
    text = " ".join(invoke("compile", "--help").stdout.split())
    for option in (
        *("--lanes", "--units", "--fps", "--clock-mhz", "--lut-budget", "--memory-budget", "--order"),
        *("--weights", "--identity-bits", "--pooling", "--device"),
    ):
        assert option in text, option
    assert "spikefold compile resnet.safetensors -o build/ --fps 200 --clock-mhz 120" in text


def test_options_reach_the_design(tmp_path, model):
    options = (
        "--name",
        "mine",
        "--weight-bits",
        "layer0=3,readout=8",
        "--lanes",
        "layer0=2",
        "--coding",
        "unary",
    )
    fields(
        compiled(tmp_path, model, *options, "--input-levels", "7", "--membrane-bits", "20", "--method", "mse")
    )
    design = load(tmp_path / "build")
    first, readout = design.plan.layers
    assert design.name == "mine"
    assert first.projections[0].weight_bits == 3
    assert readout.projections[0].weight_bits == 8
    assert first.lanes == 2
    assert {each.coding for layer in design.plan.layers for each in layer.projections} == {"unary"}
    assert design.plan.input.levels == 7
    assert first.widths.membrane == 20


def test_hardware_options_reach_the_design(tmp_path):
    model = model_file(tmp_path, steps=2)
    options = ("--order", "step-major", "--weights", "loaded", "--units", "layer0=2", "--identity-bits", "5")
    found = fields(compiled(tmp_path, model, *options, "--pooling", "unit", "--lanes", "layer0=4"))
    design = load(tmp_path / "build")
    assert design.plan.time.order == found["order"] == "step_major"
    assert found["order_reason"].startswith("As asked, ")
    assert design.plan.loaded
    assert design.plan.layers[0].units == 2


def test_rate(tmp_path, model):
    found = fields(compiled(tmp_path, model, "--fps", "100000", "--clock-mhz", "30"))
    assert found["calibration"]["cycles_interval"] <= 300
    assert found["lanes"] == {"layer0": 1, "readout": 1}


def test_lut_budget(tmp_path, model):
    found = fields(compiled(tmp_path, model))["total"]["luts"]
    less = fields(compiled(tmp_path, model, "--lut-budget", str(found - 50), "--memory-budget", "20000"))
    assert less["total"]["luts"] <= found - 50


def test_lanes_for_all(tmp_path, model):
    assert fields(compiled(tmp_path, model, "--lanes", "3"))["lanes"] == {"layer0": 3, "readout": 3}


@pytest.mark.parametrize(
    "meta", [None, {"recipe": {"data": {"name": "npz:gone.npz"}, "model": {"hidden": [1]}}}]
)
def test_without_data(tmp_path, meta):
    result = compiled(tmp_path, model_file(tmp_path, meta=meta))
    found = fields(result)
    assert found["accuracy_float"] is found["accuracy_integer"] is None
    assert "calibrated on random levels" in result.stderr
    assert "data" not in load(tmp_path / "build").info


def test_other_data(tmp_path):
    found = fields(compiled(tmp_path, model_file(tmp_path), "--data", f"npz:{data_file(tmp_path)}"))
    assert found["accuracy_integer"] is not None


def test_relative_data_are_found_from_elsewhere(tmp_path, monkeypatch):
    path = data_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    fields(compiled(tmp_path, model_file(tmp_path), "--data", f"npz:{path.name}"))
    assert load(tmp_path / "build").info["data"]["name"] == f"npz:{path}"


def test_a_model_saved_with_the_name_of_its_data(tmp_path):
    model = tmp_path / "named.safetensors"
    nn.save(tiny_model(), model, data=f"npz:{data_file(tmp_path)}")
    assert fields(compiled(tmp_path, model))["accuracy_integer"] is not None
    nn.save(nn.load(model), model)  # as after tuning
    assert fields(compiled(tmp_path, model))["accuracy_integer"] is not None


def test_same_bytes_twice(tmp_path, model):
    for name in ("a", "b"):
        assert invoke("compile", model, "-o", tmp_path / name, "-q").exit_code == 0
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_fit_changes_images_alone(tmp_path, model):
    fields(compiled(tmp_path, model))
    other = tiny_model()
    with torch.no_grad():
        other.dense1.weight[:] = other.dense1.weight.flip(1)
    nn.save(other, tmp_path / "other.safetensors")
    result = invoke(
        *("compile", tmp_path / "other.safetensors", "-o", tmp_path / "fitted"),
        *("--fit", tmp_path / "build", "--json"),
    )
    assert fields(result)["name"] == "tiny_net_2"
    before, after = tree(tmp_path / "build"), tree(tmp_path / "fitted")
    changed = {name for name in before if before[name] != after[name]}
    assert before.keys() == after.keys()
    assert any(name.startswith("mem/layer0_weight") for name in changed)
    assert not any(name.startswith("rtl/") for name in changed)


def test_fit_names_the_broken_bound(tmp_path, model):
    fields(compiled(tmp_path, model))
    loud = tiny_model()
    with torch.no_grad():
        loud.norm1.bias += 5.0
    nn.save(loud, tmp_path / "loud.safetensors")
    fit = ("--fit", tmp_path / "build")
    result = invoke("compile", tmp_path / "loud.safetensors", "-o", tmp_path / "fitted", *fit, "-q")
    refused(result, 3, r"\w+ of 'layer0' must fit \d+ bits, but needs \d+; compile without --fit$")
    assert not (tmp_path / "fitted").exists()
    other = model_file(tmp_path, "other.safetensors", levels=3)
    result = invoke("compile", other, "-o", tmp_path / "fitted", *fit, "-q")
    refused(result, 3, r"Neuron of 'layer0' must be .* to fit, not ")


def test_fit_refuses_what_the_build_decides(tmp_path, model):
    fields(compiled(tmp_path, model))
    for option in (
        *(("--lanes", "4"), ("--coding", "naf"), ("--name", "x"), ("--units", "1"), ("--order", "auto")),
        *(("--weights", "rom"), ("--fps", "9"), ("--clock-mhz", "9"), ("--lut-budget", "9")),
        ("--memory-budget", "9"),
    ):
        result = invoke(
            "compile", model, "-o", tmp_path / "b", "--fit", tmp_path / "build", *option, "--json"
        )
        found = fields(result, code=2)
        assert found["kind"] == "UsageError"
        assert found["error"].startswith(f"{option[0]} cannot go with --fit")
        assert not (tmp_path / "b").exists()


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
    "method": (["--method", "best"], r"Quantization method must be 'max' or 'mse', not 'best'$"),
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


@pytest.mark.parametrize(
    ("stem", "name"),
    [("digits", "digits"), ("My-Net.v2", "my_net_v2"), ("2nd", "nd"), ("__", "network"), ("é", "network")],
)
def test_design_name(tmp_path, stem, name):
    assert design_name(tmp_path / f"{stem}.safetensors") == name


def test_parse_weight_bits():
    assert parse_weight_bits("3") == 3
    assert parse_weight_bits("a=1,b=8") == {"a": 1, "b": 8}
    for text in ("", "a=", "a=1,", "4.5"):
        with pytest.raises(
            InputError, match=r"^Weight bits must be a number 1\.\.8 or layer=number,\.\., not "
        ):
            parse_weight_bits(text)
