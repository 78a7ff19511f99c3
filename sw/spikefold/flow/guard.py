"""Runs the program named by its arguments, and ends it with all its children when stdin closes.

`run.py` starts this file and holds the other end of stdin. However that process dies, the end closes, and
nothing it started goes on. The program gets a process group of its own and an empty stdin; what is left of
the group when the program ends is ended too. Imports little, since every run pays for it.
"""

import os
import select
import signal
import sys

NOT_STARTED = "Program cannot be started: "
"""How the output begins where the program never ran."""


def main(command: list[str]) -> int:
    """Run ``command`` to its end; its exit code, 128 and more for a signal."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    empty = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    try:
        child = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=empty,
            setpgroup=0,
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )
    except OSError as error:
        print(f"{NOT_STARTED}{error}", file=sys.stderr)
        return 127
    while True:
        ready, _, _ = select.select([0, ended], [], [])
        if 0 in ready or os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        os.read(ended, 1)
    os.killpg(child, signal.SIGKILL)  # its number is not given away before `waitpid`
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
