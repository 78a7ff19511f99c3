"""The blocks of code in a page of Markdown, how to run them, and what their output must show."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    path.name: path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"))
}
_PROGRAMS = ("spikefold", "pip", "python", "make", "torchrun", "apt-get", "cat", "mkdocs")
_PROGRAM_FOLDER = Path(sys.executable).parent  # spikefold is there, also where no environment is active
_NUMBER = r"\d{1,3}(?: \d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?"  # with thousands apart, as tables print them
_TOKEN = re.compile(rf"(?P<number>{_NUMBER})|(?P<word>[^\W\d_]+|[^\w\s])")
_FREE = {"seconds", "icarus", "verilator", "seed", "sha"}  # words whose number is another in every run
_TOLERANCE = {"%": 2.5, "MHz": 40.0}  # after the number: absolute


@dataclass(frozen=True)
class Block:
    """A fenced block: page, line of its first line of code, language ("sh", "python", ..) and text."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, without comments; a here document belongs to its command."""
        found: list[str] = []
        end = None
        for line in self.text.splitlines():
            if end is not None or (found and found[-1].endswith("\\")):
                found[-1] += "\n" + line
                end = None if line == end else end
            elif line.strip() and not line.lstrip().startswith("#"):
                found.append(line)
                here = re.search(r"<<\s*'?(\w+)'?", line)
                end = here[1] if here else None
        return found


def words_of(command: str) -> list[str]:
    """A command's words as the shell sees them."""
    return shlex.split(command.splitlines()[0] if "<<" in command else command, comments=True)


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page in order; one without a language is a shell's if it begins so."""
    found, inside, begun = [], None, 0
    lines = PAGES[page].read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if inside is None:
            inside, begun = line[3:].strip(), number
            continue
        text = "\n".join(lines[begun : number - 1])
        first = text.split(maxsplit=1)[0] if text.split() else ""
        kind = inside or ("sh" if Path(first).name in _PROGRAMS else "text")
        found.append(Block(page, begun + 1, {"bash": "sh", "shell": "sh"}.get(kind, kind), text))
        inside = None
    assert inside is None, f"{page}:{begun} is never closed"
    return found


def run_shell(command: str, folder: Path) -> str:
    """Run a command as a user would; what it printed on stdout."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", "PATH": f"{_PROGRAM_FOLDER}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def differences(shown: str, printed: str) -> list[str]:
    """Lines of a page's output that a real one does not have, or with numbers too far away.

    Words must be the same. Numbers may differ by a tenth, percentages by 2.5 points, frequencies by 40 MHz;
    a zero must be a zero.
    """
    if shown.startswith("{"):  # one JSON object, on several lines for the page
        shown = " ".join(shown.split())
    real = [_split(line) for line in printed.splitlines()]
    wrong = []
    for line in shown.splitlines():
        words, numbers = _split(line)
        if words or numbers:
            same = [other for other_words, other in real if other_words == words]
            if not any(_close(words, numbers, other) for other in same):
                wrong.append(f"{line.strip()!r}; there is {same or 'no such line'}")
    return wrong


def _split(line: str) -> tuple[list[str], list[float]]:
    """Words, with `#` in the place of every number, and numbers."""
    words, numbers = [], []
    for match in _TOKEN.finditer(line):
        if match["number"]:
            numbers.append(float(match["number"].replace(" ", "")))
            words.append("#")
        elif match["word"] not in "─━╶╴":
            words.append(match["word"])
    return words, numbers


def _close(words: list[str], numbers: list[float], others: list[float]) -> bool:
    places = [place for place, word in enumerate(words) if word == "#"]
    for place, number, other in zip(places, numbers, others, strict=True):
        if _FREE & set(words[max(0, place - 3) : place]):
            continue
        unit = words[place + 1] if place + 1 < len(words) else ""
        most = _TOLERANCE.get(unit, 0.1 * abs(number)) if number else 0.0
        if abs(number - other) > most:
            return False
    return True
