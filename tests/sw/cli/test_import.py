"""`spikefold import`, with the framework that needs no package."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from cli_case import data_file, fields, invoke, refused

from spikefold import nn

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(12, 8)
        self.out = torch.nn.Linear(8, 3)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))

def make():
    torch.manual_seed(0)
    return Net()

net = make()
number = 3

def broken():
    raise RuntimeError("no such thing")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    data_file(tmp_path)
    return tmp_path


def run(place, *options, source="net.py:make"):
    return invoke("import", source, "-o", place / "m.safetensors", "--from", "ann", *options)


def test_import_writes_a_model_that_says_where_it_is_from(place):
    found = fields(run(place, "--data", "npz:tiny.npz", "--levels", 31, "--json"))
    assert found["path"] == str(place / "m.safetensors")
    assert found["grid"]["levels"] == 16
    assert found["comparison"]["samples"] == 60
    assert found["comparison"]["layers"][-1]["name"] == "readout"
    meta = nn.read_meta(place / "m.safetensors")
    assert meta["import"] == {key: value for key, value in found.items() if key != "path"}
    assert meta["data"] == {"name": f"npz:{place / 'tiny.npz'}"}
    model = nn.load(place / "m.safetensors")
    x = torch.from_numpy(np.load(place / "tiny.npz")["x_test"])
    assert model(x).shape == (60, 3)


def test_tables(place):
    result = run(place, "--data", "npz:tiny.npz", "-q", "--tolerance", 1)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "classes that the grid changes" in result.stdout


def test_weights_are_loaded_first(place):
    torch.manual_seed(5)
    other = {"hidden.weight": torch.randn(8, 12), "hidden.bias": torch.zeros(8)}
    other |= {"out.weight": torch.randn(3, 8), "out.bias": torch.zeros(3)}
    torch.save({"state_dict": other}, place / "w.pt")
    options = ("--data", "npz:tiny.npz", "--tolerance", 1, "-q")
    assert run(place, *options, "--weights", place / "w.pt").exit_code == 0
    model = nn.load(place / "m.safetensors")
    assert torch.equal(model.get_submodule("hidden").weight, other["hidden.weight"])
    del other["out.bias"]
    torch.save(other, place / "w.pt")
    refused(
        run(place, *options, "--weights", place / "w.pt"), 3, r"Weights '.*' must fit the module: .*out\.bias"
    )


def test_a_pickle_runs_no_code(place):
    class Evil:
        def __reduce__(self):
            return (open, (str(place / "harm"), "w"))

    torch.save({"state_dict": Evil()}, place / "w.pt")
    result = run(place, "--data", "npz:tiny.npz", "--weights", place / "w.pt")
    refused(result, 3, r"Weights '.*' is no checkpoint of tensors alone, or is damaged")
    assert not (place / "harm").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("net.py", r"Source must be FILE\.py:NAME"),
        ("gone.py:net", r"Python file 'gone\.py' must exist"),
        ("net.py:number", r"Name 'number' of 'net\.py' must be a torch module or make one, not 3"),
        ("net.py:broken", r"Function 'broken' of 'net\.py' must make a module, but fails: RuntimeError"),
    ],
)
def test_sources_that_are_none(place, source, message):
    refused(run(place, "--data", "npz:tiny.npz", source=source), 3, message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shape", "12"], "Missing --input-levels, --minimum, --maximum: the input is never assumed"),
        (["--data", "npz:tiny.npz", "--shape", "12"], "--shape cannot go with --data"),
        (["--data", "npz:tiny.npz", "--dt", "1"], "No such option: --dt (of this framework: --levels"),
        (["--data", "npz:tiny.npz", "--levels"], "Option '--levels' requires an argument"),
        (["--data", "npz:tiny.npz", "--levels", "many"], "Invalid value for '--levels'"),
    ],
)
def test_command_lines_that_are_wrong(place, options, message):
    result = run(place, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_networks_that_differ_are_not_written(place):
    refused(
        run(place, "--data", "npz:tiny.npz", "--levels", 1, "--tolerance", 0), 3, r"Imported network must be"
    )
    assert not (place / "m.safetensors").exists()


def test_help_loads_no_framework():
    code = "import sys; from spikefold.cli.import_ import import_; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout.lower()) is False
