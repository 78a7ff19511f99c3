"""Looking at the processes of this machine, by what their command lines hold."""

import os
import subprocess
import time
from pathlib import Path


def alive(word: str) -> list[int]:
    """Processes whose command line holds the word; a dead one that nobody waited for has none."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if word.encode() in line:
                found.append(int(folder.name))
    return found


def seconds_of(process: int) -> float:
    """CPU time that a process has used; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


def wait_for(condition, seconds: float = 30.0) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def kill(process: subprocess.Popen) -> None:
    """End a process so that it cannot tidy up."""
    process.kill()
    process.wait(30)
