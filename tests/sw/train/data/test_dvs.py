"""CIFAR10-DVS and DVS128 Gesture: splits, labels, frames, the cache, and every bad folder."""

import logging
from pathlib import Path

import numpy as np
import pytest
from dvs_case import (
    GESTURES,
    aedat2,
    cifar10dvs,
    dvsgesture,
    frames,
    gesture_events,
    random_events,
    upright,
)

from spikefold.errors import InputError
from spikefold.train import Dataset, load_data
from spikefold.train.data import cache, dvs


def load(name: str, **options: object) -> Dataset:
    return load_data(name, **{"steps": 4, "size": 16, "cache": False, "progress": False} | options)


def bounded(counts: np.ndarray, maximum: float) -> np.ndarray:
    return np.minimum(counts, maximum)


@pytest.mark.parametrize("split", ["number", "time"])
def test_cifar10dvs_gives_the_first_nine_tenths_to_training(tmp_path: Path, split: str) -> None:
    data = load(f"cifar10dvs:{cifar10dvs(tmp_path / 'c', 12)}", split=split)
    order = sorted(range(12), key=str)  # as text: 0, 1, 10, 11, 2, ...
    assert (data.train_x.shape, data.test_x.shape) == ((110, 4, 2, 16, 16), (10, 4, 2, 16, 16))
    assert (data.train_x.dtype, data.train_y.dtype, data.test_y.dtype) == (np.float32, np.int64, np.int64)
    assert data.train_y.tolist() == [label for label in range(10) for _ in range(11)]
    assert data.test_y.tolist() == list(range(10))
    assert (data.classes, data.steps, data.image_shape, data.minimum) == (10, 4, (2, 16, 16), 0.0)
    assert data.feature_shape == (2, 16, 16)
    for part, numbers in ((data.train_x, order[:11]), (data.test_x, order[11:])):
        x = part[:]
        assert x.dtype == np.float32
        for place in range(len(part)):
            label, number = place // len(numbers), numbers[place % len(numbers)]
            events = upright(random_events(60, 1000 * label + number))
            assert np.array_equal(x[place], bounded(frames(events, 4, 16, split), data.maximum))


def test_frames_have_the_sensors_size_if_none_is_given(tmp_path: Path) -> None:
    data = load(f"cifar10dvs:{cifar10dvs(tmp_path / 'c')}", size=None)
    assert data.train_x.shape == (90, 4, 2, 128, 128)
    events = upright(random_events(60, 9))  # the tenth by name as well
    assert np.array_equal(data.test_x[0], bounded(frames(events, 4, 128), data.maximum))


def test_the_maximum_bounds_99_percent_of_the_counts(tmp_path: Path) -> None:
    folder = cifar10dvs(tmp_path / "c", 10, 8)
    noisy = [(t, 60, 60, 1) for t in range(400)]  # one pixel that never rests, in a training part
    (folder / "bird" / "cifar10_bird_0.aedat").write_bytes(aedat2(noisy))
    data = load(f"cifar10dvs:{folder}", size=2, steps=1)
    paths = [(label, number) for label in range(10) for number in range(9)]
    counts = np.stack(
        [frames(upright(noisy if p == (2, 0) else random_events(8, 1000 * p[0] + p[1])), 1, 2) for p in paths]
    )
    values = np.sort(np.minimum(counts, 255)[counts > 0])
    expected = next(m for m in range(1, 256) if np.mean(values <= m) >= 0.99)
    assert data.maximum == expected
    assert expected < 10 < counts.max()
    assert data.train_x[:].max() == expected
    assert np.array_equal(data.train_x[:], bounded(counts, expected))


def test_orientation_of_cifar10dvs(tmp_path: Path) -> None:
    path = tmp_path / "e.aedat"
    path.write_bytes(aedat2([(7, 0, 100, 1), (8, 127, 3, 0)]))
    events = dvs.read_cifar10dvs(path)
    assert (events.x.tolist(), events.y.tolist(), events.p.tolist()) == ([27, 124], [127, 0], [0, 1])


@pytest.mark.parametrize("inside", [True, False])
def test_gestures_are_cut_at_their_times(tmp_path: Path, inside: bool) -> None:
    dvsgesture(tmp_path / "DvsGesture")
    data = load(f"dvsgesture:{tmp_path / 'DvsGesture' if inside else tmp_path}")
    assert data.train_y.tolist() == [0, 10, 7, 1]
    assert data.test_y.tolist() == [2, 2]
    assert (data.classes, data.steps, data.image_shape) == (11, 4, (2, 16, 16))
    for part, names in ((data.train_x, ("user01_led", "user02_lab")), (data.test_x, ("user24_led",))):
        cuts = [(name, start, end) for name in names for _, start, end in GESTURES[name]]
        assert len(part) == len(cuts)
        for place, (name, start, end) in enumerate(cuts):
            events = [event for event in gesture_events(name) if start <= event[0] < end]
            assert np.array_equal(part[place], bounded(frames(events, 4, 16), data.maximum))


