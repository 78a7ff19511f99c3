"""The example of docs/training.md: quantization-aware training in a plain loop."""

import re
from pathlib import Path

import pytest

from spikefold import nn

PAGE = Path(__file__).parents[3] / "docs" / "training.md"


def test_the_example_trains_two_bits(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    exec(compile(block, str(PAGE), "exec"), names)
    design = names["design"]
    assert float(capsys.readouterr().out) == design.info["accuracy_integer"] >= 95
    assert design.info["rounding"] == {
        "method": "mse",
        "weight_bits": {"layer0": 2, "readout": 2},
        "trained": True,
    }
    kept = nn.load("mine.safetensors")
    assert nn.rounding_of(kept) == nn.rounding_of(names["model"]) == nn.Rounding(2, "mse")
    assert design.info["accuracy_integer"] == pytest.approx(_rounded(names), abs=0.3)


def _rounded(names):
    """The accuracy with weights rounded as in training."""
    data, model = names["data"], names["model"]
    with names["fake_quantized"](model, bits=2):
        return 100 * names["spikefold"].train.accuracy(model, data.test_x, data.test_y)
