"""The workflow that docs/ci.md shows: its steps run, and fail where they should."""

import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from blocks import blocks_of, run_shell

import spikefold
from spikefold import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "sw"))
from cli_case import data_file, tiny_model


@pytest.fixture(scope="module")
def steps():
    (block,) = (block for block in blocks_of("ci.md") if block.kind == "yaml")
    (job,) = yaml.safe_load(block.text)["jobs"].values()
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step}


@pytest.fixture
def checkout(tmp_path):
    """A user's repository: a model and its data."""
    nn.save(tiny_model(), tmp_path / "model.safetensors", data=f"npz:{data_file(tmp_path)}")
    return tmp_path


def test_every_step_has_its_commands(steps):
    assert list(steps) == ["Install", "Compile", "Accuracy", "Values and cycles", "Values under stalls"]
    assert steps["Install"].startswith("pip install -c constraints.txt ")


def test_lost_accuracy_is_noticed(steps, checkout):
    for lost, fails in ((0.9, False), (1.1, True)):
        found = f'{{"accuracy_float": 90.0, "accuracy_integer": {90 - lost}}}'
        (checkout / "compile.json").write_text(found)
        if fails:
            with pytest.raises(AssertionError, match="points of accuracy, at most 1 is allowed"):
                run_shell(steps["Accuracy"], checkout)
        else:
            run_shell(steps["Accuracy"], checkout)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="Verilator needs g++")
def test_the_workflow_runs(steps, checkout):
    for name, command in steps.items():
        if name not in ("Install", "Accuracy"):  # this small model has no accuracy to keep
            run_shell(command, checkout)
    for name, skipped in (("plain", "0"), ("stalls", "1")):
        suite = ET.parse(checkout / "reports" / f"{name}.xml").getroot()[0]
        assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "0", skipped)
    assert spikefold.load(checkout / "build").info["verification"]["passed"] is True
    assert "Verified with 200 samples" in (checkout / "build" / "report.html").read_text()
