"""Folders of images: what is cut out of them, that threads and generators change nothing, and bad ones."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spikefold.errors import InputError, MissingToolError
from spikefold.train import Dataset, load_data

Image = pytest.importorskip("PIL.Image", reason="the extra spikefold[images] is not installed")
from spikefold.train.data.image_files import RandomCrop  # noqa: E402

NAMES = ("n01440764", "n01443537", "n02099601")


def plain(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, "PNG" if path.suffix == ".png" else "JPEG", quality=95)


def gradient(path: Path, width: int, height: int) -> np.ndarray:
    """Red says the column, green the row; without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    x = np.zeros((height, width, 3), np.uint8)
    x[..., 0], x[..., 1] = np.arange(width)[None, :], np.arange(height)[:, None]
    Image.fromarray(x).save(path)
    return x


def folder(root: Path) -> Path:
    """Two or three images of one colour a class; the class is told by green."""
    for label, name in enumerate(NAMES):
        for number in range(2 + label % 2):
            plain(root / "train" / name / f"{name}_{number}.JPEG", (50 * number, 80 * label, 200))
        plain(root / "val" / name / f"ILSVRC2012_val_{label}.JPEG", (255, 80 * label, 0))
    return root


def test_classes_are_the_sorted_folders(tmp_path: Path) -> None:
    data = load_data(f"imagenet:{folder(tmp_path)}", size=8)
    assert data.train_y.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert data.test_y.tolist() == [0, 1, 2]
    assert (data.train_x.shape, data.test_x.shape) == ((7, 3, 8, 8), (3, 3, 8, 8))
    assert (data.train_x.dtype, data.image_shape, data.classes) == (np.float32, (3, 8, 8), 3)
    assert (data.minimum, data.maximum, data.steps) == (0.0, 1.0, None)
    x = data.train_x[:]
    assert x.dtype == np.float32
    colours = [(50 * n, 80 * label, 200) for label, count in ((0, 2), (1, 3), (2, 2)) for n in range(count)]
    np.testing.assert_allclose(
        x, np.broadcast_to(np.array(colours)[:, :, None, None], x.shape) / 255, atol=0.012
    )
    np.testing.assert_allclose(data.test_x[1][:, 4, 4], np.array([255, 80, 0]) / 255, atol=0.012)


def test_the_usual_size_is_224(tmp_path: Path) -> None:
    data = load_data(f"imagenet:{folder(tmp_path)}")
    assert data.train_x[[3]].shape == (1, 3, 224, 224)
    assert data.image_shape == (3, 224, 224)


def test_other_files_and_capitals(tmp_path: Path) -> None:
    folder(tmp_path)
    plain(tmp_path / "train" / NAMES[0] / "a.png", (0, 0, 0))
    plain(tmp_path / "train" / NAMES[0] / "b.JPG", (0, 0, 0))
    (tmp_path / "train" / NAMES[0] / "notes.txt").write_text("")
    (tmp_path / "train" / "readme.txt").write_text("")
    Image.new("L", (30, 30), 90).save(tmp_path / "val" / NAMES[2] / "grey.png")
    Image.new("RGBA", (30, 30), (10, 20, 30, 0)).save(tmp_path / "val" / NAMES[2] / "a.png")
    data = load_data(f"imagenet:{tmp_path}", size=8)
    assert np.bincount(data.train_y).tolist() == [4, 3, 2]
    pixels = data.test_x[[2, 3, 4]][:, :, 0, 0] * 255  # val: ILSVRC2012_val_2.JPEG, a.png, grey.png
    np.testing.assert_allclose(pixels[1:], [[10, 20, 30], [90, 90, 90]], atol=1e-4)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 64), (64, 200), (65, 131)])
def test_the_middle_of_the_resized_image_is_taken(tmp_path: Path, width: int, height: int) -> None:
    folder(tmp_path)
    gradient(tmp_path / "val" / NAMES[0] / "g.png", width, height)
    size = 56  # the shorter side becomes 64
    data = load_data(f"imagenet:{tmp_path}", size=size)
    x = data.test_x[1] * 255  # after ILSVRC2012_val_0.JPEG
    scale = min(width, height) / 64
    left, top = (round((side / scale - size) / 2) for side in (width, height))
    columns = (np.arange(size) + left + 0.5) * scale - 0.5
    rows = (np.arange(size) + top + 0.5) * scale - 0.5
    np.testing.assert_allclose(x[0], np.broadcast_to(columns, (size, size)), atol=1.6)
    np.testing.assert_allclose(x[1], np.broadcast_to(rows[:, None], (size, size)), atol=1.6)
    if min(width, height) == 64:
        middle = (slice(None), slice(2, -2), slice(2, -2))  # nothing is resized but the long side by < 1
        assert np.abs(x[middle] - np.round(x[middle])).max() < 1e-4


def drawn(data: Dataset, rows: list, seed: int) -> np.ndarray:
    return data.train_x.random(np.array(rows), torch.Generator().manual_seed(seed))  # type: ignore[union-attr]


