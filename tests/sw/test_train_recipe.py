"""Recipes: the shipped ones load, round trips, and every mistake is named."""

import dataclasses
from pathlib import Path

import pytest

from spikefold.errors import InputError
from spikefold.train import Recipe

EXAMPLES = Path(__file__).parents[2] / "examples"
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
        (changed("data", zzz=3), r"^Recipe key 'data\.zzz' is unknown; known keys: name, seed$"),
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
    ],
)  # fmt: skip
def test_mistakes_are_named(table: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe.from_dict(table)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^Recipe '.*none\.toml' must exist and be a file$"):
        Recipe.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[data\nname=3")
    with pytest.raises(InputError, match=r"^Recipe '.*bad\.toml' must be TOML: "):
        Recipe.load(tmp_path / "bad.toml")


def test_recipes_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe.from_dict(GOOD).data.seed = 3
