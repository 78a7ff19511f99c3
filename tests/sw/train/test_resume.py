"""A stopped run goes on and ends with the same file, whatever the recipe makes it remember."""

from pathlib import Path

import numpy as np
import pytest
import torch
from train_case import run, small_recipe, stop_after

from spikefold import nn
from spikefold.errors import InputError
from spikefold.train import Dataset, Recipe, load_data
from spikefold.train.best import Best
from spikefold.train.options import TrainingOptions
from spikefold.train.run import Run

RECIPES = {
    "momentum": {"optimizer": "sgd", "nesterov": True},
    "adamw": {"clip_norm": 0.1, "schedule": "constant"},
    "mixtures": {"mixup": 0.8, "cutmix": 1.0, "mix_off_epoch": 3, "shift": 1, "flip": True, "cutout": 3},
    "best": {"validation": 0.25, "keep_best": True, "epochs": 8, "learning_rate": 0.3},
    "patience": {"validation": 0.25, "patience": 2, "epochs": 30, "learning_rate": 0.3},
    "bf16": {"amp": "bf16", "loss": "tet", "label_smoothing": 0.1},
    "rounded": {
        "weight_bits": 3,
        "quantize_after": 0.5,
        "leak_terms": 1,
        "validation": 0.2,
        "keep_best": True,
    },
}


@pytest.mark.parametrize("name", RECIPES)
def test_interrupted_equals_uninterrupted(tmp_path: Path, name: str) -> None:
    recipe = small_recipe(tmp_path, {"dropout": 0.1}, **RECIPES[name])
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    whole = run(recipe, straight)
    for stop in range(1, whole.epochs, 2):
        with pytest.raises(KeyboardInterrupt):
            run(recipe, resumed, on_epoch=stop_after(stop), checkpoint_every=1)
    rest = run(recipe, resumed, checkpoint_every=1)
    assert rest.epochs < whole.epochs
    assert resumed.read_bytes() == straight.read_bytes()
    assert (rest.accuracy, rest.accuracy_validation) == (whole.accuracy, whole.accuracy_validation)
    assert not resumed.with_name("resumed.checkpoint").exists()


