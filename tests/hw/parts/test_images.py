"""Images hold the columns they were packed from, and the files of a build are the images."""

import numpy as np
import pytest
from image_checks import check_image, field
from random_networks import random_graph

from spikefold.design import Design
from spikefold_hw.parts.images import Image
from spikefold_hw.streaming.planning import plan_of


@pytest.mark.parametrize("rows", [1, 2, 9])
@pytest.mark.parametrize("widths", [(1,), (4,), (8,), (3, 1, 9), (40, 7, 24), (5,) * 17])
def test_columns_of_any_width(widths, rows):
    """Signed and unsigned ones over their full range, both ends included."""
    rng = np.random.default_rng(rows)
    signs = [bool(k % 2) for k, _ in enumerate(widths)]
    columns = []
    for bits, sign in zip(widths, signs, strict=True):
        low = -(1 << (bits - 1)) if sign else 0
        values = rng.integers(low, low + (1 << bits), rows)
        values[0], values[-1] = low, low + (1 << bits) - 1
        columns.append(values)
    image = Image.of(list(zip(columns, widths, strict=True)))
    assert image.width == sum(widths)
    for row, word in enumerate(check_image(image, rows)):
        place = 0
        for values, bits, sign in zip(columns, widths, signs, strict=True):
            assert field(word, place, bits, sign) == values[row]
            place += bits


def test_files_are_the_images(tmp_path):
    network = random_graph(np.random.default_rng(1))
    plan = plan_of(network, {p.name: 2 for p in network.populations})
    Design(network, plan).write(tmp_path / "build")
    files = {file.name: file.read_bytes() for file in (tmp_path / "build" / "mem").iterdir()}
    images = {name: i for layer in plan.layers for name, i in layer.images(network).items()}
    assert set(files) == {f"{name}.{kind}" for name in images for kind in ("mem", "bin")}
    for name, image in images.items():
        assert files[f"{name}.mem"] == image.hexadecimal
        assert files[f"{name}.bin"] == image.data.tobytes()


def test_values_beyond_their_field_are_a_defect():
    Image.of([(np.array([7, -8]), 4)])
    Image.of([(np.array([0, 15]), 4)])
    with pytest.raises(ValueError, match=r"^Values must fit 4 bits, not 0\.\.16$"):
        Image.of([(np.array([0, 16]), 4)])
    with pytest.raises(ValueError, match=r"^Values must fit 4 bits, not -9\.\.0$"):
        Image.of([(np.array([0, -9]), 4)])