def test_random_parts_follow_the_generator(tmp_path: Path) -> None:
    gradient(tmp_path / "train" / NAMES[0] / "g.png", 200, 120)
    gradient(tmp_path / "train" / NAMES[1] / "g.png", 90, 250)
    gradient(tmp_path / "val" / NAMES[0] / "g.png", 90, 90)
    data = load_data(f"imagenet:{tmp_path}", size=16)
    rows = [0, 1] * 30
    x = drawn(data, rows, 3)
    assert (x.shape, x.dtype) == ((60, 3, 16, 16), np.float32)
    assert np.array_equal(x, drawn(data, rows, 3))
    assert not np.array_equal(x, drawn(data, rows, 4))
    assert len(np.unique(x.reshape(60, -1), axis=0)) == 60
    assert np.array_equal(drawn(data, rows[:2], 3), x[:2])  # the first numbers belong to the first images
    for row, (width, height) in enumerate([(200, 120), (90, 250)]):
        own = x[row::2] * 255
        spans = (own[:, 0, 8, 12] - own[:, 0, 8, 3]) / 9, (own[:, 1, 12, 8] - own[:, 1, 3, 8]) / 9  # a pixel
        area = spans[0] * spans[1] * 256 / (width * height)
        ratio = spans[0] / spans[1]
        assert area.min() > 0.07
        largest = min(width, height) ** 2 * 4 / 3 / (width * height)  # of sides of 3:4 to 4:3
        assert 0.6 * largest < area.max() < 1.05 * largest
        assert ratio.min() > 0.73
        assert ratio.max() < 1.37
        assert ratio.max() - ratio.min() > 0.2
        assert own[:, 0].min() >= 0
        assert own[:, 0].max() <= width - 1
        assert (spans[0] > 0).all()  # never mirrored


@pytest.mark.parametrize(
    ("width", "height", "window"),
    [(100, 100, (0, 0, 100, 100)), (300, 60, (110, 0, 80, 60)), (60, 300, (0, 110, 60, 80))],
)
def test_the_middle_is_taken_where_no_try_fits(width: int, height: int, window: tuple) -> None:
    wide, tall = np.tile([1.0, 1.0, 0.5, 0.5], (10, 1)), np.tile([1.0, 0.0, 0.5, 0.5], (10, 1))
    assert RandomCrop(wide).window(width, height) == window
    assert RandomCrop(tall).window(width, height) == window
    square = np.vstack([wide[:9], [1.0, 0.5, 0.0, 0.0]])  # the last of the tries fits
    if width == height:
        assert RandomCrop(square).window(width, height) == (0, 0, width, height)


def test_a_window_may_touch_every_side() -> None:
    corners = {
        RandomCrop(np.tile([0.0, 0.5, top, left], (10, 1))).window(100, 50)
        for top in (0.0, 1 - 1e-12)
        for left in (0.0, 1 - 1e-12)
    }
    assert corners == {(left, top, 20, 20) for left in (0, 80) for top in (0, 30)}  # 0.08 * 5000 = 20 * 20


def test_a_class_may_be_without_test_images(tmp_path: Path) -> None:
    (folder(tmp_path) / "val" / NAMES[1] / "ILSVRC2012_val_1.JPEG").unlink()
    (tmp_path / "val" / NAMES[1]).rmdir()
    data = load_data(f"imagenet:{tmp_path}", size=8)
    assert (data.test_y.tolist(), data.classes) == ([0, 2], 3)


def test_missing_and_foreign_classes_are_named(tmp_path: Path) -> None:
    message = r"^Data folder '.*{}' must hold a folder of images for every class, not none; sort the images"
    with pytest.raises(InputError, match=message.format("train")):
        load_data(f"imagenet:{tmp_path}")
    plain(tmp_path / "train" / "a" / "1.png", (1, 2, 3))
    plain(tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG", (1, 2, 3))
    with pytest.raises(InputError, match=message.format("val")):
        load_data(f"imagenet:{tmp_path}")
    (tmp_path / "val" / "b").mkdir()
    with pytest.raises(InputError, match=r"^Data folder '.*val' must have the classes of 'train', not 'b'$"):
        load_data(f"imagenet:{tmp_path}")
    (tmp_path / "val" / "b").rename(tmp_path / "val" / "a")
    with pytest.raises(
        InputError, match=r"^Data folder '.*val/a' must hold images \(\.jpeg, \.jpg, \.png\), not none$"
    ):
        load_data(f"imagenet:{tmp_path}")
    plain(tmp_path / "val" / "a" / "1.png", (1, 2, 3))
    assert load_data(f"imagenet:{tmp_path}").classes == 2  # a network has two classes at least


def test_unreadable_images_are_named(tmp_path: Path) -> None:
    folder(tmp_path)
    path = tmp_path / "train" / NAMES[1] / f"{NAMES[1]}_1.JPEG"
    whole = path.read_bytes()
    data = load_data(f"imagenet:{tmp_path}", size=8)
    for content in (b"", b"text", whole[: len(whole) // 2], None):
        path.unlink() if content is None else path.write_bytes(content)
        message = rf"^Image file '.*{path.name}' must be a whole image: .*; fetch it again$"
        with pytest.raises(InputError, match=message):
            data.train_x[:]
        with pytest.raises(InputError, match=message):
            drawn(data, [3], 0)
        data.train_x[[0, 1, 2]]


def test_missing_pillow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(
        MissingToolError, match=r"^Image files need the package Pillow; .* pip install 'spikefold\[images\]'$"
    ):
        load_data(f"imagenet:{tmp_path}")
