"""The user's cache stays within its limit, and what goes is what was not used for longest."""

import json
import os
import time
from pathlib import Path

import pytest

from spikefold.errors import InputError
from spikefold.flow import upkeep
from spikefold.flow.cache import Cache


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(upkeep.VARIABLE, "0.01")  # ten entries as made below
    return upkeep.cache_root()


def make(kind, key, age=0.0):
    """An entry of a megabyte that was used so many seconds ago."""
    entry = Cache(kind).get(key, lambda folder: (folder / "data").write_bytes(bytes(1_000_000)))
    then = time.time() - age
    os.utime(entry / upkeep.STAMP, (then, then))
    return entry


def test_what_was_not_used_for_longest_goes(root):
    made = [make("results" if k % 2 else "simulators", f"k{k}", 100_000 - 1000 * k) for k in range(9)]
    assert Cache("simulators").find("k0") is not None  # used now
    made += [make("data", f"new{k}", 5000) for k in range(3)]
    left = [entry.is_dir() for entry in made]
    assert left == [True, False, False, False, False, *[True] * 7]
    sizes = [entry.size for kind in upkeep.KINDS for entry in upkeep.entries(root, kind)]
    assert sum(sizes) <= upkeep.limit()
    assert not list(root.rglob(".*"))


def test_what_was_just_used_stays_whatever_the_limit(root, monkeypatch):
    old = make("data", "old", upkeep.RECENT + 100)
    monkeypatch.setenv(upkeep.VARIABLE, "0")
    used = [make("data", f"k{k}") for k in range(3)]
    assert not old.exists()
    assert all(entry.is_dir() for entry in used)


def test_a_number_of_entries_is_a_limit_too(monkeypatch):
    monkeypatch.setattr(upkeep, "MOST_ENTRIES", 3)
    monkeypatch.setenv(upkeep.VARIABLE, "1")
    made = [make("builds", f"k{k}", 10_000 - k) for k in range(5)]
    assert [entry.is_dir() for entry in made] == [False, False, True, True, True]


def test_a_damaged_entry_goes_first():
    damaged, whole = make("data", "damaged", 4000), [make("data", f"k{k}", 9000 - k) for k in range(8)]
    (damaged / upkeep.STAMP).unlink()
    for k in range(3):
        make("data", f"new{k}", 5000)
    assert not damaged.exists()
    assert whole[-1].is_dir()


def test_folders_of_earlier_versions_go(root):
    for kind in ("verilator", "synth"):
        (root / kind / "a" / "b").mkdir(parents=True)
    make("data", "k")
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == ["data"]


@pytest.fixture
def scans(monkeypatch):
    """A list that grows with every look through the cache."""
    seen, trim = [], upkeep.trim
    monkeypatch.setattr(upkeep, "trim", lambda root: (seen.append(1), trim(root))[1])
    return seen


def test_the_cache_is_looked_through_only_beyond_its_limit(scans):
    for k in range(30):
        make("data", f"k{k}", 10_000 - k)
    assert len(scans) == 1 + 11  # at first, and for every second entry from the tenth on


def test_a_cleared_cache_is_counted_anew(root, scans):
    for k in range(9):
        make("data", f"k{k}")
    upkeep.clear(root)
    make("data", "new")
    assert len(scans) == 2


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"size": 1}', '{"size": "1", "count": 1, "scanned": 1, "kinds": []}']
)
def test_without_a_tally_the_cache_is_looked_through(root, scans, text):
    make("data", "one")
    tally = root / "upkeep.json"
    tally.unlink() if text is None else tally.write_text(text)
    make("data", "two")
    assert len(scans) == 2
    make("data", "three")
    assert len(scans) == 2


@pytest.mark.parametrize(
    ("field", "value"), [("scanned", 0), ("scanned", 1e12), ("kinds", ["data"]), ("size", -1)]
)
def test_a_tally_of_another_time_or_version_does_not_count(root, scans, field, value):
    make("data", "one")
    tally = json.loads((root / "upkeep.json").read_text())
    (root / "upkeep.json").write_text(json.dumps(tally | {field: value}))
    make("data", "two")
    assert len(scans) == 2


def test_an_entry_is_counted_before_it_is_kept(root, scans):
    """A process that is killed there leaves a tally that is too high, which a look mends."""
    make("data", "one")
    before = json.loads((root / "upkeep.json").read_text())

    def killed():
        with upkeep.room_for(root, root / "data" / "one"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    after = json.loads((root / "upkeep.json").read_text())
    assert (after["size"], after["count"]) == (2 * before["size"], 2 * before["count"])
    assert upkeep.trim(root).count == 1


def test_another_folder_is_left_alone(tmp_path):
    own = Cache("simulators", tmp_path / "own")
    for k in range(12):
        entry = own.get(f"k{k}", lambda folder: (folder / "data").write_bytes(bytes(1_000_000)))
        os.utime(entry / upkeep.STAMP, (0, 0))
    assert len(list((tmp_path / "own").iterdir())) == 12


def test_an_entry_that_is_being_computed_stays(root):
    def slowly(folder):
        (folder / "data").write_text("x")
        upkeep.clear(root)
        assert (folder / "data").is_file()

    assert Cache("data").get("k", slowly).is_dir()


@pytest.mark.parametrize("text", ["", "much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(text, monkeypatch):
    monkeypatch.setenv(upkeep.VARIABLE, text)
    with pytest.raises(InputError, match=rf"^Environment variable SPIKEFOLD_CACHE_GB .* not '{text}'$"):
        upkeep.limit()


def test_the_limit_has_a_default(monkeypatch):
    monkeypatch.delenv(upkeep.VARIABLE)
    assert upkeep.limit() == 4_000_000_000


def test_a_missing_cache_is_empty(root):
    upkeep.trim(root)
    upkeep.clear(root)
    assert upkeep.entries(root, "data") == []
    assert not Path(root).exists()
