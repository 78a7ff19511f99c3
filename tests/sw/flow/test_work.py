"""Temporary folders: none is left, and none in use is touched."""

import subprocess
import sys

import pytest
from processes import kill

from spikefold.flow.work import work_folder

HOLD = (
    "import sys, time; from pathlib import Path; from spikefold.flow.work import work_folder\n"
    "with work_folder(Path(sys.argv[1]), sys.argv[2]) as folder:\n"
    "    (folder / 'data').write_text('x'); print('ready', flush=True); time.sleep(60)\n"
)


@pytest.fixture
def holder(tmp_path):
    """Another process with a work folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), "spikefold-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        kill(process)


def test_a_work_folder_is_empty_and_gone_afterwards(tmp_path):
    with work_folder(tmp_path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "a").mkdir()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), work_folder(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_folder(tmp_path, holder):
    (left,) = tmp_path.iterdir()
    with work_folder(tmp_path):
        assert (left / "work" / "data").is_file()  # its process lives
    kill(holder)
    assert left.is_dir()
    with work_folder(tmp_path, "other-"):
        assert left.is_dir()
    with work_folder(tmp_path):
        assert not left.exists()


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "spikefold-results").mkdir()
    (tmp_path / "spikefold-results" / "mine").write_text("x")
    (tmp_path / "spikefold-file").write_text("x")
    with work_folder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"spikefold-results", "spikefold-file"}


def test_a_folder_in_use_here_is_not_taken_for_one_that_was_left(tmp_path):
    with work_folder(tmp_path) as one, work_folder(tmp_path) as other:
        assert one.is_dir()
        assert other.is_dir()
