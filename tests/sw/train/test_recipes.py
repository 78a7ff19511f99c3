"""The recipes of the papers: they load, say what the papers print, and build their networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.train import Dataset, Recipe, fake_quantized
from spikefold.train.losses import make_loss
from spikefold.train.networks import build_network
from spikefold.train.schedule import make_optimizer

FOLDER = Path(__file__).parents[3] / "examples" / "recipes"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet": 1000, "cifar10dvs": 10, "dvsgesture": 11}
# optimizer, epochs, learning rate, batch, weight decay, loss: PIT Table 6, QB-LIF Table 1, ReverB section 4
PRINTED = {
    "pit_cifar10": ("sgd", 200, 0.1, 128, 5e-5, "cross_entropy"),
    "pit_cifar100": ("sgd", 200, 0.1, 128, 5e-4, "cross_entropy"),
    "pit_imagenet": ("adamw", 200, 0.05, 256, 5e-4, "cross_entropy"),
    "pit_cifar10dvs": ("sgd", 300, 0.05, 128, 5e-4, "tet"),
    "pit_dvsgesture": ("sgd", 300, 0.05, 16, 5e-4, "tet"),
    "qblif_cifar10": ("sgd", 500, 0.1, 128, 0.05, "cross_entropy"),
    "qblif_imagenet": ("adamw", 300, 5e-4, 128, 0.05, "cross_entropy"),
    "qblif_cifar10dvs": ("adamw", 200, 1e-3, 64, 0.06, "cross_entropy"),
    "qblif_dvsgesture": ("adamw", 200, 1e-3, 64, 0.06, "cross_entropy"),
    "reverb_cifar10": ("sgd", 400, 0.1, 128, 0.0, "cross_entropy"),
    "reverb_cifar10dvs": ("sgd", 400, 0.1, 128, 0.0, "cross_entropy"),
    "reverb_imagenet": ("sgd", 300, 0.1, 128, 0.0, "cross_entropy"),
}


def blank(recipe: Recipe, side: int) -> Dataset:
    """Return two samples of the shape of the recipe's data, of ``side`` pixels, 2 frames each."""
    kind, steps = recipe.data.name.partition(":")[0], recipe.data.steps and 2
    shape = (3, side, side) if steps is None else (steps, 2, side, side)
    x, y = np.random.default_rng(0).random((2, *shape), dtype=np.float32), np.arange(2)
    return Dataset(x, y, x, y, maximum=1.0, classes=CLASSES[kind], name=kind, steps=steps)


def test_all_are_there() -> None:
    assert set(NAMES) == set(PRINTED)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_what_the_paper_prints(name: str) -> None:
    options = Recipe.load(FOLDER / f"{name}.toml").training
    found = (
        *(options.optimizer, options.epochs, options.learning_rate, options.batch_size),
        *(options.weight_decay, options.loss),
    )
    assert found == PRINTED[name]
    assert options.schedule == "cosine"
    assert options.momentum == (0.9 if options.optimizer == "sgd" else None)
    text = (FOLDER / f"{name}.toml").read_text()
    lines = [line for line in text.splitlines() if "=" in line.partition("#")[0]]
    assert all("paper" in line.partition("#")[2] or "ours" in line.partition("#")[2] for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_builds_its_network_and_learns_a_step(name: str) -> None:
    """Narrowed to a few channels and small images; one update changes the weights."""
    torch.manual_seed(0)
    recipe = Recipe.load(FOLDER / f"{name}.toml")
    data = blank(recipe, 32 if recipe.model.kind == "vgg11" else 16)
    model = build_network(recipe.model.kind, replace(recipe.model, width=2).keywords(), data)
    steps = data.steps or recipe.model.steps
    assert (model.input.steps, model.input.static) == (steps, recipe.data.steps is None)
    neurons = [layer for layer in model.modules() if isinstance(layer, nn.SpikingNeuron)]
    assert {type(layer).__name__.lower() for layer in neurons} == {recipe.model.neuron}
    assert {layer.leak for layer in neurons} == {recipe.model.leak}
    x = torch.from_numpy(data.train_x)
    x = x.transpose(0, 1) if recipe.data.steps else x
    before = model.stem.weight.clone()
    optimizer = make_optimizer(model, replace(recipe.training, learning_rate=0.1))
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    make_loss(recipe.training)(model.train(), x, torch.from_numpy(data.train_y)).backward()
    optimizer.step()
    nn.check_weights(model)
    assert not torch.equal(before, model.stem.weight)
    options = recipe.training
    with fake_quantized(model.eval(), options.weight_bits, leak_terms=options.leak_terms):
        assert model(x).shape == (2, data.classes)
