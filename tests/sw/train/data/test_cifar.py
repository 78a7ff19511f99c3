"""CIFAR-10 and CIFAR-100 in both published versions, written here byte by byte, and every bad one."""

import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from spikefold.errors import InputError
from spikefold.train import load_data
from spikefold.train.data.pickles import read_pickle

BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


def images(count: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).integers(0, 256, (count, 3072)).astype(np.uint8)
    x[0, :2] = 0, 255
    return x


# -- pickles as Python 2 wrote them, opcode by opcode ------------------------------------------------------


def text(value: str) -> bytes:
    return b"U" + bytes([len(value)]) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def array(x: np.ndarray, kind: str = "u1", sizes: tuple | None = None) -> bytes:
    shape = b"(" + b"".join(map(number, x.shape if sizes is None else sizes)) + b"t"
    made = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + number(0) + b"\x85" + text("b")
    made += b"\x87R"
    dtype = b"cnumpy\ndtype\n" + text(kind) + number(0) + number(1) + b"\x87R"
    dtype += b"(" + number(3) + text("|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    content = x.tobytes()
    state = b"(" + number(1) + shape + dtype + b"\x89" + b"T" + struct.pack("<I", len(content)) + content
    return made + state + b"tb"


def numbers(values: list) -> bytes:
    return b"](" + b"".join(map(number, values)) + b"e"


def table(**items: bytes) -> bytes:
    return b"\x80\x02}(" + b"".join(text(key) + value for key, value in items.items()) + b"u."


def batch(x: np.ndarray, labels: list, key: str = "labels", /, **changes: bytes) -> bytes:
    names = b"](" + b"".join(text(f"image_{i}.png") for i in range(len(x))) + b"e"
    items = {"batch_label": text("a batch"), key: numbers(labels), "data": array(x), "filenames": names}
    return table(**(items | changes))


# -- folders -----------------------------------------------------------------------------------------------


def parts() -> tuple[list, tuple]:
    """Five batches of 3 and a test batch of 2, as (pixels, labels)."""
    batches = [(images(3, seed), [(3 * seed + i) % 10 for i in range(3)]) for seed in range(5)]
    return batches, (images(2, 9), [9, 0])


def records(x: np.ndarray, *labels: list) -> bytes:
    return b"".join(bytes(own) + row.tobytes() for row, *own in zip(x, *labels, strict=True))


def cifar10_python(folder: Path) -> Path:
    folder.mkdir(parents=True)
    batches, test = parts()
    for name, (x, y) in zip((*BATCHES, "test_batch"), (*batches, test), strict=True):
        (folder / name).write_bytes(batch(x, y))
    return folder


def cifar10_binary(folder: Path) -> Path:
    folder.mkdir(parents=True)
    batches, test = parts()
    for name, (x, y) in zip((*BATCHES, "test_batch"), (*batches, test), strict=True):
        (folder / f"{name}.bin").write_bytes(records(x, y))
    return folder


def check(found, folder: Path, classes: int, train: np.ndarray, test: np.ndarray, labels: tuple) -> None:
    assert (found.train_x.dtype, found.train_y.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(found.train_x, train.reshape(-1, 3, 32, 32) / 255.0, rtol=1e-6)
    np.testing.assert_allclose(found.test_x, test.reshape(-1, 3, 32, 32) / 255.0, rtol=1e-6)
    assert (found.train_y.tolist(), found.test_y.tolist()) == labels
    assert (found.minimum, found.maximum, found.classes) == (0.0, 1.0, classes)
    assert (found.image_shape, found.name) == ((3, 32, 32), f"cifar{classes}:{folder}")
    assert (found.train_x.min(), found.train_x.max(), found.steps) == (0.0, 1.0, None)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    ("write", "name"), [(cifar10_python, "cifar-10-batches-py"), (cifar10_binary, "cifar-10-batches-bin")]
)
def test_cifar10_of_both_versions(tmp_path: Path, write, name: str, inside: bool) -> None:
    place = write(tmp_path / name)
    folder = place if inside else tmp_path
    batches, (test, test_labels) = parts()
    labels = [label for _, y in batches for label in y], test_labels
    train = np.concatenate([x for x, _ in batches])
    check(load_data(f"cifar10:{folder}"), folder, 10, train, test, labels)


def test_pixels_are_red_green_blue_by_rows(tmp_path: Path) -> None:
    place = cifar10_binary(tmp_path / "c")
    x = np.zeros((1, 3072), np.uint8)
    x[0, 1024 * 2 + 32 * 5 + 7] = 255  # blue, row 5, column 7
    (place / "test_batch.bin").write_bytes(records(x, [4]))
    assert np.argwhere(load_data(f"cifar10:{place}").test_x).tolist() == [[0, 2, 5, 7]]


def cifar100_python(folder: Path, x: tuple, coarse: tuple, fine: tuple) -> None:
    for name, pixels, few, many in zip(("train", "test"), x, coarse, fine, strict=True):
        (folder / name).write_bytes(batch(pixels, many, "fine_labels", coarse_labels=numbers(few)))


def cifar100_binary(folder: Path, x: tuple, coarse: tuple, fine: tuple) -> None:
    for name, pixels, few, many in zip(("train.bin", "test.bin"), x, coarse, fine, strict=True):
        (folder / name).write_bytes(records(pixels, few, many))


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    ("write", "name"), [(cifar100_python, "cifar-100-python"), (cifar100_binary, "cifar-100-binary")]
)
def test_cifar100_has_the_fine_labels(tmp_path: Path, write, name: str, inside: bool) -> None:
    (tmp_path / name).mkdir()
    x, coarse, fine = (images(4, 0), images(2, 1)), ([1, 2, 19, 0], [3, 4]), ([99, 0, 50, 7], [98, 1])
    write(tmp_path / name, x, coarse, fine)
    folder = tmp_path / name if inside else tmp_path
    check(load_data(f"cifar100:{folder}"), folder, 100, *x, fine)


