import subprocess
import sys

import pytest

from spikefold_sim.cache import BuildCache, key_of


def test_built_once_per_content(tmp_path):
    built = []

    def build(folder):
        built.append(folder)
        (folder / "result").write_text("x")

    cache = BuildCache(tmp_path)
    first = cache.get({"a": "1", "b": "2"}, build)
    assert cache.get({"b": "2", "a": "1"}, build) == first
    assert len(built) == 1
    assert cache.get({"a": "1", "b": "3"}, build) != first
    assert len(built) == 2
    assert (first / "result").read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [key_of({"a": "1", "b": "2"}), key_of({"a": "1", "b": "3"})]
    )


def test_a_failed_build_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match=r"^no$"):
        BuildCache(tmp_path).get({"a": "1"}, fail)
    assert list(tmp_path.iterdir()) == []


def test_another_process_may_be_faster(tmp_path):
    cache = BuildCache(tmp_path)

    def build(folder):
        (folder / "result").write_text("mine")
        inner = cache.get({"a": "1"}, lambda other: (other / "result").write_text("theirs"))
        assert (inner / "result").read_text() == "theirs"

    assert (cache.get({"a": "1"}, build) / "result").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_two_processes_at_once(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from spikefold_sim.cache import BuildCache\n"
        "def build(folder):\n"
        "    (folder / 'a').write_text('a'); time.sleep(0.3); (folder / 'b').write_text('b')\n"
        "found = BuildCache(Path(sys.argv[1])).get({'x': 'y'}, build)\n"
        "assert sorted(p.name for p in found.iterdir()) == ['a', 'b']\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=30) for process in processes] == [0, 0]
    assert len(list(tmp_path.iterdir())) == 1
