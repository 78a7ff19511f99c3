"""Data sets in the IDX format, written here by hand, and every way in which a folder of them can be bad."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from spikefold.errors import InputError, MissingToolError
from spikefold.train import load_data
from spikefold.train.data import idx as idx_files

NAMES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def idx(array: np.ndarray) -> bytes:
    return (
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


def arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (count, 5, 4)) for count in (7, 3)]
    images[0].flat[:2] = 0, 255
    return [images[0], np.arange(7) % 4, images[1], np.arange(3)]


def written(folder: Path, ending: str = "-ubyte", packed: bool = False, **changes: np.ndarray | bytes) -> str:
    """Write the four files, with ``train_images`` and so on replaced; return the data set's name."""
    for name, array in zip(NAMES, arrays(), strict=True):
        key = "_".join(name.split("-")[:2])
        content = changes.get(key, array)
        content = content if isinstance(content, bytes) else idx(content)
        (folder / (name + ending)).write_bytes(gzip.compress(content) if packed else content)
    return f"idx:{folder}"


def test_bytes_become_numbers_from_0_to_1(tmp_path: Path) -> None:
    found = load_data(written(tmp_path))
    x, y, test_x, test_y = arrays()
    assert (found.train_x.shape, found.test_x.shape) == ((7, 1, 5, 4), (3, 1, 5, 4))
    assert (found.train_x.dtype, found.train_y.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(found.train_x[:, 0], x / 255, rtol=1e-7)
    np.testing.assert_allclose(found.test_x[:, 0], test_x / 255, rtol=1e-7)
    assert (found.train_x.min(), found.train_x.max()) == (0.0, 1.0)
    assert (found.train_y.tolist(), found.test_y.tolist()) == (y.tolist(), test_y.tolist())
    assert (found.minimum, found.maximum, found.classes, found.image_shape) == (0.0, 1.0, 4, (1, 5, 4))
    assert found.name == f"idx:{tmp_path}"


@pytest.mark.parametrize(("ending", "packed"), [("-ubyte", True), ("-ubyte.gz", True), ("-ubyte.gz", False)])
def test_files_may_be_gzipped_whatever_their_name(tmp_path: Path, ending: str, packed: bool) -> None:
    (tmp_path / "plain").mkdir()
    expected = load_data(written(tmp_path / "plain"))
    found = load_data(written(tmp_path, ending, packed))
    assert np.array_equal(found.train_x, expected.train_x)
    assert np.array_equal(found.test_y, expected.test_y)


def test_names_with_a_dot_are_known_too(tmp_path: Path) -> None:
    written(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    assert load_data(f"idx:{tmp_path}").train_x.shape == (7, 1, 5, 4)


def header(magic: int, *sizes: int) -> bytes:
    return struct.pack(f">{1 + len(sizes)}I", magic, *sizes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": b""}, r"Data file '.*train-images.*' must begin with 0x00000803 .*, not 0x$"),
        (
            {"train_images": idx(np.zeros(7))},
            r"Data file '.*train-images.*' must begin with 0x00000803 \(IDX, unsigned bytes, axes: 3\), "
            r"not 0x00000801$",
        ),
        (
            {"t10k_labels": header(0x00000D01, 3) + bytes(12)},  # floats
            r"Data file '.*t10k-labels.*' must begin with 0x00000801 .*, not 0x00000d01$",
        ),
        ({"train_labels": b"P5 28"}, r"Data file '.*' must begin with 0x00000801 .*, not 0x50352032$"),
        (
            {"train_images": header(0x803, 7, 5)},
            r"Data file '.*' must have a header of 16 bytes, not 12 bytes$",
        ),
        (
            {"train_images": idx(arrays()[0])[:-1]},
            r"Data file '.*' must hold 140 bytes for its shape \(7, 5, 4\), not 139; fetch it again$",
        ),
        (
            {"train_labels": idx(arrays()[1]) + b"\0"},
            r"Data file '.*' must hold 7 bytes for its shape \(7,\), not more; fetch it again$",
        ),
        (
            {"t10k_images": header(0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1)},
            r"Data file '.*' must need at most 512\.0 MiB of memory, but needs over 2\^9\d bytes; ",
        ),
        (
            {"train_images": idx(np.zeros((0, 5, 4)))},
            r"Data file '.*train-images.*' must hold images, not shape \(0, 5, 4\)$",
        ),
        (
            {"train_labels": idx(np.zeros(6))},
            r"Data folder '.*' must hold a label for every train image, not 6 labels for 7 images$",
        ),
        (
            {"t10k_labels": idx(np.zeros(4))},
            r"Data folder '.*' must hold a label for every test image, not 4 labels for 3 images$",
        ),
        (
            {"t10k_images": idx(np.zeros((3, 4, 5)))},
            r"Data folder '.*' must hold images of one shape, not \(5, 4\) and \(4, 5\)$",
        ),
        (
            {"train_images": gzip.compress(idx(arrays()[0]))[:-9]},
            r"Data file '.*train-images.*' must be a whole IDX file: .*; fetch it again$",
        ),
        (
            {"train_images": gzip.compress(idx(arrays()[0]))[:12] + b"\xff" * 40},
            r"Data file '.*train-images.*' must be a whole IDX file: .*; fetch it again$",
        ),
    ],
)  # fmt: skip
def test_unfit_files_are_named(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match="^" + message):
        load_data(written(tmp_path, **changes))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    written(tmp_path)
    (tmp_path / f"{name}-ubyte").unlink()
    message = rf"^Data folder '.*' must hold the file '{name}-ubyte' or '{name}-ubyte\.gz'$"
    with pytest.raises(InputError, match=message):
        load_data(f"idx:{tmp_path}")


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(
        InputError, match=r"^Data folder '.*f' must hold the file 'train-images-idx3-ubyte' or"
    ):
        load_data(f"idx:{tmp_path / 'f'}")


def test_fashion_is_read_where_the_package_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx_files, "FASHION", tmp_path)
    expected = load_data(written(tmp_path, "-ubyte.gz", packed=True))
    found = load_data("fashion", seed=3)
    assert found.name == "fashion"
    assert np.array_equal(found.train_x, expected.train_x)


def test_a_missing_package_is_named_with_the_ways_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idx_files, "FASHION", tmp_path / "none")
    message = (
        r"^Data set 'fashion' needs the folder '.*none'; install it with: apt-get install "
        r"dataset-fashion-mnist, or name a folder that holds the four files: idx:FOLDER$"
    )
    with pytest.raises(MissingToolError, match=message):
        load_data("fashion")


@pytest.mark.skipif(
    not idx_files.FASHION.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)
def test_the_package_holds_what_was_published() -> None:
    found = load_data("fashion")
    assert (found.train_x.shape, found.test_x.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert np.bincount(found.train_y).tolist() == [6000] * 10
    assert np.bincount(found.test_y).tolist() == [1000] * 10
    assert (found.train_x.min(), found.train_x.max(), found.classes) == (0.0, 1.0, 10)
