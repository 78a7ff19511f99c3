import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from cli_case import (
    compiled,
    data_file,
    fields,
    invoke,
    model_file,
    recipe_model,
    refused,
    tiny_model,
    tree,
)

from spikefold import load, nn
from spikefold.choices import parse_weight_bits
from spikefold.cli.compile import design_name
from spikefold.errors import InputError
from spikefold_boards import fpgas


@pytest.fixture
def model(tmp_path):
    return recipe_model(tmp_path)


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


def test_bits_are_chosen_on_the_training_part(tmp_path, model):
    found = fields(compiled(tmp_path, model, "--weight-bits", "auto", "--max-loss", "100"))
    assert found["rounding"] == {
        "method": "fit",
        "weight_bits": {"layer0": 2, "readout": 2},
        "trained": False,
    }
    assert load(tmp_path / "build").network.by_name["layer0"].projections[0].bits == 2
    refused(
        compiled(tmp_path, model, "--max-loss", "1"),
        3,
        r"Max loss must go with weight bits 'auto', not None$",
    )


def test_a_loss_is_told(tmp_path, model):
    result = compiled(tmp_path, model, "--weight-bits", "1")
    loss = fields(result)["loss"]
    assert loss["wanted"] - loss["reached"] > 1
    assert [layer["name"] for layer in loss["layers"]] in (["layer0", "readout"], ["readout", "layer0"])
    assert f"Integer accuracy of {loss['reached']:.2f} % is " in result.stderr
    assert "Integer accuracy" not in compiled(tmp_path, model, "--weight-bits", "1", "-q").stderr


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
    small = replace(fpgas.FPGAS["ice40-up5k"], block_ram_bits=1500)
    monkeypatch.setattr(fpgas, "FPGAS", {**fpgas.FPGAS, "ice40-up5k": small})
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
    fields(compiled(tmp_path, model, "--method", "max"))
    other = tiny_model()
    with torch.no_grad():
        other.dense1.weight[:] = other.dense1.weight.flip(1)
    nn.save(other, tmp_path / "other.safetensors")
    result = invoke(
        *("compile", tmp_path / "other.safetensors", "-o", tmp_path / "fitted"),
        *("--fit", tmp_path / "build", "--method", "max", "--json"),
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
            InputError, match=r"^Weight bits must be a number 1\.\.8, layer=number,\.\. or auto, not "
        ):
            parse_weight_bits(text)
