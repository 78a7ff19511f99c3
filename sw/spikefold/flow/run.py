"""The one way to run an external program: with a limit of time, and never longer than this process lives."""

import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikefold.errors import ToolError
from spikefold.flow import guard
from spikefold.flow.tools import Tool

_logger = logging.getLogger(__name__)
_TAIL_LINES = 20

TIMEOUT = 3600.0
"""Seconds after which a compiler, synthesis, or place and route is taken to hang."""


class ToolTimeoutError(ToolError):
    """A program that did not end in time, and was ended."""


@dataclass(frozen=True)
class Finished:
    """How a run ended: its exit code, and what it printed on both streams together."""

    code: int
    output: str


class Leash:
    """Runs of several threads that end together: leaving the block ends those that go on.

    >>> with ThreadPoolExecutor() as pool, Leash() as leash: ...
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: set[_Run] = set()
        self._cut = False

    def __enter__(self) -> "Leash":
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def cut(self) -> None:
        """End the runs that go on, and every one that begins later."""
        with self._lock:
            self._cut = True
            for each in self._runs:
                each.end()

    def hold(self, one: "_Run") -> None:
        """Take a run that begins."""
        with self._lock:
            self._runs.add(one)
            if self._cut:
                one.end()

    def release(self, one: "_Run") -> None:
        """Let go of a run that has ended."""
        with self._lock:
            self._runs.discard(one)


def run(
    tool: Tool,
    arguments: Sequence[str],
    folder: Path,
    *,
    timeout: float | None = None,
    check: bool = True,
    on_line: Callable[[str], bool] | None = None,
    leash: Leash | None = None,
) -> Finished:
    """Run a tool and wait for its end.

    The tool and all it starts end with the run: at the limit, on an exception here, and when this process
    dies.

    Parameters
    ----------
    tool
        From `find_tool`.
    arguments
        Its arguments. File names must be relative to ``folder`` for the WebAssembly builds, which see little
        outside it.
    folder
        Where it runs.
    timeout
        Seconds that it may take; None for no limit.
    check
        Whether an exit code other than 0 is an error.
    on_line
        Given every line as it comes; what it answers True to is not kept in the output.
    leash
        Ends the run before its time.

    Raises
    ------
    ToolTimeoutError
        It took longer; the message names the tool, the limit and the end of its output.
    ToolError
        It could not be started, or ended with an error; the message carries the end of its output.
    """
    _logger.debug("%s %s", tool.name, " ".join(arguments))
    finished = _Run(tool, arguments, folder).wait(timeout, on_line, leash)
    if finished.output.startswith(guard.NOT_STARTED):
        reason = finished.output.removeprefix(guard.NOT_STARTED).strip()
        raise ToolError(f"Program {tool.name!r} must be startable, but was not: {reason}")
    if check and finished.code:
        raise failure(tool, finished)
    return finished


def failure(tool: Tool, finished: Finished) -> ToolError:
    """The error for a run that ended with an exit code other than 0."""
    message = (
        f"Program {tool.name!r} must end without an error, but ended with code {finished.code}:\n"
        f"{_tail(finished.output)}"
    )
    if "call stack exhausted" in message:
        message += "\nThe native package has no such limit: pip install pyosys"
    return ToolError(message)


class _Run:
    """A tool that runs."""

    def __init__(self, tool: Tool, arguments: Sequence[str], folder: Path) -> None:
        self._tool = tool
        self._late = False
        command = [*tool.command, *arguments]
        if os.name == "posix":
            command = [sys.executable, "-I", "-S", guard.__file__, *command]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=tool.environment(),
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def end(self) -> None:
        """End it with all its children."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            stdin.close()
        if os.name != "posix":
            self._process.kill()

    def wait(
        self, timeout: float | None, on_line: Callable[[str], bool] | None, leash: Leash | None
    ) -> Finished:
        """Read what it prints until it ends."""
        timer = threading.Timer(timeout or 0, self._end_late)
        timer.daemon = True
        lines: list[str] = []
        try:
            if leash is not None:
                leash.hold(self)
            if timeout is not None:
                timer.start()
            for line in self._process.stdout or ():
                if on_line is None or not on_line(line):
                    lines.append(line)
        finally:
            timer.cancel()
            self.end()
            code = self._process.wait()
            if leash is not None:
                leash.release(self)
            if self._process.stdout is not None:
                self._process.stdout.close()
        output = "".join(lines)
        if self._late and code:
            raise ToolTimeoutError(
                f"Program {self._tool.name!r} must end within {timeout:g} s, but was still running and was "
                f"ended; raise the limit, or look at the last it printed:\n{_tail(output) or '(nothing)'}"
            )
        return Finished(code, output)

    def _end_late(self) -> None:
        self._late = True
        self.end()


def _tail(output: str) -> str:
    return "\n".join(deque(output.rstrip().splitlines(), _TAIL_LINES))
