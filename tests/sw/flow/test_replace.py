"""Replacing a folder: one step for whoever looks, whole whenever its process is killed, one winner of two."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spikefold.flow import replace
from spikefold.flow.exchange import exchange
from spikefold.flow.replace import replaced_folder, steady

HELPER = str(Path(__file__).with_name("replacing.py"))
MODES = ("exchange", "two steps")


@pytest.fixture(params=MODES)
def mode(request, monkeypatch):
    """With the system's own step, and as on a file system without it."""
    if request.param == "two steps":
        monkeypatch.setattr(replace, "exchange", lambda one, other: False)
    return request.param


def start(*arguments):
    command = [sys.executable, HELPER, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(process):
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    return output


def write(path, text):
    with replaced_folder(path) as new:
        (new / text).write_text(text)


def names(path):
    return sorted(file.name for file in path.iterdir())


@pytest.mark.usefixtures("mode")
def test_a_replaced_folder_is_whole_or_not_there(tmp_path):
    path = tmp_path / "[out]"
    with replaced_folder(path) as new:
        (new / "a").write_text("1")
        assert not path.exists()

    def fail():
        with replaced_folder(path) as new:
            (new / "b").write_text("2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(path) == ["a"]
    write(path, "c")
    assert names(path) == ["c"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "disk")
    write(link, "a")
    assert link.is_symlink()
    assert names(tmp_path / "disk") == ["a"]
    assert names(tmp_path) == ["disk", "out"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("before", ["old", "none"])
def test_a_process_killed_at_any_step_leaves_the_old_or_the_new_folder(tmp_path, mode, before):
    """Killed at its first, second, .. call to the system, until it gets through."""
    found = end(start("kill", tmp_path / "out", mode, before)).split()
    assert len(found) > 20
    assert set(found) == {before, "new"}
    assert found == sorted(found, key=lambda state: state == "new")  # the new one stays once it is there


@pytest.mark.parametrize("mode", MODES)
def test_readers_and_writers_at_once(tmp_path, mode):
    path = tmp_path / "out"
    end(start("write", path, mode, 0))
    processes = [start(role, path, mode, 2.0) for role in ("write", "write", "read", "read")]
    counts = [int(end(process)) for process in processes]
    assert min(counts) > 10
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_that_knows_nothing_of_this_never_misses_the_folder(tmp_path):
    path = tmp_path / "out"
    write(path, "x")
    processes = [start("write", path, "exchange", 2.0), start("look", path, "exchange", 2.0)]
    assert min(int(end(process)) for process in processes) > 10


def test_a_failed_move_brings_the_old_folder_back(tmp_path, monkeypatch):
    monkeypatch.setattr(replace, "exchange", lambda one, other: False)
    path, rename = tmp_path / "out", Path.rename
    write(path, "a")

    def fails_for_the_new_one(self, target):
        if self.name == "new" and target == path:
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_new_one)
    with pytest.raises(OSError, match=r"^no$"):
        write(path, "b")
    assert names(path) == ["a"]
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_a_reader_count_where_nothing_was_replaced(tmp_path):
    path = tmp_path / "out"
    with pytest.raises(FileNotFoundError):
        steady(path, lambda: (path / "a").read_text())
    write(path, "a")
    with pytest.raises(KeyError):
        steady(path, lambda: {}["a"])


@pytest.mark.usefixtures("mode")
def test_a_folder_replaced_under_a_reader_is_read_anew(tmp_path):
    path, seen = tmp_path / "out", []
    write(path, "a")

    def read():
        seen.append(names(path))
        if len(seen) < 3:
            write(path, "abc"[len(seen)])
        if len(seen) == 2:
            raise ValueError
        return names(path)

    assert steady(path, read) == ["c"]
    assert seen == [["a"], ["b"], ["c"]]


def test_a_folder_that_is_always_replaced_is_given_up(tmp_path):
    path = tmp_path / "out"
    write(path, "a")
    with pytest.raises(FileExistsError, match=r"must stay for a moment .* but was replaced 100 times$"):
        steady(path, lambda: write(path, "a"))


def test_paths_change_places(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "a").write_text("")
    if not exchange(one, other):
        pytest.skip("this file system has no such step")
    assert [names(one), names(other)] == [[], ["a"]]
    with pytest.raises(FileNotFoundError) as caught:
        exchange(one, tmp_path / "gone")
    assert caught.value.errno == errno.ENOENT


def test_a_reader_waits_for_a_folder_that_is_moved_aside(tmp_path):
    path = tmp_path / "out"
    write(path, "a")
    with start("aside", path, "two steps") as process:
        assert process.stdout.readline() == "aside\n"
        began = time.monotonic()
        assert steady(path, lambda: names(path)) == ["b"]
        assert time.monotonic() - began > 0.2
        assert process.wait(30) == 0