def test_missing_classes_and_files_are_named(tmp_path: Path) -> None:
    folder = cifar10dvs(tmp_path / "c")
    (folder / "deer" / "cifar10_deer_4.aedat").unlink()
    message = r"^Data folder '.*{}' must hold at least 10 \.aedat files, not {}; CIFAR10-DVS is"
    with pytest.raises(InputError, match=message.format("deer", 9)):
        load(f"cifar10dvs:{folder}")
    with pytest.raises(InputError, match=message.format("airplane", 0)):
        load(f"cifar10dvs:{tmp_path / 'none'}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"must begin with '#!AER-DAT2\.0', not b''$"),
        (aedat2([]), r"must hold at least an event for each of the 4 steps, not 0 events$"),
        (
            aedat2(random_events(3, 0)),
            r"must hold at least an event for each of the 4 steps, not 3 events$",
        ),
        (aedat2(random_events(9, 0))[:-3], r"must hold whole events of 8 bytes after its header, not 69"),
    ],
)
def test_bad_recordings_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    folder = cifar10dvs(tmp_path / "c")
    (folder / "ship" / "cifar10_ship_9.aedat").write_bytes(content)
    with pytest.raises(InputError, match=r"^Event file '.*cifar10_ship_9\.aedat' " + message):
        load(f"cifar10dvs:{folder}")


@pytest.mark.parametrize("name", ["trials_to_train.txt", "trials_to_test.txt", "user02_lab.aedat"])
def test_missing_gesture_files_are_named(tmp_path: Path, name: str) -> None:
    folder = dvsgesture(tmp_path / "g")
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"^Data folder '.*' must hold the file '{name}'$"):
        load(f"dvsgesture:{folder}")


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("T", b"\n\n", r"must name recordings, not none$"),
        ("T", b"\xff\xfe", r"must be UTF-8 text, but is not: "),
        (
            "T",
            b"user02_lab.aedat\n",
            r"must name no recording for training, not 'user02_lab",
        ),
        ("T", b"../g/user24_led.aedat\n", r"must name every \.aedat file once, not '\.\./g"),
        (
            "T",
            b"user24_led.csv\n",
            r"must name every \.aedat file once, not 'user24_led\.csv'$",
        ),
        (
            "T",
            b"user24_led.aedat\n" * 2,
            r"must name every \.aedat file once, not 'user24_led",
        ),
        (
            "L",
            b"",
            r"must have the columns class, startTime_usec, endTime_usec and .* 0 r",
        ),
        (
            "L",
            b"1,2,3\n1,2,3\n",
            r"must have the columns .*, not \[\['1', '2', '3'\]\] and",
        ),
        (
            "L",
            b"class,startTime_usec,endTime_usec\n",
            r"must have the columns .* and 0 rows",
        ),
        ("L", "row 1,2", r"must have rows of three whole numbers, not \['1', '2'\]$"),
        (
            "L",
            "row 1,2,x",
            r"must have rows of three whole numbers, not \['1', '2', 'x'\]$",
        ),
        (
            "L",
            "row 1,-2,9",
            r"must have rows of three whole numbers, not \['1', '-2', '9",
        ),
        (
            "L",
            "row 0,2,9",
            r"must have classes from 1 to 11 and .*, not \['0', '2', '9'\]$",
        ),
        (
            "L",
            "row 12,2,9",
            r"must have classes from 1 to 11 and .*, not \['12', '2', '9'",
        ),
        (
            "L",
            "row 1,9,9",
            r"must have classes .* ends after their starts, not \['1', '9'",
        ),
    ],
)
def test_bad_gesture_tables_are_named(tmp_path: Path, kind: str, content: bytes | str, message: str) -> None:
    folder = dvsgesture(tmp_path / "g")
    name = {"T": "trials_to_test.txt", "L": "user24_led_labels.csv"}[kind]
    if isinstance(content, str):
        content = f"class,startTime_usec,endTime_usec\n1,0,500\n{content.removeprefix('row ')}\n".encode()
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^Data file '.*{name}' {message}"):
        load(f"dvsgesture:{folder}")


def test_a_gesture_without_events_is_named(tmp_path: Path) -> None:
    folder = dvsgesture(tmp_path / "g")
    (folder / "user24_led_labels.csv").write_text("class,startTime_usec,endTime_usec\n1,5000,6000\n")
    with pytest.raises(
        InputError, match=r"user24_led\.aedat' must hold .* 4 steps from 5000 to 6000 us, not 0 events$"
    ):
        load(f"dvsgesture:{folder}")


