"""What other processes do to a folder that is replaced: `replacing.py ROLE FOLDER MODE ..`."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from spikefold.flow import replace

FILES = ("a", "b", "c")


def fill(path: Path, text: str) -> None:
    """Replace a folder by one of three files that hold the same text."""
    with replace.replaced_folder(path) as new:
        for name in FILES:
            (new / name).write_text(text)


def read(path: Path) -> str:
    """The one text of all three files; "none" without a folder."""
    if not path.exists():
        return "none"
    (text,) = {(path / name).read_text() for name in FILES}
    return text


def kill(path: Path, mode: str, before: str) -> None:
    """Die at the first call, at the second, ..; print what each left."""
    step, done = 0, False
    while not done:
        step += 1
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        if before != "none":
            fill(path, before)
        done = _dies_not(path, step)
        print(read(path) if mode == "exchange" else replace.steady(path, lambda: read(path)))
        fill(path, "last")
        assert read(path) == "last"
        left = [file for other in path.parent.iterdir() if other != path for file in other.rglob("?")]
        assert not left, left


def _dies_not(path: Path, step: int) -> bool:
    """Replace the folder in a process that dies at its call number `step`, if it makes so many."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    left = step

    def count(event: str, arguments: object) -> None:
        nonlocal left
        left -= event.split(".")[0] in ("open", "os", "shutil", "glob", "tempfile", "fcntl", "pathlib")
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    fill(path, "new")
    os._exit(0)


def repeat(action: object, seconds: str) -> None:
    """Do something again and again; print how often."""
    end, times = time.monotonic() + float(seconds), 0
    while not times or time.monotonic() < end:
        action()
        times += 1
    print(times)


def aside(path: Path) -> None:
    """Stay for a moment between the two steps."""
    rename = Path.rename

    def slow(self: Path, target: Path) -> Path:
        if self.name == "new":
            print("aside", flush=True)
            time.sleep(0.5)
        return rename(self, target)

    Path.rename = slow
    with replace.replaced_folder(path) as new:
        (new / "b").write_text("b")


if __name__ == "__main__":
    role, folder, mode, *rest = sys.argv[1:]
    if mode == "two steps":
        replace.exchange = lambda one, other: False
    target = Path(folder)
    if role == "kill":
        kill(target, mode, *rest)
    elif role == "aside":
        aside(target)
    elif role == "write":
        repeat(lambda: fill(target, str(os.getpid())), *rest)
    elif role == "read":
        repeat(lambda: replace.steady(target, lambda: read(target)), *rest)
    else:
        repeat(lambda: os.listdir(target), *rest)
