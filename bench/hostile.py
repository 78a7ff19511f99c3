"""Seeded damage to every kind of file that spikefold reads, and how reading each ends.

    python bench/hostile.py [--json] [--mutants N] [--seed S]

Files are damaged (bits, lengths, pieces, headers, members, numbers, depth, bombs, pickles) or forged, with
digests that fit again. Each is read within 10 seconds of processor time, five minutes by the clock and 1 GiB.
`altered_accepted` counts damage that was accepted although the file then computes something else; a forged
part of a build counts, too, while other forged files are another's work. Ends with 1 unless all counts are as
they must be.
"""

import argparse
import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

sys.path.append(str(Path(__file__).parents[1] / "tests" / "sw" / "hostile"))

import torch
from ordeal import ALTERED, BLOWUP, CRASH, EXECUTED, HANG, PATIENCE, Outcome, endure, limit_memory
from victims import Victim, make

PROCESSES = 2
GRACE = 20.0  # seconds beyond its limit after which a process that does not answer is ended

TARGETS = {
    "mutants": ">= 2000",
    "crashes": "0",
    "hangs": "0",
    "blowups": "0",
    "altered_accepted": "0",
    "executed": "0",
}

Task = tuple[int, int]  # victim, seed


def work(victims: list[Victim], expected: list[str], place: Path, pipe: Connection) -> None:
    """Answer tasks until there are no more."""
    logging.disable()
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    limit_memory()
    while (task := pipe.recv()) is not None:
        number, seed = task
        pipe.send(endure(victims[number], expected[number], place, seed))


class Worker:
    """A process that reads harmed files; started anew after one that it did not survive."""

    def __init__(self, victims: list[Victim], expected: list[str], place: Path) -> None:
        self._arguments = (victims, expected, place)
        self._victims = victims
        self._start()

    def _start(self) -> None:
        self.pipe, other = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=work, args=(*self._arguments, other), daemon=True)
        self._process.start()
        other.close()

    def give(self, task: Task) -> None:
        self._task, self._since = task, time.monotonic()
        self.pipe.send(task)

    def answer(self) -> Outcome:
        """What became of the task; a process that died or hangs is a crash or a hang."""
        number, seed = self._task
        try:
            if self.pipe.poll():
                found: Outcome = self.pipe.recv()
                return found
            end, why = HANG, "did not answer"
        except (EOFError, ConnectionResetError):
            end, why = CRASH, "the process died"
        self.end()
        self._start()
        return Outcome(self._victims[number].kind, seed, end, why)

    @property
    def late(self) -> bool:
        return time.monotonic() - self._since > PATIENCE + GRACE

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def outcomes(
    victims: list[Victim], expected: list[str], folder: Path, tasks: list[Task]
) -> Iterator[Outcome]:
    """Outcomes of all tasks, as they come."""
    workers = [Worker(victims, expected, folder / f"work{k}") for k in range(PROCESSES)]
    left, busy = list(reversed(tasks)), []
    for worker in workers:
        if left:
            worker.give(left.pop())
            busy.append(worker)
    while busy:
        wait([worker.pipe for worker in busy], timeout=1.0)
        for worker in list(busy):
            if not (worker.late or worker.pipe.poll()):
                continue
            yield worker.answer()
            if left:
                worker.give(left.pop())
            else:
                busy.remove(worker)
    for worker in workers:
        worker.end()


def run(mutants: int, seed: int) -> list[Outcome]:
    torch.set_num_threads(1)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        tempfile.TemporaryDirectory() as name,
        Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
    ):
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        task = bar.add_task("writing whole files", total=mutants)
        victims = make(folder / "whole")
        expected = [victim.read(victim.folder) for victim in victims]
        tasks = [(number % len(victims), seed * mutants + number) for number in range(mutants)]
        bar.update(task, description="reading harmed ones")
        found = []
        for outcome in outcomes(victims, expected, folder, tasks):
            found.append(outcome)
            bar.advance(task)
    return found


def figures(found: list[Outcome], seconds: float, seed: int) -> dict[str, Any]:
    ends = Counter(outcome.end for outcome in found)
    kinds: dict[str, Counter[str]] = {}
    for outcome in found:
        kinds.setdefault(outcome.kind, Counter())[outcome.end] += 1
    return {
        "mutants": len(found),
        "crashes": ends[CRASH],
        "hangs": ends[HANG],
        "blowups": ends[BLOWUP],
        "altered_accepted": ends[ALTERED],
        "executed": ends[EXECUTED],
        "refused": ends["refused"],
        "harmless": ends["harmless"],
        "accepted_as_others": ends["other"],
        "seconds": round(seconds, 1),
        "seed": seed,
        "kinds": {kind: dict(counts) for kind, counts in sorted(kinds.items())},
        "faults": [vars(o) for o in found if o.end in (CRASH, HANG, BLOWUP, ALTERED, EXECUTED)],
    }


def show(found: dict[str, Any]) -> None:
    table = Table("figure", "measured", "reach", title="Hostile files")
    for name, value in found.items():
        if not isinstance(value, dict | list):
            table.add_row(name, f"{value:,}", TARGETS.get(name, ""))
    kinds = Table("kind", "refused", "harmless", "another's", "faults", title="By kind")
    for kind, ends in found["kinds"].items():
        good = [ends.get(name, 0) for name in ("refused", "harmless", "other")]
        kinds.add_row(kind, *map(str, good), str(sum(ends.values()) - sum(good)))
    console = Console()
    console.print(table)
    console.print(kinds)
    for fault in found["faults"]:
        console.print(
            f"{fault['end']}: {fault['kind']}, seed {fault['seed']}: {fault['detail']}", markup=False
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--mutants", type=int, default=2400, help="files to read (2400)")
    parser.add_argument("--seed", type=int, default=0, help="which (0); others give other damage")
    arguments = parser.parse_args()
    began = time.monotonic()
    found = figures(run(arguments.mutants, arguments.seed), time.monotonic() - began, arguments.seed)
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)
    sys.exit(any(found[name] for name in TARGETS if TARGETS[name] == "0"))


if __name__ == "__main__":
    main()