def test_the_optimizers_memory_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the test above: without the buffers of the optimizer the resumed run ends elsewhere."""
    recipe = small_recipe(tmp_path, **RECIPES["momentum"])
    run(recipe, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "resumed", on_epoch=stop_after(2), checkpoint_every=1)
    resume = Run.resume

    def forgetful(self: Run, checkpoint: object) -> None:
        for key in [key for key in checkpoint.tensors if key.startswith("optimizer.")]:
            del checkpoint.tensors[key]
        resume(self, checkpoint)

    monkeypatch.setattr(Run, "resume", forgetful)
    run(recipe, tmp_path / "resumed")
    assert (tmp_path / "resumed").read_bytes() != (tmp_path / "straight").read_bytes()


def test_what_is_remembered_of_the_held_out_data_comes_back(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, validation=0.25, patience=3, keep_best=True)
    first, second = (Run(recipe, data_of(recipe)) for _ in range(2))
    for epoch, accuracy in enumerate((0.3, 0.6, 0.5, 0.5)):
        first.best.note(epoch, accuracy, first.model)
    first.finished = 4
    second.resume(first.checkpoint())
    assert (second.finished, second.best.accuracy, second.best.since) == (4, 0.6, 2)
    assert all(torch.equal(first.best.tensors[key], value) for key, value in second.best.tensors.items())
    assert second.best.tensors.keys() == first.model.state_dict().keys()


def test_samples_are_mixed_until_the_epoch_given(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, mixup=0.8, mix_off_epoch=2)
    started = Run(recipe, data_of(recipe))
    shapes = []
    for started.finished in range(4):
        shapes.append(started._samples(torch.arange(6))[1].shape)
    assert shapes == [(6, 4), (6, 4), (6,), (6,)]


def test_patience_counts_epochs_without_a_better_accuracy() -> None:
    model = torch.nn.Linear(1, 1)
    best = Best(TrainingOptions(validation=0.5, patience=2, keep_best=True))
    for epoch, accuracy in enumerate((0.5, 0.7, 0.7)):
        with torch.no_grad():
            model.bias.fill_(epoch)
        best.note(epoch, accuracy, model)
    assert (best.accuracy, best.since, best.exhausted) == (0.7, 1, False)
    best.note(3, 0.6, model)
    assert best.exhausted
    best.give_back(model)
    assert model.bias.item() == 1.0


def test_epochs_before_the_rounding_do_not_count() -> None:
    options = TrainingOptions(
        epochs=10, validation=0.5, patience=1, keep_best=True, weight_bits=4, quantize_after=0.55
    )
    assert options.validated_epochs == range(6, 10)
    best, model = Best(options), torch.nn.Linear(1, 1)
    for epoch in range(6):
        best.note(epoch, 1.0, model)
    assert (best.accuracy, best.tensors, best.exhausted) == (-1.0, {}, False)
    best.note(6, 0.2, model)
    assert best.accuracy == 0.2


def test_a_run_stops_early_and_keeps_its_best(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, learning_rate=0.3, epochs=40, validation=0.3, patience=3, keep_best=True)
    result = run(recipe, tmp_path / "m")
    assert 4 <= result.epochs < 40
    assert nn.read_meta(tmp_path / "m")["accuracy_validation"] == result.accuracy_validation
    started = Run(recipe, data_of(recipe))
    held = started.held_out
    loaded = nn.load(tmp_path / "m")
    x, y = started.data.train_x[held.numpy()], started.data.train_y[held.numpy()]
    with torch.no_grad():
        guessed = loaded(torch.from_numpy(x)).argmax(1).numpy()
    assert (guessed == y).mean() == result.accuracy_validation


def test_held_out_samples_are_not_trained_on(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, validation=0.25)
    started = Run(recipe, data_of(recipe))
    assert len(started.held_out) == 24
    everything = torch.cat([started.chosen, started.held_out]).sort().values
    assert torch.equal(everything, torch.arange(96))
    seen = torch.cat(started._batches(0))
    assert set(seen.tolist()) == set(started.chosen.tolist())
    assert not torch.equal(torch.cat(started._batches(1)), seen)


def test_the_held_out_share_must_be_a_sample(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, validation=0.001)
    message = r"^Recipe training\.validation must hold out at least one of 96 samples, not 0\.001$"
    with pytest.raises(InputError, match=message):
        run(recipe, tmp_path / "m")


def test_start_from_a_trained_model(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path)
    run(recipe, tmp_path / "first")
    tuned = small_recipe(tmp_path, weight_bits=3, quantize_after=0.0, epochs=1, learning_rate=1e-9)
    result = run(tuned, tmp_path / "tuned", start=tmp_path / "first")
    before, after = nn.load(tmp_path / "first"), nn.load(tmp_path / "tuned")
    assert torch.allclose(before.stem.weight, after.stem.weight, atol=1e-6)
    assert torch.allclose(before.neuron1.log_scale, after.neuron1.log_scale, atol=1e-6)
    assert result.accuracy_quantized is not None
    scratch = run(tuned, tmp_path / "scratch").model
    assert not torch.allclose(scratch.stem.weight, after.stem.weight, atol=1e-3)


def test_a_model_of_other_layers_is_refused(tmp_path: Path) -> None:
    run(small_recipe(tmp_path, epochs=1), tmp_path / "first")
    cases = (
        ({"channels": [4]}, r"but its tensor 'dense\.weight' has the shape \[4, 48\], not \[4, 64\]; use"),
        ({"channels": [3, 2]}, r"but its tensor 'conv2\.weight' has the shape none, not \[2, 3, 3, 3\]; use"),
    )
    for model, message in cases:
        with pytest.raises(InputError, match=r"^Model to start from must have the layers .*, " + message):
            run(small_recipe(tmp_path, model), tmp_path / "m", start=tmp_path / "first")


def test_a_checkpoint_belongs_to_the_model_it_started_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = small_recipe(tmp_path)
    run(recipe, tmp_path / "first")
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "m", on_epoch=stop_after(2), checkpoint_every=1)
    assert run(recipe, tmp_path / "m", start=tmp_path / "first").epochs == 4
    assert "belongs to another recipe" in caplog.text


def data_of(recipe: Recipe) -> Dataset:
    return load_data(recipe.data.name)


def test_digest_sees_the_data(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path)
    data = data_of(recipe)
    other = Dataset(**(vars(data) | {"train_x": data.train_x + np.float32(0.01)}))
    logged = small_recipe(tmp_path, log_dir="somewhere")
    assert Run(recipe, data).digest == Run(logged, data).digest != Run(recipe, other).digest
