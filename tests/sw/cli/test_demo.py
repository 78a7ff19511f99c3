import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_case import fields, invoke, refused

import spikefold
from spikefold import demo
from spikefold.train import Recipe

EXAMPLE = Path(__file__).parents[3] / "examples" / "digits.toml"
SHOWN = (
    "accuracy_float",
    "accuracy_integer",
    "mismatches",
    "cycles_per_sample",
    "lut",
    "fmax_mhz",
    "multipliers",
)


def test_recipe_is_the_example():
    assert Recipe.load(EXAMPLE) == demo.RECIPE


def test_output_that_holds_something_else(tmp_path):
    (tmp_path / "thesis.tex").touch()
    refused(
        invoke("demo", "-o", tmp_path), 3, r"Output directory must be new, empty or an earlier build, but "
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.slow
def test_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = fields(invoke("demo", "--json"))
    assert set(SHOWN) <= set(found)
    assert found["accuracy_float"] > 96
    assert found["accuracy_integer"] > found["accuracy_float"] - 1.5
    assert found["mismatches"] == found["multipliers"] == found["dsp"] == 0
    assert found["cycle_exact"] is found["passed"] is found["fits"] is True
    assert found["samples"] >= 200
    assert found["seconds"] < 300
    assert spikefold.load("build/demo").summary["accuracy_integer"] == found["accuracy_integer"]
    assert Path("build/demo.safetensors").is_file()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from spikefold.cli import main; main()",
            "verify",
            "build/demo",
            "--json",
            "-q",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "test data of digits" in json.loads(done.stdout)["data"]
