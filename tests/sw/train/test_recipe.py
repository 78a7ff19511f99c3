"""Recipes: the shipped ones load, round trips, and every mistake is named."""

import dataclasses
from pathlib import Path

import pytest

from spikefold.errors import InputError
from spikefold.nn.models import NEURONS
from spikefold.train import ModelOptions, Recipe

EXAMPLES = Path(__file__).parents[3] / "examples"
GOOD = {"data": {"name": "digits"}, "model": {"hidden": [8]}, "training": {"epochs": 2}}


def changed(table: str, **values: object) -> dict:
    return GOOD | {table: GOOD[table] | values}


def test_shipped_recipes_are_the_demo_and_the_benchmark() -> None:
    digits, mnist = Recipe.load(EXAMPLES / "digits.toml"), Recipe.load(EXAMPLES / "mnist.toml")
    assert (digits.data.name, digits.model.input_levels, digits.model.levels) == ("digits", 16, 4)
    assert (mnist.data.name, mnist.model.hidden, mnist.model.steps) == ("mnist5000", (128,), 1)
    assert (mnist.model.levels, mnist.model.input_levels, mnist.training.weight_bits) == (4, 16, 4)


def test_dictionary_round_trip() -> None:
    recipe = Recipe.from_dict(changed("model", hidden=[8, 4], levels=7, leak=1))
    assert recipe.model.hidden == (8, 4)
    assert recipe.model.leak == 1.0
    assert recipe.training.weight_bits is None
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_data_lie_beside_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    path = Path("recipes") / "mine.toml"
    for name, found in (
        ("npz:x.npz", f"npz:{tmp_path / 'recipes' / 'x.npz'}"),
        ("npz:../x.npz", f"npz:{tmp_path / 'x.npz'}"),
        ("npz:/x.npz", "npz:/x.npz"),
        ("digits", "digits"),
    ):
        path.write_text(f'[data]\nname = "{name}"\n[model]\nhidden = [3]\n')
        assert Recipe.load(path).data.name == found


