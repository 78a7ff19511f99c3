"""Runs of external programs end: at their limit, with this process, with the runs beside them."""

import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import alive, kill, wait_for

from spikefold.errors import ToolError
from spikefold.flow.run import Leash, ToolTimeoutError, run
from spikefold.flow.tools import Tool

needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


def shell(script, name="tool"):
    return Tool(name, ("/bin/sh", "-c", script))


@pytest.fixture
def word():
    """A word that no other process on this machine has on its command line."""
    return f"word-{uuid.uuid4().hex}"


def family(word):
    """A program with a child and a grandchild that would all run for a minute."""
    long = f'{sys.executable} -c "import time; time.sleep(60)" {word}'
    return f"echo started; ({long} & {long}) & {long}"


def test_a_run_returns_code_and_both_streams(tmp_path):
    done = run(shell("echo out; echo error >&2; pwd; cat; exit 3"), (), tmp_path, check=False)
    assert (done.code, done.output) == (3, f"out\nerror\n{tmp_path}\n")


def test_lines_are_passed_on_as_they_come(tmp_path):
    seen = []

    def take(line):
        seen.append((line, time.monotonic()))
        return line.startswith("progress")

    done = run(shell("echo progress 1; sleep 0.5; echo other"), (), tmp_path, on_line=take)
    assert done.output == "other\n"
    assert [line for line, _ in seen] == ["progress 1\n", "other\n"]
    assert seen[1][1] - seen[0][1] > 0.3


def test_a_failure_carries_the_end_of_the_output(tmp_path):
    script = "for k in $(seq 100); do echo line $k; done; exit 2"
    message = r"^Program 'tool' must end without an error, but ended with code 2:\nline 81\n(.*\n)+line 100$"
    with pytest.raises(ToolError, match=message):
        run(shell(script), (), tmp_path)


def test_a_signal_is_a_failure_too(tmp_path):
    with pytest.raises(ToolError, match=r"ended with code 139:"):
        run(shell("kill -SEGV $$"), (), tmp_path)


def test_a_program_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ToolError, match=r"^Program 'x' must be startable, but was not: .*'no-such-program'"):
        run(Tool("x", ("no-such-program",)), (), tmp_path)


@needs_proc
def test_a_program_that_hangs_is_ended_with_its_children_and_named(tmp_path, word):
    began = time.monotonic()
    message = (
        r"^Program 'tool' must end within 0\.5 s, but was still running and was ended; raise the limit, "
        r"or look at the last it printed:\nstarted$"
    )
    with pytest.raises(ToolTimeoutError, match=message):
        run(shell(family(word)), (), tmp_path, timeout=0.5)
    assert time.monotonic() - began < 20
    assert wait_for(lambda: not alive(word))


@needs_proc
def test_children_that_a_program_leaves_end_with_it(tmp_path, word):
    long = f'{sys.executable} -c "import time; time.sleep(60)" {word}'
    assert run(shell(f"{long} & echo done"), (), tmp_path).output == "done\n"
    assert wait_for(lambda: not alive(word))


@needs_proc
def test_an_error_here_ends_the_program(tmp_path, word):
    def fail(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(shell(family(word)), (), tmp_path, on_line=fail)
    assert wait_for(lambda: not alive(word))


@needs_proc
def test_a_killed_parent_leaves_no_child(tmp_path, word):
    script = (
        "import sys; from pathlib import Path; from spikefold.flow.run import run\n"
        "from spikefold.flow.tools import Tool\n"
        "run(Tool('tool', ('/bin/sh', '-c', sys.argv[1])), (), Path(sys.argv[2]))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, family(word), str(tmp_path)])
    try:
        assert wait_for(lambda: len(alive(word)) >= 5)  # the parent, the guard, the shell and its family
    finally:
        kill(parent)
    assert wait_for(lambda: not alive(word))


@needs_proc
def test_runs_on_one_leash_end_together(tmp_path, word):
    began, started = time.monotonic(), threading.Event()

    def take(line):
        started.set()
        return True

    with ThreadPoolExecutor(2) as pool, Leash() as leash:
        slow = pool.submit(run, shell(family(word)), (), tmp_path, on_line=take, leash=leash)
        assert started.wait(30)
        assert not slow.done()
    assert time.monotonic() - began < 40
    assert slow.exception() is not None
    assert wait_for(lambda: not alive(word))


def test_a_run_that_begins_on_a_cut_leash_ends_at_once(tmp_path):
    with Leash() as leash:
        pass
    began = time.monotonic()
    assert run(shell("sleep 60"), (), tmp_path, check=False, leash=leash).code != 0
    assert time.monotonic() - began < 20


def test_runs_in_threads_do_not_meet(tmp_path):
    outputs = {}

    def one(number):
        outputs[number] = run(shell(f"sleep 0.1; echo {number}"), (), tmp_path).output

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outputs == {number: f"{number}\n" for number in range(4)}
