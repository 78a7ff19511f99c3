"""Curves for TensorBoard: what is written, when, and that training does not notice."""

import sys
from pathlib import Path

import pytest
import torch
from train_case import run, small_recipe

from spikefold import nn
from spikefold.errors import MissingToolError
from spikefold.train.logs import Log


def written(folder: Path) -> tuple[dict[str, list[float]], dict[str, list]]:
    """Return scalars and histograms by name, in the order of the epochs."""
    from tensorboardX.proto.event_pb2 import Event

    scalars, histograms = {}, {}
    for path in sorted(folder.glob("events.*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            size = int.from_bytes(data[place : place + 8], "little")
            event = Event.FromString(data[place + 12 : place + 12 + size])
            place += 16 + size
            for value in event.summary.value:
                if value.HasField("histo"):
                    histograms.setdefault(value.tag, []).append((event.step, value.histo))
                else:
                    scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
    return scalars, histograms


def test_curves_of_a_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    options = {"epochs": 3, "validation": 0.25, "weight_bits": 4, "quantize_after": 0.5}
    losses = []
    recipe = small_recipe(tmp_path, log_dir=str(tmp_path / "logs"), **options)
    result = run(recipe, tmp_path / "logged", on_epoch=lambda done, loss: losses.append((done, loss)))
    scalars, histograms = written(tmp_path / "logs")
    assert [step for step, _ in scalars["loss"]] == [1, 2, 3]
    assert [value for _, value in scalars["loss"]] == pytest.approx([loss for _, loss in losses])
    rates = [value for _, value in scalars["learning_rate"]]
    assert rates[0] > rates[1] > rates[2] > 0
    assert len(scalars["accuracy/validation"]) == 4  # each epoch, and the best at the end
    assert scalars["accuracy/float"] == [(3, pytest.approx(result.accuracy))]
    assert scalars["accuracy/quantized"] == [(3, pytest.approx(result.accuracy_quantized))]
    assert [step for step, _ in scalars["firing_rate/neuron1"]] == [1, 2, 3]
    assert all(0 < rate < 1 for _, rate in scalars["firing_rate/neuron1"])
    step, last = histograms["threshold/neuron1"][-1]
    threshold = result.model.neuron1.threshold
    assert (step, last.num) == (3, threshold.numel())
    assert last.min == pytest.approx(threshold.min().item())
    assert last.max == pytest.approx(threshold.max().item())
    assert not result.model.neuron1._forward_hooks


def test_logging_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    logged = run(small_recipe(tmp_path, log_dir=str(tmp_path / "logs")), tmp_path / "logged").model
    plain = run(small_recipe(tmp_path), tmp_path / "plain").model
    for key, value in plain.state_dict().items():
        assert torch.equal(value, logged.state_dict()[key])


def test_the_firing_rate_is_the_share_that_emits(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    layer = nn.LIF(2, steps=2, leak=0.0)
    model, log = nn.Sequential(layer), Log(str(tmp_path))
    with log.watching(model, True):
        layer(torch.tensor([[[2.0, 0.0]], [[0.0, 0.5]]]))
    with log.watching(model, False):
        layer(torch.full((2, 1, 2), 5.0))
    log.neurons(1, model)
    log.close()
    assert written(tmp_path)[0]["firing_rate/0"] == [(1, 0.25)]


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    message = r"^Recipe training\.log_dir needs the package tensorboardX; install it with: pip install "
    with pytest.raises(MissingToolError, match=message):
        run(small_recipe(tmp_path, log_dir=str(tmp_path / "logs")), tmp_path / "m")
    run(small_recipe(tmp_path, epochs=1), tmp_path / "m")