def test_the_python_version_is_taken_of_two(tmp_path: Path) -> None:
    cifar10_binary(tmp_path / "cifar-10-batches-bin")
    place = cifar10_python(tmp_path / "cifar-10-batches-py")
    (place / "test_batch").write_bytes(batch(images(1, 5), [6]))
    assert load_data(f"cifar10:{tmp_path}").test_y.tolist() == [6]


def test_missing_files_are_named(tmp_path: Path) -> None:
    message = (
        r"^Data folder '.*' must hold the files of CIFAR-10, 'data_batch_1', \.\.\., 'test_batch' or "
        r"'data_batch_1\.bin', \.\.\., 'test_batch\.bin', itself or in a folder 'cifar-10-batches-py' or "
        r"'cifar-10-batches-bin'$"
    )
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=message):
            load_data(f"cifar10:{folder}")
    for write in (cifar10_python, cifar10_binary):
        place = write(tmp_path / write.__name__)
        for path in sorted(place.iterdir()):
            content = path.read_bytes()
            path.unlink()
            with pytest.raises(InputError, match=rf"^Data folder '.*' must hold the file '{path.name}'; "):
                load_data(f"cifar10:{place}")
            path.write_bytes(content)
        load_data(f"cifar10:{place}")
    with pytest.raises(InputError, match=r"must hold the files of CIFAR-100, 'train', \.\.\., 'test' or"):
        load_data(f"cifar100:{place}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"must hold images, not none$"),
        (
            records(images(2, 0), [1, 2])[:-1],
            r"must consist of whole records of 3073 bytes, not 6145",
        ),
        (
            records(images(2, 0), [1, 2]) + b"\0",
            r"must consist of whole records of 3073 bytes, not 6147",
        ),
        (records(images(2, 0), [1, 10]), r"labels must be from 0 to 9, not 10$"),
        (records(images(1, 0), [255]), r"labels must be from 0 to 9, not 255$"),
    ],
)
def test_bad_binary_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    place = cifar10_binary(tmp_path / "c")
    (place / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"^Data file '.*data_batch_3\.bin':? " + message):
        load_data(f"cifar10:{place}")


X = images(2, 0)
GOOD = batch(X, [1, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"must be a whole pickle: ValueError.*; fetch it again$"),
        (b"not a pickle", r"must be a whole pickle: .*; fetch it again$"),
        (GOOD[:-1], r"must be a whole pickle: .*; fetch it again$"),
        (GOOD[:4000], r"must be a whole pickle: .*; fetch it again$"),
        (b"\x80\x02" + numbers([1]) + b".", r"must hold a dictionary, not list$"),
        (table(labels=numbers([1])), r"must have the key 'data', not only \['labels'\]$"),
        (table(data=array(X)), r"must have the key 'labels', not only \['data'\]$"),
        (batch(X, [1, 2], data=numbers([1])), r"'data' must be an array \[images, 3072\], not list$"),
        (batch(X[:, :9], [1, 2]), r"'data' must be an array \[images, 3072\], not \[2, 9\]$"),
        (batch(X[0], [1]), r"'data' must be an array \[images, 3072\], not \[3072\]$"),
        (batch(X[:0], []), r"must hold images, not none$"),
        (batch(X, [1]), r"must hold a label for every image, not 1 for 2 images$"),
        (batch(X, [1, 2, 3]), r"must hold a label for every image, not 3 for 2 images$"),
        (batch(X, [1, 10]), r"labels must be from 0 to 9, not 10$"),
        (batch(X, [-1, 2]), r"labels must be from 0 to 9, not -1$"),
        (
            batch(X, [], labels=b"](" + text("a") + text("b") + b"e"),
            r"'labels' must be a list of whole numbers$",
        ),
        (batch(X, [], labels=text("ab")), r"'labels' must be a list of whole numbers$"),
        (batch(X, [1, 2], data=array(X, "f4")), r"must hold arrays of type 'u1' \(uint8\), not b'f4'$"),
        (batch(X, [1, 2], data=array(X, "O")), r"must hold arrays of type 'u1' \(uint8\), not b'O'$"),
        (
            batch(X, [1, 2], data=array(X, sizes=(3, 3072))),
            r"must hold 9216 bytes for an array of shape \(3, 3072\), not 6144; fetch it again$",
        ),
        (
            batch(X, [1, 2], data=array(X, sizes=(-2, -3072))),
            r"must hold the bytes for an array of shape \(-2, -3072\), not 6144; ",
        ),
    ],
)
def test_bad_python_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    place = cifar10_python(tmp_path / "c")
    (place / "data_batch_4").write_bytes(content)
    with pytest.raises(InputError, match=r"(?s)^Data file '.*data_batch_4':? " + message):
        load_data(f"cifar10:{place}")


