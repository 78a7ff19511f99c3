"""The README's commands that train and compile give networks as good as a reader may expect."""

import shlex
from pathlib import Path

import pytest
from cli_case import fields, invoke

from spikefold.train import data

ROOT = Path(__file__).parents[3]
LEAST = {
    "spikefold train examples/digits.toml -o model.safetensors": ("accuracy_quantized", 97),
    "spikefold compile model.safetensors -o build/digits": ("accuracy_integer", 97),
    "spikefold train examples/digits.toml -o model2.safetensors --quantize bits=2 --from model.safetensors": (
        *("accuracy_quantized", 97),
    ),
    "spikefold compile model2.safetensors -o build/digits2 --weight-bits 2": ("accuracy_integer", 97),
    "spikefold compile examples/fashion.safetensors -o build/fashion --fps 5000 --clock-mhz 100": (
        *("accuracy_integer", 90.5),
    ),
}
"""What each command reaches, in percent of the test data: a field of its JSON, and the least."""


def shown():
    """The README's commands that train or compile, in order."""
    lines = (ROOT / "README.md").read_text().splitlines()
    return [line for line in lines if line.startswith(("spikefold train ", "spikefold compile "))]


def test_every_command_has_a_figure():
    assert set(shown()) == set(LEAST)


@pytest.mark.slow
def test_commands_are_as_accurate_as_they_should_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    reached = {}
    for line in shown():
        if "fashion" in line and not data.FASHION.is_dir():
            continue
        name, least = LEAST[line]
        found = fields(invoke(*shlex.split(line)[1:], "-q", "--json"))
        reached[line] = found[name]
        assert found[name] >= least, line
    train, build = (line for line in LEAST if "model2" in line)
    assert reached[build] == pytest.approx(reached[train], abs=0.3)  # float32 against integers
