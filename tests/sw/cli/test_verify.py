"""`spikefold verify`: samples, verdict, exit code, JUnit. Amaranth's simulator, which needs no build."""

import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from cli_case import data_file, features, fields, invoke, model_file, recipe_meta, refused

import spikefold
from spikefold.cli.samples import random_levels
from spikefold_hw.streaming.architecture import ARCHITECTURE

AMARANTH = ("--simulator", "amaranth", "--json")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    model = model_file(folder, meta=recipe_meta(data_file(folder)))
    assert invoke("compile", model, "-o", folder / "build", "-q", "--lanes", 5).exit_code == 0
    return folder / "build"


def test_fields(build):
    result = invoke("verify", build, "--samples", 5, *AMARANTH)
    found = fields(result)
    assert found["samples"] == 5
    assert found["mismatches"] == 0
    assert found["passed"] is found["cycle_exact"] is True
    assert found["first"] is None
    assert found["cycles_per_sample"] == found["cycles_predicted"] > 0
    assert found["events"] > 0
    assert found["seconds"] > 0
    assert found["simulator"].startswith("amaranth 0.5")
    assert "Samples: 5, test data of npz:" in result.stderr


def test_stalls(build):
    found = fields(invoke("verify", build, "--samples", 3, "--stall", 0.4, "--seed", 3, *AMARANTH))
    assert found["mismatches"] == 0
    assert found["cycle_exact"] is None
    assert (found["stall"], found["seed"]) == (0.4, 3)


def test_table(build):
    result = invoke("verify", build, "--samples", 2, "--simulator", "amaranth", "-q")
    assert result.exit_code == 0
    assert result.stderr == ""
    for text in ("mismatches", "cycles per sample", "every cycle as predicted"):
        assert text in result.stdout


def test_input_file_all_or_repeated(build, tmp_path):
    x, _ = features(4, seed=3)
    np.save(tmp_path / "x.npy", x)
    for count, options in ((4, ()), (2, ("--samples", 2)), (6, ("--samples", 6))):
        found = fields(invoke("verify", build, "--input", tmp_path / "x.npy", *options, *AMARANTH))
        events = (
            spikefold.load(build).golden(x[np.arange(count) % 4], record=True).levels["layer0"] > 0
        ).sum()
        assert (found["samples"], found["events"]) == (count, events)
        assert found["data"] == str(tmp_path / "x.npy")


def test_default_count_and_random_samples(tmp_path):
    model = model_file(tmp_path)
    assert invoke("compile", model, "-o", tmp_path / "b", "-q").exit_code == 0
    result = invoke("verify", tmp_path / "b", *AMARANTH)
    assert fields(result)["samples"] == 100
    assert "Samples: 100, random levels, as the build names no data" in result.stderr


def test_data_that_is_gone(tmp_path):
    data = data_file(tmp_path)
    model = model_file(tmp_path, meta=recipe_meta(data))
    assert invoke("compile", model, "-o", tmp_path / "b", "-q").exit_code == 0
    data.unlink()
    result = invoke("verify", tmp_path / "b", "--samples", 2, *AMARANTH)
    assert fields(result)["mismatches"] == 0
    assert "random levels, as the build's data fails: Data file" in result.stderr


@pytest.mark.parametrize("steps", [1, 3])
def test_random_levels(steps):
    from cli_case import tiny_model

    network = spikefold.compile(tiny_model(steps=steps)).network
    levels = random_levels(network, 50, seed=4)
    np.testing.assert_array_equal(levels, random_levels(network, 50, seed=4))
    assert (levels != random_levels(network, 50, seed=5)).any()
    assert not levels[0].any()
    assert (levels[1] == 16).all()
    assert set(np.unique(levels)) == set(range(17))
    assert network.input.encode(levels, network.steps).shape[0] == 50


