"""The cache: built once, whole or built anew, by however many processes."""

import json
import logging
import subprocess
import sys

import pytest
from processes import kill

from spikefold.flow.cache import Cache, key_of


@pytest.fixture
def cache(tmp_path):
    return Cache("things", tmp_path / "cache")


class Builder:
    """Writes two files and counts how often."""

    def __init__(self):
        self.times = 0

    def __call__(self, folder):
        self.times += 1
        (folder / "sub").mkdir()
        (folder / "result").write_text("the result")
        (folder / "sub" / "more").write_bytes(bytes(1000))


def test_an_entry_is_built_once(cache):
    build = Builder()
    assert cache.find("k") is None
    entry = cache.get("k", build)
    assert cache.get("k", build) == cache.find("k") == entry
    assert build.times == 1
    assert cache.get("other", build) != entry
    assert build.times == 2
    assert (entry / "result").read_text() == "the result"
    assert sorted(path.name for path in cache.folder.iterdir()) == ["k", "other"]


def test_entries_are_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tmp_path in Cache("things").get("k", Builder()).parents


def truncate(entry):
    (entry / "result").write_text("the re")


def edit(entry):
    data = bytearray((entry / "sub" / "more").read_bytes())
    data[500] ^= 1
    (entry / "sub" / "more").write_bytes(data)


def truncate_list(entry):
    (entry / "entry.json").write_text((entry / "entry.json").read_text()[:-10])


DAMAGES = [
    truncate,
    edit,
    truncate_list,
    lambda entry: (entry / "result").unlink(),
    lambda entry: (entry / "entry.json").unlink(),
    lambda entry: (entry / "entry.json").write_text("[]"),
    lambda entry: (entry / "entry.json").write_text(json.dumps({"result": 3})),
    lambda entry: (entry / "entry.json").write_bytes(b"\xff\xfe"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_built_anew(cache, caplog, damage):
    build = Builder()
    entry = cache.get("k", build)
    damage(entry)
    with caplog.at_level(logging.WARNING):
        assert cache.find("k") is None
    assert "ignoring a damaged cache entry: " in caplog.text
    assert cache.get("k", build) == entry
    assert build.times == 2
    assert cache.find("k") == entry
    assert (entry / "result").read_text() == "the result"
    assert [path.name for path in cache.folder.iterdir()] == ["k"]


def test_a_failed_build_leaves_nothing(cache):
    def fail(folder):
        (folder / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match=r"^no$"):
        cache.get("k", fail)
    assert list(cache.folder.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_only_noted(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    cache = Cache("things", tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING):
        cache.keep("k", Builder())
    assert "the cache could not be written" in caplog.text
    with pytest.raises(OSError, match="file"):
        cache.get("k", Builder())


SLOW = (
    "import sys, time; from pathlib import Path; from spikefold.flow.cache import Cache\n"
    "def build(folder):\n"
    "    (folder / 'a').write_text('a'); print('building', flush=True)\n"
    "    time.sleep(float(sys.argv[2])); (folder / 'b').write_text('b')\n"
    "found = Cache('things', Path(sys.argv[1])).get('k', build)\n"
    "assert sorted(p.name for p in found.iterdir()) == ['a', 'b', 'entry.json']\n"
)


def slow(cache, seconds):
    command = [sys.executable, "-c", SLOW, str(cache.folder), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_of_processes_that_want_the_same_one_builds_it(cache):
    processes = [slow(cache, 0.5) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(outputs) == ["", "", "building\n"]
    assert [path.name for path in cache.folder.iterdir()] == ["k"]


def test_what_a_killed_process_began_is_never_seen_and_goes_with_the_next_build(cache):
    with slow(cache, 60) as process:
        assert process.stdout.readline() == "building\n"
        kill(process)
    assert cache.find("k") is None
    assert len(list(cache.folder.glob(".new-*"))) == 1
    cache.get("k", Builder())
    assert [path.name for path in cache.folder.iterdir()] == ["k"]


def test_a_key_depends_on_every_name_and_value_but_not_on_their_order():
    assert key_of({"a": "1", "b": b"2"}) == key_of({"b": "2", "a": b"1"})
    different = [{"a": "1"}, {"a": "2"}, {"b": "1"}, {"a1": ""}, {"": "a1"}, {"a": "1", "b": ""}, {}]
    assert len({key_of(each) for each in different}) == len(different)
