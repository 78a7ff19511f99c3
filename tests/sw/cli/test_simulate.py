"""`spikefold simulate`, and the one end-to-end run of real programs; both need Verilator."""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from cli_case import data_file, features, fields, invoke, model_file, recipe_meta, refused

import spikefold
from spikefold import build as build_module
from spikefold import origin
from spikefold.manifest import digest_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate")
    model_file(folder, meta=recipe_meta(data_file(folder)))
    np.save(folder / "x.npy", features(40, seed=8)[0])
    return folder


@pytest.fixture(scope="module")
def build(folder):
    assert invoke("compile", folder / "tiny.safetensors", "-o", folder / "build", "-q").exit_code == 0
    return folder / "build"


def program(folder, *arguments):
    """Run the real program in `folder` with a cache of its own; the JSON object it printed."""
    done = subprocess.run(
        [sys.executable, "-c", "from spikefold.cli import main; main()", *map(str, arguments), "--json"],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1, done.stdout
    return json.loads(done.stdout)


def _falsified(build, copy):
    """A build whose image of the readout's parameters is wrong, sealed again as if right; its digest."""
    shutil.copytree(build, copy)
    image = copy / "mem" / "readout_parameter.mem"
    lines = image.read_text().split()
    image.write_text("".join(f"{line}\n" for line in [lines[1], lines[0], *lines[2:]]))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["mem/readout_parameter.mem"] = build_module.sha256(image)
    del manifest["sha256"]
    manifest["sha256"] = digest_of(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert lines[0] != lines[1]
    return manifest["sha256"]


def test_end_to_end(folder, build, monkeypatch):
    """Verify, find a falsified image, simulate. The first command is the real program."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    found = program(folder, "verify", "build", "--samples", 25, "--junit", "r.xml")
    assert (found["samples"], found["mismatches"], found["cycle_exact"]) == (25, 0, True)
    assert found["cycles_per_sample"] == found["cycles_predicted"]
    assert found["simulator"].startswith("verilator 5")
    assert ET.parse(folder / "r.xml").getroot()[0].get("failures") == "0"
    stalls = ("--stall", 0.3, "--seed", 2)
    found = fields(invoke("verify", "build", "--samples", 25, *stalls, "--json"))
    assert (found["mismatches"], found["cycle_exact"]) == (0, None)

    digest = _falsified(build, folder / "wrong")
    refused(
        invoke("verify", "wrong"), 3, r"File 'mem/readout_parameter\.mem' of build 'wrong' must be what this"
    )
    origin.remember(digest)  # as if a defect of compile had written it
    result = invoke("verify", "wrong", "--samples", 5, "--json")
    found = fields(result, code=6)
    assert found["passed"] is False
    assert (found["first"]["sample"], found["first"]["layer"], found["first"]["channel"]) == (0, "logits", 0)
    refused(result, 6, r"\d+ mismatches; first: sample 0, layer logits, channel 0: expected ")

    options = ("--input", "x.npy", "--output", "y.npy", "--stall", 0.1, "--json")
    result = invoke("simulate", "build", *options)
    assert "Building" not in result.stderr  # verify has built it
    found = fields(result)
    golden = spikefold.load(build).golden(np.load(folder / "x.npy"))
    logits = np.load(folder / "y.npy")
    assert logits.dtype == np.int64
    np.testing.assert_array_equal(logits, golden.logits)
    assert found["classes"] == golden.classes.tolist()
    assert found["samples"] == 40
    assert found["cycles"] > 40
    assert found["seconds"] > 0
    assert found["cycles_per_second"] > 0
    assert found["counters"]["samples"] == 40


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fst", "vcd"])
def test_trace(folder, build, kind):
    found = program(folder, "simulate", "build", "--input", "x.npy", "--trace", f"wave.{kind}")
    assert found["trace"] == f"wave.{kind}"
    assert (folder / f"wave.{kind}").stat().st_size > 1000
    assert found["cycles"] == spikefold.load(build).cycles(np.load(folder / "x.npy")).results[-1] + 1


def test_bad_options(folder, build):
    x = ("--input", folder / "x.npy")
    refused(
        invoke("simulate", build, "--input", "gone.npy"),
        3,
        r"Sample file 'gone\.npy' was not found in '",
    )
    refused(
        invoke("simulate", build, *x, "--output", folder), 3, r"Output must be a file, not the directory "
    )
    refused(
        invoke("simulate", build, *x, "--trace", "wave.txt"),
        3,
        r"Trace file must end in \.fst, \.vcd or \.saif, not",
    )
    refused(invoke("simulate", build, *x, "--stall", 1), 3, r"Stall probability of the input must be ")
    result = invoke("simulate", build, *x, "--trace", folder / "none" / "w.fst")
    refused(result, 3, r"Trace file's folder must exist, not be missing: ")


def test_bad_samples(folder, build, tmp_path):
    for x in (np.zeros((3, 5)), np.zeros((3, 12), complex), np.full((3, 12), 17), np.zeros((0, 12))):
        np.save(tmp_path / "bad.npy", x)
        options = ("--input", tmp_path / "bad.npy", "--output", tmp_path / "y.npy")
        refused(invoke("simulate", build, *options), 3, r"(Samples|Integer samples) must ")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npy"]


def test_missing_tool(folder, build, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    options = ("--input", folder / "x.npy", "--output", tmp_path / "y.npy", "--trace", tmp_path / "w.vcd")
    refused(invoke("simulate", build, *options), 4, r"Verilator needs perl, make, g\+\+, not found on PATH: ")
    assert not list(tmp_path.iterdir())
