"""Training: accuracy of the demo, resuming, determinism, outputs and their errors."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.train import Recipe, TrainResult, accuracy, fake_quantized, load_data, train, trainer
from spikefold.train.run import Run

EXAMPLES = Path(__file__).parents[3] / "examples"


def recipe(neuron: str = "pit", **training: object) -> Recipe:
    options = {"epochs": 6, "weight_bits": 4, "quantize_after": 0.5, "shift": 1, "batch_size": 256} | training
    model = {"hidden": [12], "neuron": neuron, "steps": 2, "dropout": 0.1}
    return Recipe.from_dict({"data": {"name": "digits"}, "model": model, "training": options})


def image_recipe(folder: Path, model: dict, **training: object) -> Recipe:
    """Train on 8x8 maps whose class is the quarter with the largest sum."""
    rng = np.random.default_rng(0)
    x, y = rng.random((120, 1, 8, 8)), np.arange(120) % 4
    for image, label in zip(x, y, strict=True):
        image[0, 4 * (label // 2) :, :][:4, 4 * (label % 2) :][:, :4] += 0.7
    np.savez(folder / "images.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    options = {"epochs": 4, "batch_size": 32, "weight_bits": 4, "quantize_after": 0.5} | training
    data = {"name": f"npz:{folder / 'images.npz'}"}
    return Recipe.from_dict({"data": data, "model": model, "training": options})


IMAGE_MODELS = {
    "cnn": {"kind": "cnn", "channels": [4, 4], "steps": 2, "levels": 2, "mean": 0.5, "std": 0.5},
    "preact": {"kind": "preact_resnet", "blocks": [1, 1], "widths": [4, 6], "steps": 2, "dropout": 0.1},
    "sew": {"kind": "sew_resnet", "blocks": [1, 1], "widths": [3, 4], "steps": 1},
}


def run(output: Path, chosen: Recipe | None = None, **options: object) -> TrainResult:
    return train(chosen or recipe(), output, progress=False, **options)


def stop_after(epoch: int) -> object:
    def on_epoch(done: int, loss: float) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    return on_epoch


def test_demo_recipe_reaches_its_accuracy(tmp_path: Path) -> None:
    result = train(EXAMPLES / "digits.toml", tmp_path / "m.safetensors", progress=False)
    assert result.accuracy >= 0.96
    assert result.accuracy_quantized >= 0.96
    loaded, data = nn.load(tmp_path / "m.safetensors"), load_data("digits")
    assert accuracy(loaded, data.test_x, data.test_y) == result.accuracy
    with fake_quantized(loaded, 4):
        assert accuracy(loaded, data.test_x, data.test_y) == result.accuracy_quantized
    meta = nn.read_meta(tmp_path / "m.safetensors")
    assert meta["accuracy_float"] == result.accuracy
    assert Recipe.from_dict(meta["recipe"]) == Recipe.load(EXAMPLES / "digits.toml")


@pytest.mark.parametrize("stop", [2, 4, 5])  # before, inside and off the checkpoints of the quantized part
def test_a_resumed_run_ends_with_the_same_file(tmp_path: Path, stop: int) -> None:
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    run(straight)
    with pytest.raises(KeyboardInterrupt):
        run(resumed, on_epoch=stop_after(stop), checkpoint_every=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resumed.checkpoint", "straight"]
    result = run(resumed, checkpoint_every=2)
    assert result.epochs == 6 - stop // 2 * 2
    assert resumed.read_bytes() == straight.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resumed", "straight"]


@pytest.mark.parametrize("kind", IMAGE_MODELS)
def test_a_resumed_run_of_a_convolutional_network_ends_with_the_same_file(tmp_path: Path, kind: str) -> None:
    chosen = image_recipe(tmp_path, IMAGE_MODELS[kind], shift=1, flip=True)
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    run(straight, chosen)
    with pytest.raises(KeyboardInterrupt):
        run(resumed, chosen, on_epoch=stop_after(3), checkpoint_every=1)
    assert run(resumed, chosen).epochs == 1
    assert resumed.read_bytes() == straight.read_bytes()


def test_a_convolutional_network_learns(tmp_path: Path) -> None:
    chosen = image_recipe(tmp_path, IMAGE_MODELS["cnn"], epochs=15, learning_rate=0.02)
    result = run(tmp_path / "m", chosen)
    assert result.accuracy > 0.9
    assert result.accuracy_quantized > 0.9
    assert nn.load(tmp_path / "m").input.pad == (1, 1)


def test_flips_change_what_is_learnt(tmp_path: Path) -> None:
    for flip in (False, True):
        run(tmp_path / str(flip), recipe(epochs=1, shift=0, flip=flip, weight_bits=None))
    weights = [nn.load(tmp_path / str(flip)).dense1.weight for flip in (False, True)]
    assert not torch.equal(*weights)
    started = Run(recipe(shift=0, flip=True), load_data("digits"))
    first, second = (started._samples(torch.arange(64))[0] for _ in range(2))
    assert first.shape == (64, 64)
    assert not torch.equal(first, second)


def test_long_epochs_are_kept_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "_SAVE_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "m", on_epoch=stop_after(1), checkpoint_every=100)
    assert run(tmp_path / "m", checkpoint_every=100).epochs == 5


def test_a_network_that_cannot_be_quantized_is_refused_at_once(tmp_path: Path) -> None:
    table = {"kind": "cnn", "channels": [3], "neuron": "reverb", "neuron_options": {"bits": None}}
    with pytest.raises(ModelError, match=r"^Neuron 'neuron1' must have levels, not real-valued spikes "):
        run(tmp_path / "m", image_recipe(tmp_path, table), on_epoch=lambda *_: pytest.fail("it trained"))


@pytest.mark.parametrize("neuron", ["lif", "qblif", "reverb"])
def test_every_neuron_learns(tmp_path: Path, neuron: str) -> None:
    table = {"kind": "cnn", "channels": [4, 4], "neuron": neuron, "steps": 2}
    chosen = image_recipe(tmp_path, table, epochs=15, learning_rate=0.02)
    result = run(tmp_path / "m", chosen)
    assert result.accuracy > 0.8
    assert result.accuracy_quantized > 0.8


def test_resume_can_be_declined_and_other_checkpoints_are_left_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "m"
    with pytest.raises(KeyboardInterrupt):
        run(output, on_epoch=stop_after(2), checkpoint_every=2)
    checkpoint = (tmp_path / "m.checkpoint").read_bytes()
    assert run(output, resume=False).epochs == 6
    for content, reason in ((checkpoint, "belongs to another recipe"), (checkpoint[:50], "cannot be read")):
        (tmp_path / "m.checkpoint").write_bytes(content)
        with caplog.at_level(logging.WARNING):
            assert run(output, recipe(learning_rate=0.01, epochs=3)).epochs == 3
        assert reason in caplog.records[-1].getMessage()
        assert not (tmp_path / "m.checkpoint").exists()


def test_the_seed_decides_everything_and_the_callers_state_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(tmp_path / "a", recipe(epochs=2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    run(tmp_path / "b", recipe(epochs=2))
    run(tmp_path / "c", recipe(epochs=2, seed=1))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not torch.equal(nn.load(tmp_path / "a").dense1.weight, nn.load(tmp_path / "c").dense1.weight)


def test_own_data_without_images_trains(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(65, 4)), rng.integers(0, 2, 65)
    x[:, 0] += 6 * y
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    table = {"data": {"name": f"npz:{tmp_path / 'd.npz'}"}, "model": {"hidden": [8], "neuron": "ilif"}}
    chosen = Recipe.from_dict(
        table | {"training": {"epochs": 60, "batch_size": 32, "learning_rate": 0.02}}
    )  # 65 = 32 + 32 + 1
    result = run(tmp_path / "m", chosen)
    assert result.accuracy > 0.95
    assert result.accuracy_quantized is None
    shifted = Recipe.from_dict(table | {"training": {"shift": 1}})
    with pytest.raises(InputError, match=r"^Recipe training\.shift must be 0 for 'npz:.*', .* not 1$"):
        run(tmp_path / "m", shifted)
    flipped = Recipe.from_dict(table | {"training": {"flip": True}})
    with pytest.raises(InputError, match=r"^Recipe training\.flip must be false for 'npz:.*', .* not True$"):
        run(tmp_path / "m", flipped)


def test_outputs_that_are_something_else_are_kept(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^Output '.*' must be a file, not a directory; add a file name$"):
        run(tmp_path)
    other = tmp_path / "notes.txt"
    other.write_text("keep me")
    with pytest.raises(InputError, match=r"^Output '.*notes\.txt' exists and is not a spikefold model; "):
        run(other)
    assert other.read_text() == "keep me"


@pytest.mark.parametrize(("neuron", "why"), [("pit", "PIT scale a must be"), ("ilif", "the loss is ")])
def test_a_diverging_run_says_so_and_leaves_nothing(tmp_path: Path, neuron: str, why: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"^Training diverged in epoch \d \({why}.*\); lower training\.learning_rate, which is ",
    ):
        run(tmp_path / "m", recipe(neuron, learning_rate=1e30, weight_bits=None))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_diverges_late_keeps_its_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = tmp_path / "straight"
    run(straight)
    update = Run._update

    def poisoned(self: Run, *batch: torch.Tensor) -> float:
        loss = update(self, *batch)
        if self.model.norm1.num_batches_tracked == 24:  # 6 batches an epoch: the last one of the fourth
            with torch.no_grad():
                self.model.dense2.bias[3] = torch.inf
        return loss

    monkeypatch.setattr(Run, "_update", poisoned)
    with pytest.raises(
        InputError, match=r"^Training diverged in epoch 4 \(Tensor 'dense2\.bias' must be finite"
    ):
        run(tmp_path / "m", checkpoint_every=1)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.checkpoint", "straight"]
    assert run(tmp_path / "m").epochs == 3
    assert (tmp_path / "m").read_bytes() == straight.read_bytes()


def test_accuracy_counts_the_first_largest_logit() -> None:
    class Fixed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    logits = np.array([[1.0, 1.0], [0.0, 2.0], [3.0, 0.0]], dtype=np.float32)
    assert accuracy(Fixed(), logits, np.array([0, 1, 1]), batch=2) == pytest.approx(2 / 3)


def test_progress_goes_to_stderr_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(recipe(epochs=1), tmp_path / "m")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "epoch 1/1" in captured.err