def _wrong_words(monkeypatch):
    """Let the gateware see other signs of the first layer's weights than the golden model."""
    original = type(ARCHITECTURE).images

    def changed(self, plan, network):
        found = dict(original(self, plan, network))
        for name in [name for name in found if name.startswith("layer0_weight")]:
            place = found[name].width - 1
            data = found[name].data.copy()
            data[:, place // 8] ^= 1 << place % 8
            found[name] = replace(found[name], data=data)
        return found

    monkeypatch.setattr(type(ARCHITECTURE), "images", changed)


def test_mismatch(build, tmp_path, monkeypatch):
    _wrong_words(monkeypatch)
    result = invoke("verify", build, "--samples", 8, "--junit", tmp_path / "r.xml", *AMARANTH)
    found = fields(result, code=6)
    assert found["passed"] is False
    assert found["mismatches"] > 0
    first = found["first"]
    assert first["layer"] == "layer0"
    assert first["expected"] != first["got"]
    refused(
        result,
        6,
        rf"{found['mismatches']} mismatches; first: sample {first['sample']}, layer layer0, channel "
        rf"{first['channel']}, time step 0: expected {first['expected']}, got {first['got']} ",
    )
    (suite,) = ET.parse(tmp_path / "r.xml").getroot()
    assert suite.get("failures") == "1" if found["cycle_exact"] else "2"
    assert "channel" in suite[0].find("failure").text


def test_cycle_deviation(build, tmp_path, monkeypatch):
    original = type(ARCHITECTURE).predict

    def late(self, plan, levels):
        cycles = original(self, plan, levels)
        return replace(cycles, results=cycles.results + 1)

    monkeypatch.setattr(type(ARCHITECTURE), "predict", late)
    result = invoke("verify", build, "--samples", 3, "--junit", tmp_path / "r.xml", *AMARANTH)
    found = fields(result, code=6)
    assert found["mismatches"] == 0
    assert found["cycle_exact"] is found["passed"] is False
    refused(result, 6, r"results came in other cycles than the cycle model predicts: ")
    (suite,) = ET.parse(tmp_path / "r.xml").getroot()
    assert suite.get("failures") == "1"
    assert suite[0].find("failure") is None
    assert suite[1].find("failure") is not None
    stalled = invoke("verify", build, "--samples", 3, "--stall", 0.2, *AMARANTH)
    assert stalled.exit_code == 0


def test_junit_of_a_good_run(build, tmp_path):
    for stall, skipped in ((0, "0"), (0.2, "1")):
        options = ("--samples", 2, "--stall", stall, "--junit", tmp_path / "sub" / "r.xml")
        fields(invoke("verify", build, *options, *AMARANTH))
        (suite,) = ET.parse(tmp_path / "sub" / "r.xml").getroot()
        assert suite.tag == "testsuite"
        assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == [
            "2",
            "0",
            "0",
            skipped,
        ]
        assert [case.tag for case in suite] == ["testcase"] * 2
        assert (suite[1].find("skipped") is not None) == (skipped == "1")


BAD = {
    "samples 0": (["--samples", "0"], r"Number of samples must be a positive integer, not 0$"),
    "stall 1": (["--stall", "1", "--samples", "2"], r"Stall probability of the input must be .*, not 1\.0$"),
    "stall -1": (
        ["--stall", "-1", "--samples", "2"],
        r"Stall probability of the input must be .*, not -1\.0$",
    ),
    "seed": (["--seed", "-1", "--samples", "2"], r"Seed must be a non-negative integer, not -1$"),
    "simulator": (["--simulator", "vcs"], r"Simulator must be one of .*, not 'vcs'$"),
    "no file": (
        ["--input", "gone.npy"],
        r"Sample file 'gone\.npy' was not found in '",
    ),
    "junit": (["--junit", "."], r"Report must be a file, not the directory '\.'; add a file name$"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_option(build, case):
    options, pattern = BAD[case]
    refused(invoke("verify", build, "--simulator", "amaranth", *options), 3, pattern)


def test_bad_input_file(build, tmp_path):
    path = tmp_path / "x.npy"
    for content in (b"", b"not numpy", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        refused(invoke("verify", build, "--input", path), 3, r"Sample file '.*' must be a whole \.npy file")
    np.save(path, np.array([{}], object), allow_pickle=True)
    refused(invoke("verify", build, "--input", path), 3, r"Sample file '.*' must be a whole \.npy file")
    np.savez(tmp_path / "x.npz", x=np.zeros(3))
    refused(
        invoke("verify", build, "--input", tmp_path / "x.npz"), 3, r"Sample file '.*' must be a whole \.npy"
    )
    whole = np.zeros((3, 12))
    np.save(path, whole)
    path.write_bytes(path.read_bytes()[:-1])
    refused(invoke("verify", build, "--input", path), 3, r"Sample file '.*' must be a whole \.npy file")
    for x in (whole[:, 1:], whole[0], whole > 0, whole.astype(int) + 17, whole * np.nan):
        np.save(path, x)
        refused(invoke("verify", build, "--input", path), 3, r"(Samples|Integer samples) must ")
    for x in (whole[:0], np.array(3)):
        np.save(path, x)
        refused(
            invoke("verify", build, "--input", path), 3, r"Sample file '.*' must hold at least one sample"
        )


@pytest.mark.parametrize("command", ["verify", "simulate", "synth"])
def test_damaged_build(build, tmp_path, command):
    np.save(tmp_path / "x.npy", features(1)[0])
    options = {"verify": (), "simulate": ("--input", tmp_path / "x.npy"), "synth": ("--device", "xc7")}[
        command
    ]
    refused(invoke(command, tmp_path / "none", *options), 3, r"Build directory '.*none' was not found; ")
    copy = shutil.copytree(build, tmp_path / "build")
    (copy / "mem" / "layer0_weight0.mem").write_text("0\n")
    result = invoke(command, copy, *options, "--json")
    assert fields(result, code=3)["kind"] == "BuildError"
    refused(result, 3, r"File 'mem/layer0_weight0\.mem' of build '.*' must have the sha256 of its manifest")


def test_missing_tool(build, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for simulator, package in (("verilator", r"perl make g\+\+"), ("icarus", "iverilog")):
        result = invoke("verify", build, "--samples", 2, "--simulator", simulator, "--json")
        assert fields(result, code=4)["kind"] == "MissingToolError"
        refused(result, 4, rf".*not found on PATH: install it, on Debian with `apt-get install {package}`$")