# -- the cache ---------------------------------------------------------------------------------------------


def same(one: Dataset, other: Dataset) -> bool:
    return (
        np.array_equal(one.train_x[:], other.train_x[:])
        and np.array_equal(one.test_x[:], other.test_x[:])
        and np.array_equal(one.train_y, other.train_y)
        and one.maximum == other.maximum
    )


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the event files that are read."""
    seen: list[str] = []
    genuine = dvs.read_aedat3

    def read(path: Path) -> object:
        seen.append(path.name)
        return genuine(path)

    monkeypatch.setattr(dvs, "read_aedat3", read)
    return seen


def test_frames_are_counted_once(tmp_path: Path, reads: list[str]) -> None:
    folder, kept = dvsgesture(tmp_path / "g"), tmp_path / "cache"
    name, before = f"dvsgesture:{folder}", sorted((tmp_path / "g").iterdir())
    first = load(name, cache=kept)
    assert reads == ["user01_led.aedat", "user02_lab.aedat", "user24_led.aedat"]  # each once
    reads.clear()
    assert same(load(name, cache=kept), first)
    assert reads == []
    assert same(load(name), first)  # without a cache
    assert len(reads) == 3
    assert sorted((tmp_path / "g").iterdir()) == before
    (entry,) = kept.iterdir()
    assert sorted(path.name for path in entry.iterdir()) == ["arrays.npz", "entry.json"]


def test_other_options_and_other_files_are_counted_anew(tmp_path: Path, reads: list[str]) -> None:
    folder, kept = dvsgesture(tmp_path / "g"), tmp_path / "cache"
    name = f"dvsgesture:{folder}"
    load(name, cache=kept)
    for options in ({"steps": 3}, {"size": 15}, {"split": "time"}):
        reads.clear()
        assert same(load(name, cache=kept, **options), load(name, **options))
        assert len(reads) == 6
    reads.clear()
    (folder / "user24_led_labels.csv").write_text("class,startTime_usec,endTime_usec\n3,501,900\n3,0,90\n")
    assert same(load(name, cache=kept), load(name))
    assert len(reads) == 6
    reads.clear()
    path = folder / "user02_lab.aedat"
    path.write_bytes(path.read_bytes()[: -4 * 8] + path.read_bytes()[-2 * 8 :] * 2)  # of the same size
    assert same(load(name, cache=kept), load(name))
    assert len(reads) == 6


def test_a_spoilt_cache_is_counted_anew(
    tmp_path: Path, reads: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder, kept = dvsgesture(tmp_path / "g"), tmp_path / "cache"
    name = f"dvsgesture:{folder}"
    first = load(name, cache=kept)
    (path,) = kept.rglob("*.npz")
    whole = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(tmp_path / "short.npz", **arrays | {"train": arrays["train"][:-1]})
    np.savez(tmp_path / "typed.npz", **arrays | {"train": arrays["train"].astype(np.int8)})
    np.savez(tmp_path / "less.npz", train=arrays["train"], test=arrays["test"])
    others = [(tmp_path / f"{name}.npz").read_bytes() for name in ("short", "typed", "less")]
    for content in (b"", b"text", whole[:-30], whole[:200] + bytes(60) + whole[260:], *others):
        path.write_bytes(content)
        reads.clear()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert same(load(name, cache=kept), first)
        assert len(reads) == 3
        assert "ignoring a damaged cache entry: arrays.npz was changed" in caplog.text
        reads.clear()
        assert same(load(name, cache=kept), first)
        assert reads == []


def test_a_cache_that_cannot_be_written_is_only_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = dvsgesture(tmp_path / "g")
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        found = load(f"dvsgesture:{folder}", cache=tmp_path / "file" / "cache")
    assert "the cache could not be written" in caplog.text
    assert same(found, load(f"dvsgesture:{folder}"))


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, **arrays: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.np, "savez_compressed", fail)
    with pytest.raises(KeyboardInterrupt):
        cache.keep_arrays(cache.data_cache(tmp_path / "c"), "key", {"a": np.zeros(1, np.uint8)})
    assert list((tmp_path / "c").iterdir()) == []


def test_the_cache_is_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    load(f"dvsgesture:{dvsgesture(tmp_path / 'g')}", cache=True)
    assert list((tmp_path / "home").rglob("*.npz"))


def test_the_bar_is_on_stderr_unless_quiet(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    name = f"cifar10dvs:{cifar10dvs(tmp_path / 'c')}"
    load(name)
    assert capsys.readouterr() == ("", "")
    load(name, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "counting events" in err
    assert "100/100" in err