# -- pickles that do something -----------------------------------------------------------------------------


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_runs_code_is_refused_without_running_it(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "mark"
    bad = pickle.dumps({"data": X, "labels": [1, 2], "x": Call(os.mkdir, str(mark))}, protocol)
    pickle.loads(bad)
    assert mark.is_dir()  # that is what the pickle does where it is loaded
    mark.rmdir()
    place = cifar10_python(tmp_path / "c")
    lone = pickle.dumps(Call(os.mkdir, str(mark)), protocol)
    (place / "test_batch").write_bytes(lone)
    named = rf"not '{os.mkdir.__module__}\.mkdir', which could run code; it was not run$"
    with pytest.raises(InputError, match=rf"^Data file '.*test_batch' must hold nothing but .*, {named}"):
        load_data(f"cifar10:{place}")
    (place / "test_batch").write_bytes(bad)
    with pytest.raises(InputError, match=r"which could run code; it was not run$"):
        load_data(f"cifar10:{place}")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("code", "named"),
    [
        (b"cbuiltins\neval\n" + text("1/0") + b"\x85R.", "builtins.eval"),
        (b"c__builtin__\nexec\n" + text("1/0") + b"\x85R.", "__builtin__.exec"),
        (b"i__builtin__\nexec\n.", "__builtin__.exec"),
        (b"(S'1/0'\ni__builtin__\neval\n.", "__builtin__.eval"),
        (b"cnumpy\nload\n" + text("x") + b"\x85R.", "numpy.load"),
        (b"\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "numpy.ndarray.tofile"),
        (b"cnumpy.core.multiarray\nscalar\n.", "numpy.core.multiarray.scalar"),
        (b"c_codecs\nencode\n.", "_codecs.encode"),
    ],
)
def test_any_other_name_is_refused(tmp_path: Path, code: bytes, named: str) -> None:
    (tmp_path / "p").write_bytes(b"\x80\x04" + (b"(" if code[:1] == b"i" else b"") + code)
    with pytest.raises(InputError, match=rf"not '{named}', which could run code; it was not run$"):
        read_pickle(tmp_path / "p")


@pytest.mark.parametrize(
    "code",
    [
        b"cnumpy\nndarray\n" + text("x") + b"\x85R.",  # text is not called
        b"cnumpy\nndarray\n)\x81.",
        b"cnumpy\ndtype\n}(" + text("__class__") + number(1) + b"ub.",
        b"cnumpy\ndtype\nN}(" + text("__func__") + number(1) + b"u\x86b.",  # attributes of the stand-in
        b"cnumpy\ndtype\n" + text("u1") + b"\x85RR.",
        b"Pname\n.",
        b"\x82\x01.",
        b"]" + text("x") + b"b.",
    ],
)
def test_the_stand_ins_cannot_be_put_to_other_uses(tmp_path: Path, code: bytes) -> None:
    (tmp_path / "p").write_bytes(b"\x80\x02" + code)
    with pytest.raises(InputError, match=r"must (be a whole pickle|hold a dictionary)"):
        read_pickle(tmp_path / "p")
    (tmp_path / "p").write_bytes(GOOD)
    assert np.array_equal(read_pickle(tmp_path / "p")["data"], X)


@pytest.mark.parametrize("protocol", [3, 4])
def test_the_arrays_of_python_3_are_read_too(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "p").write_bytes(pickle.dumps({"data": X, "labels": [1, 2]}, protocol))
    found = read_pickle(tmp_path / "p")
    assert np.array_equal(found["data"], X)
    assert found["labels"] == [1, 2]


def test_what_is_written_here_is_what_python_2_wrote() -> None:
    found = pickle.load(io.BytesIO(GOOD), encoding="bytes")
    assert np.array_equal(found[b"data"], X)
    assert (found[b"labels"], found[b"batch_label"]) == ([1, 2], b"a batch")
    assert found[b"data"].dtype == np.uint8