def test_convolutional_round_trip() -> None:
    model = {
        "kind": "preact_resnet",
        "blocks": [1, 2],
        "widths": [8, 16],
        "mean": [0.5],
        "std": 2,
        "steps": 2,
    }
    recipe = Recipe.from_dict(GOOD | {"model": model, "training": {"flip": True}})
    assert (recipe.model.blocks, recipe.model.widths) == ((1, 2), (8, 16))
    assert (recipe.model.mean, recipe.model.std) == ((0.5,), 2.0)
    assert recipe.model.hidden is None
    assert recipe.training.flip is True
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (GOOD | {"modle": {}}, r"^Recipe key 'modle' is unknown; did you mean 'model'\?$"),
        (changed("training", epoch=3), r"^Recipe key .* is unknown; did you mean 'training\.epochs'"),
        (
            changed("data", zzz=3),
            r"^Recipe key 'data\.zzz' is unknown; known keys: name, seed, steps, size, split$",
        ),
        ([], r"^Recipe must be a table, not \[\]$"),
        ({"data": {"name": "digits"}}, r"^Recipe must have the key 'model'$"),
        (GOOD | {"model": {}}, r"^Recipe must have the key 'model\.hidden'$"),
        (GOOD | {"model": 3}, r"^Recipe model must be a table, not 3; write it as \[model\]$"),
        (changed("model", kind="cnn2"), r"^Recipe model\.kind must be one of 'mlp', 'cnn', .*, not 'cnn2'$"),
        (changed("model", kind=["cnn"]), r"^Recipe model\.kind must be of type str, not \['cnn'\]$"),
        (
            changed("model", kind="cnn"),
            r"^Recipe key 'model\.hidden' is unknown for the kind 'cnn'; known keys: kind, channels, ",
        ),
        (changed("model", pool="max"), r"^Recipe key 'model\.pool' is unknown for the kind 'mlp'; "),
        (changed("model", zzz=1), r"^Recipe key 'model\.zzz' is unknown; known keys: kind, hidden, neuron, "),
        (
            GOOD | {"model": {"kind": "cnn", "chanels": [1]}},
            r"^Recipe key 'model\.chanels' is unknown; did you mean 'model\.channels'\?$",
        ),
        (
            GOOD | {"model": {"kind": "cnn", "channels": [0]}},
            r"^Recipe model\.channels size must be an integer of at least 1, not 0$",
        ),
        (
            GOOD | {"model": {"kind": "cnn", "mean": "0.5"}},
            r"^Recipe model\.mean must be of type float or a list, not '0\.5'$",
        ),
        (changed("training", flip=1), r"^Recipe training\.flip must be of type bool, not 1$"),
        (changed("model", hidden=["8"]), r"^Recipe model\.hidden\[0\] must be of type int, not '8'$"),
        (changed("model", hidden=8), r"^Recipe model\.hidden must be a list, not 8$"),
        (changed("model", hidden=[8, 0]), r"^Recipe model\.hidden size must be .* at least 1, not 0$"),
        (changed("model", neuron="relu"), r"^Recipe model\.neuron must be one of 'pit', .*, not 'relu'$"),
        (changed("model", levels=0), r"^Recipe model\.levels \(D\) must be .* from 1 to 255, not 0$"),
        (changed("model", levels=256), r"^Recipe model\.levels \(D\) must be .* from 1 to 255, not 256$"),
        (changed("model", levels="4"), r"^Recipe model\.levels must be of type int, not '4'$"),
        (changed("model", steps=True), r"^Recipe model\.steps must be of type int, not True$"),
        (changed("model", leak=-0.5), r"^Recipe model\.leak must be a number from 0 to 1, not -0\.5$"),
        (changed("model", input_levels=0), r"^Recipe model\.input_levels must be .* from 1 to 255, not 0$"),
        (changed("training", epochs=0), r"^Recipe training\.epochs must be an integer of at least 1, not 0$"),
        (changed("training", epochs=1.5), r"^Recipe training\.epochs must be of type int, not 1\.5$"),
        (changed("training", weight_bits=1), r"^Recipe training\.weight_bits must be .* from 2 to 8, not 1$"),
        (changed("training", weight_bits=9), r"^Recipe training\.weight_bits must be .* from 2 to 8, not 9$"),
        (
            changed("training", learning_rate=0),
            r"^Recipe training\.learning_rate must be a finite number above 0, not 0\.0$",
        ),
        (changed("training", shift=-1), r"^Recipe training\.shift must be .* from 0 to 64, not -1$"),
        (changed("data", steps=0), r"^Recipe data\.steps must be an integer from 1 to 1024, not 0$"),
        (
            changed("data", split="events"),
            r"^Recipe data\.split must be one of 'number', 'time', not 'events'$",
        ),
        (changed("data", size=-1), r"^Recipe data\.size must be an integer of at least 1, not -1$"),
        (changed("model", neuron_options=3), r"^Recipe model\.neuron_options must be a table, not 3$"),
        (changed("model", binary="yes"), r"^Recipe model\.binary must be one of 'none', .*, not 'yes'$"),
        (
            changed("training", optimizer="lamb"),
            r"^Recipe training\.optimizer must be one of 'adamw', 'sgd', not 'lamb'$",
        ),
        (
            changed("training", momentum=0.9),
            r"^Recipe training\.momentum must be left out unless the optimizer is 'sgd', not 0\.9$",
        ),
        (
            changed("training", nesterov=True),
            r"^Recipe training\.nesterov must be false unless the optimizer is 'sgd', not True$",
        ),
        (
            changed("training", optimizer="sgd", momentum=0, nesterov=True),
            r"^Recipe training\.nesterov must be false where .* 0, not",
        ),
        (
            changed("training", optimizer="sgd", momentum=1),
            r"^Recipe training\.momentum must be a number from 0 to 0\.999, not 1\.0$",
        ),
        (
            changed("training", clip_norm=0),
            r"^Recipe training\.clip_norm must be a finite number above 0, not 0\.0$",
        ),
        (
            changed("training", schedule="step"),
            r"^Recipe training\.schedule must be one of 'cosine', 'constant', not 'step'$",
        ),
        (
            changed("training", warmup=1),
            r"^Recipe training\.warmup must be a number from 0 to 0\.9, not 1\.0$",
        ),
        (
            changed("training", warmup=0.1, warmup_epochs=1),
            r"^Recipe training\.warmup must be left out where .* given, not 0\.1$",
        ),
        (
            changed("training", warmup_epochs=2),
            r"^Recipe training\.warmup_epochs must be less than training\.epochs, not 2$",
        ),
        (
            changed("training", loss="mse"),
            r"^Recipe training\.loss must be one of 'cross_entropy', 'tet', not 'mse'$",
        ),
        (
            changed("training", tet_lambda=0.1),
            r"^Recipe training\.tet_lambda must be left out unless the loss is 'tet', not",
        ),
        (
            changed("training", tet_target=0.0),
            r"^Recipe training\.tet_target must be left out unless the loss is 'tet', not",
        ),
        (
            changed("training", loss="tet", tet_lambda=2),
            r"^Recipe training\.tet_lambda must be a number from 0 to 1, not 2\.0$",
        ),
        (
            changed("training", autoaugment="mine"),
            r"^Recipe training\.autoaugment must be one of 'cifar10', .*, not 'mine'$",
        ),
        (
            changed("training", cutout=-1),
            r"^Recipe training\.cutout must be an integer of at least 0, not -1$",
        ),
        (
            changed("training", mixup=-0.5),
            r"^Recipe training\.mixup must be a finite number of at least 0, not -0\.5$",
        ),
        (
            changed("training", cutmix=-0.5),
            r"^Recipe training\.cutmix must be a finite number of at least 0, not -0\.5$",
        ),
        (
            changed("training", mix_off_epoch=1),
            r"^Recipe training\.mix_off_epoch must be left out without .* cutmix, not 1$",
        ),
        (
            changed("training", validation=0.6),
            r"^Recipe training\.validation must be a number from 0 to 0\.5, not 0\.6$",
        ),
        (
            changed("training", patience=3),
            r"^Recipe training\.patience must be left out without training\.validation, not 3$",
        ),
        (
            changed("training", keep_best=True),
            r"^Recipe training\.keep_best must be false without training\.validation, not",
        ),
        (
            changed("training", device="tpu"),
            r"^Recipe training\.device must be one of 'auto', 'cpu', 'cuda', not 'tpu'$",
        ),
        (
            changed("training", threads=0),
            r"^Recipe training\.threads must be an integer from 1 to 1024, not 0$",
        ),
        (
            changed("training", amp="fp8"),
            r"^Recipe training\.amp must be one of 'none', 'bf16', 'fp16', not 'fp8'$",
        ),
        (
            changed("training", amp="fp16", device="cpu"),
            r"^Recipe training\.amp must not be 'fp16' on the CPU; use 'bf16', not",
        ),
        (
            changed("training", leak_terms=0),
            r"^Recipe training\.leak_terms must be an integer from 1 to 8, not 0$",
        ),
        (changed("training", log_dir=3), r"^Recipe training\.log_dir must be of type str, not 3$"),
    ],
)  # fmt: skip
def test_mistakes_are_named(table: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe.from_dict(table)


def test_every_key_round_trips() -> None:
    training = {
        **{"optimizer": "sgd", "momentum": 0.5, "nesterov": True, "clip_norm": 1, "schedule": "constant"},
        **{"warmup_epochs": 1, "loss": "tet", "tet_lambda": 0.05, "tet_target": 1, "autoaugment": "svhn"},
        **{"cutout": 4, "mixup": 0.8, "cutmix": 1, "mix_off_epoch": 1, "validation": 0.1, "patience": 2},
        **{"keep_best": True, "device": "cpu", "threads": 2, "amp": "bf16", "log_dir": "logs", "epochs": 3},
        **{"sync_batch_norm": True, "random_resized_crop": True, "leak_terms": 2, "weight_bits": 4},
    }
    model = {"hidden": [8], "neuron_options": {"per_step": False}, "binary": "learnable"}
    table = {
        "data": {"name": "digits", "steps": 4, "size": 32, "split": "time"},
        "model": model,
        "training": training,
    }
    recipe = Recipe.from_dict(table)
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    for name, part in table.items():
        for key, value in part.items():
            assert getattr(getattr(recipe, name), key) == (tuple(value) if key == "hidden" else value)
    assert recipe.data.keywords() == {"seed": 0, "steps": 4, "size": 32, "split": "time"}
    assert recipe.model.keywords()["neuron_options"] == {"per_step": False}
    plain = Recipe.from_dict(GOOD)
    assert plain.data.keywords() == {"seed": 0}
    assert not {"neuron_options", "binary"} & plain.model.keywords().keys()


def test_the_default_leak_is_the_neurons() -> None:
    leaks = {neuron: ModelOptions(hidden=(3,), neuron=neuron).leak for neuron in NEURONS}
    assert leaks == {neuron: 0.25 if neuron == "reverb" else 0.5 for neuron in NEURONS}
    assert ModelOptions(hidden=(3,), leak=0.0).leak == 0.0


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^Recipe '.*none\.toml' was not found; it must be a file$"):
        Recipe.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[data\nname=3")
    with pytest.raises(InputError, match=r"^Recipe '.*bad\.toml' must be TOML: "):
        Recipe.load(tmp_path / "bad.toml")


def test_recipes_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe.from_dict(GOOD).data.seed = 3
