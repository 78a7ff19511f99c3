"""Locks: one process at a time, none left behind, no endless wait."""

import os
import signal
import subprocess
import sys
import time

import pytest

from spikefold.flow import locks

HOLD = """
import sys, time
from pathlib import Path
from spikefold.flow.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(path, seconds):
    """A process that holds the lock for some seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_is_taken_when_its_holder_lets_go(tmp_path):
    path = tmp_path / "lock"
    with hold(path, 0.5) as process:
        with locks.locked(path, patience=60):
            assert path.read_text() == str(os.getpid())
        assert process.wait() == 0
    assert not path.exists()


def test_a_stopped_holder_is_named_after_a_while(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(locks, "_NOTICE", 0.1)
    path = tmp_path / "lock"
    with hold(path, 600) as process:
        os.kill(process.pid, signal.SIGSTOP)
        start = time.monotonic()
        message = rf"^Lock must be free within 0.5 s, but process {process.pid} still holds .*lock; end that"
        with pytest.raises(TimeoutError, match=message), locks.locked(path, patience=0.5):
            pass
        assert 0.5 <= time.monotonic() - start < 30
        assert f"waiting for process {process.pid}" in caplog.text
        process.kill()
        process.wait()
        with locks.locked(path, patience=60):  # the lock of a dead process is free
            pass
    assert not path.exists()
