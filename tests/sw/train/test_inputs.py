"""Training on frames and on arrays that are read piece by piece, and what data cannot be augmented."""

from pathlib import Path

import numpy as np
import pytest
import torch
from train_case import run, small_recipe

from spikefold import nn
from spikefold.errors import InputError
from spikefold.train import Dataset, Recipe, accuracy, load_data, trainer
from spikefold.train.run import Run


class Folder:
    """Samples that are read when asked for, as a folder of images gives them; counts how many at once."""

    def __init__(self, x: np.ndarray) -> None:
        self._x, self.shape, self.dtype, self.largest, self.cropped = x, x.shape, x.dtype, 0, 0

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        assert isinstance(indices, np.ndarray)
        self.largest = max(self.largest, len(indices))
        return self._x[indices]

    def random(self, indices: np.ndarray, generator: torch.Generator) -> np.ndarray:
        self.cropped += len(indices)
        keep = torch.rand(len(indices), generator=generator).numpy() < 0.5
        return self._x[indices] * keep[:, None, None, None].astype(np.float32)


def changed(data: Dataset, **values: object) -> Dataset:
    return Dataset(**(vars(data) | values))


def use(monkeypatch: pytest.MonkeyPatch, data: Dataset) -> None:
    monkeypatch.setattr(trainer, "load_data", lambda name, **options: data)


def frames(samples: int = 60, steps: int = 3) -> Dataset:
    """Return recordings whose class is the frame that is bright: only time tells them apart."""
    rng = np.random.default_rng(0)
    y = np.arange(samples) % steps
    x = rng.random((samples, steps, 2, 6, 6), dtype=np.float32) * 0.3
    x[np.arange(samples), y] += 0.7
    return Dataset(
        *(x, y, x[:30], y[:30]), maximum=1.0, classes=steps, name="made", image_shape=(2, 6, 6), steps=steps
    )


def test_arrays_are_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small_recipe(tmp_path, epochs=2, flip=True, validation=0.25)
    data = load_data(recipe.data.name)
    run(recipe, tmp_path / "whole")
    lazy = changed(data, train_x=Folder(data.train_x), test_x=Folder(data.test_x))
    use(monkeypatch, lazy)
    run(recipe, tmp_path / "lazy")
    assert (tmp_path / "lazy").read_bytes() == (tmp_path / "whole").read_bytes()
    assert 0 < lazy.train_x.largest <= 32


def test_random_parts_of_images_are_for_training_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(tmp_path, epochs=2, random_resized_crop=True, validation=0.25)
    data = load_data(recipe.data.name)
    message = (
        r"^Recipe training\.random_resized_crop must be false for 'npz:.*', which is no folder of images"
    )
    with pytest.raises(InputError, match=message):
        run(recipe, tmp_path / "m")
    lazy = changed(data, train_x=Folder(data.train_x))
    use(monkeypatch, lazy)
    run(recipe, tmp_path / "m")
    assert lazy.train_x.cropped == 2 * 72
    assert lazy.train_x.largest == 24  # held out
    run(recipe, tmp_path / "again")
    assert (tmp_path / "m").read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.parametrize("augmented", [False, True])
def test_frames_reach_the_network_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augmented: bool
) -> None:
    use(monkeypatch, frames())
    more = {"shift": 1, "flip": True, "cutout": 1, "mixup": 0.2} if augmented else {}
    options = {"epochs": 60, "batch_size": 20, "learning_rate": 0.03, "loss": "tet", "validation": 0.2} | more
    model = {"hidden": [16], "neuron": "lif", "leak": 0.9}
    recipe = Recipe.from_dict({"data": {"name": "made"}, "model": model, "training": options})
    result = run(recipe, tmp_path / "m")
    assert result.accuracy > 0.8
    loaded = nn.load(tmp_path / "m")
    assert (loaded.input.static, loaded.input.steps) == (False, 3)
    data = frames()
    assert accuracy(loaded, data.test_x, data.test_y) == result.accuracy
    assert accuracy(loaded, data.test_x[:, ::-1], data.test_y) < 0.6  # frames in another order


def test_frames_of_a_sample_are_changed_alike() -> None:
    data = frames(steps=3)
    same = changed(data, train_x=np.repeat(data.train_x[:, :1], 3, axis=1))
    options = {"shift": 2, "flip": True, "cutout": 3, "cutmix": 1.0}
    recipe = Recipe.from_dict({"data": {"name": "made"}, "model": {"hidden": [3]}, "training": options})
    x, _ = Run(recipe, same)._samples(torch.arange(20))
    assert x.shape == (20, 3, 2, 6, 6)
    assert torch.equal(x[:, 0], x[:, 1])
    assert torch.equal(x[:, 0], x[:, 2])
    assert not torch.equal(x[:, 0], torch.from_numpy(same.train_x[:20, 0]))


def test_steps_are_the_frames(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, frames())
    table = {"data": {"name": "made"}, "model": {"hidden": [3], "steps": 2}}
    message = r"^Recipe model\.steps \(T\) must be 3, one per frame of 'made', not 2; leave it out$"
    with pytest.raises(InputError, match=message):
        run(Recipe.from_dict(table), tmp_path / "m")


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("cutout", 2, "0"),
        ("cutmix", 1.0, r"0\.0"),
        ("autoaugment", "svhn", "left out"),
        ("flip", True, "false"),
    ],
)
def test_what_is_no_image_has_no_image_augmentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object, rule: str
) -> None:
    recipe = small_recipe(tmp_path, **{key: value})
    use(monkeypatch, changed(load_data(recipe.data.name), image_shape=None))
    with pytest.raises(
        InputError,
        match=rf"^Recipe training\.{key} must be {rule} for 'npz:.*', whose samples are no images, ",
    ):
        run(recipe, tmp_path / "m")


def test_autoaugment_is_for_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = r"^Recipe training\.autoaugment must be left out for '.*', whose samples are no images of 3 "
    recipe = small_recipe(tmp_path, autoaugment="cifar10")
    with pytest.raises(InputError, match=message):
        run(recipe, tmp_path / "m")
    pytest.importorskip("kornia")
    data = load_data(recipe.data.name)
    colours = {key: np.repeat(getattr(data, key), 3, axis=1) for key in ("train_x", "test_x")}
    use(monkeypatch, changed(data, image_shape=(3, 8, 8), **colours))
    for name in ("a", "b"):
        run(recipe, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
