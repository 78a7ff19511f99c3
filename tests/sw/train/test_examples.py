"""The trained networks beside the recipes: made by them, and as accurate as they say."""

from pathlib import Path

import pytest
import torch

from spikefold import golden, nn
from spikefold.fold import fold
from spikefold.quantize import quantize
from spikefold.train import Recipe, accuracy, data, fake_quantized, load_data

EXAMPLES = Path(__file__).parents[3] / "examples"
LEAST = {"fashion": 0.905, "fashion_residual": 0.88}  # integer accuracy at 4 bits, over all test images

needs_data = pytest.mark.skipif(
    not data.FASHION.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


@pytest.mark.parametrize("name", LEAST)
def test_the_network_is_the_recipes(name: str) -> None:
    path = EXAMPLES / f"{name}.safetensors"
    meta = nn.read_meta(path)
    assert Recipe.from_dict(meta["recipe"]) == Recipe.load(EXAMPLES / f"{name}.toml")
    assert path.stat().st_size < 1_000_000
    model = nn.load(path)
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}
    assert meta["accuracy_float"] - 0.005 <= meta["accuracy_quantized"]


@needs_data
@pytest.mark.parametrize("name", LEAST)
def test_integers_are_as_good_as_rounded_weights(name: str) -> None:
    model, found = nn.load(EXAMPLES / f"{name}.safetensors"), load_data("fashion")
    x, y = found.test_x[:500], found.test_y[:500]
    with fake_quantized(model, 4):
        rounded = accuracy(model, x, y)
    network, _ = quantize(fold(model), weight_bits=4)
    assert golden.accuracy(network, x, y) == rounded  # though in float32, with weights close to ties
    assert rounded > LEAST[name] - 0.02


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", LEAST)
def test_accuracies_are_those_of_the_file(name: str) -> None:
    path = EXAMPLES / f"{name}.safetensors"
    model, meta, found = nn.load(path), nn.read_meta(path), load_data("fashion")
    assert accuracy(model, found.test_x, found.test_y) == pytest.approx(meta["accuracy_float"], abs=1e-3)
    network, _ = quantize(fold(model), weight_bits=4)
    integer = golden.accuracy(network, found.test_x, found.test_y)
    assert integer >= LEAST[name]
    assert integer >= meta["accuracy_float"] - 0.005
