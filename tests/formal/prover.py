"""From a proof to an answer: Amaranth writes RTLIL, yosys an and-inverter graph, ABC decides."""

import importlib.util
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aiger import Aig
from amaranth.back import rtlil
from amaranth.hdl import Signal
from proof import STARTED, Proof

from spikefold.flow.run import run
from spikefold.flow.tools import Tool, find_tool
from spikefold.flow.work import work_folder

_SCRIPT = f"""\
read_rtlil proof.il
hierarchy -top top
proc
flatten
opt_expr
opt_clean
memory_collect
memory_map
# Every register and memory begins with any value, but for one.
setattr -unset init w:* w:{STARTED} %d
opt_expr
techmap
opt_expr
dffunmap
aigmap
setundef -anyseq
opt_clean
write_aiger -zinit proof.aig
"""

_STATUS = re.compile(r"Status = (-?\d+) +Frames = (\d+)")


@dataclass(frozen=True)
class Answer:
    """What became of a proof.

    Attributes
    ----------
    proved
        All checks hold, in all cycles or, with a `depth`, in that many after the reset.
    text
        Where they do not: the checks that fail, and what happened until then.
    """

    proved: bool
    text: str


def prove(proof: Proof, depth: int | None = None, seconds: int = 3000, platform: object = None) -> None:
    """Fail, with a trace, unless all checks of a proof hold.

    Parameters
    ----------
    proof
        The proof.
    depth
        Cycles after the reset that are looked at; None proves all of them, by property directed reachability.
    seconds
        Limit of time, in which there must be an answer.
    platform
        What gives memories their contents.
    """
    answer = decide(proof, depth, seconds, platform)
    assert answer.proved, answer.text


def refute(proof: Proof, text: str = "", depth: int | None = None, platform: object = None) -> None:
    """Fail unless a check of a proof fails whose text holds this one: the proof of something broken."""
    answer = decide(proof, depth, 3000, platform)
    assert not answer.proved, "the proof must fail, but holds"
    failed = answer.text.splitlines()[0]
    assert text in failed, failed


def decide(proof: Proof, depth: int | None, seconds: int, platform: object) -> Answer:
    """As `prove`, but tells instead of failing."""
    top, ports = proof.top()
    with work_folder() as folder:
        (folder / "proof.il").write_text(
            rtlil.convert(top, ports=ports, platform=platform, emit_src=False), "utf-8"
        )
        (folder / "proof.ys").write_text(_SCRIPT, "utf-8")
        run(find_tool("yosys"), ("-q", "proof.ys"), folder, timeout=seconds)
        circuit = Aig.parse((folder / "proof.aig").read_bytes())
        (folder / "bad.aig").write_bytes(circuit.only(-1).data())
        engine = f"pdr -s -T {seconds}" if depth is None else f"bmc3 -F {depth + 1} -T {seconds}"
        script = f"read_aiger bad.aig; strash; {engine}; print_status; write_cex cex.txt"
        output = run(_abc(), ("-q", script), folder, timeout=seconds + 60).output
        status, frames = map(int, _STATUS.search(output).groups())
        if status == 0:
            values = _trace(circuit, (folder / "cex.txt").read_text("ascii"))
            return Answer(False, _told(proof, values))
    if status == 1 or (depth is not None and frames >= depth):
        return Answer(True, "")
    raise AssertionError(f"no answer within {seconds} s: {output}")


def _abc() -> Tool:
    """ABC as it comes with native yosys."""
    found = importlib.util.find_spec("pyosys")
    places = [] if found is None else [Path(place, "yosys-abc") for place in found.submodule_search_locations]
    path = next((str(place) for place in places if place.is_file()), None) or shutil.which("yosys-abc")
    assert path, 'yosys-abc was not found: pip install "spikefold[synth]"'
    return Tool("yosys-abc", (path,))


def _trace(circuit: Aig, text: str) -> list[list[int]]:
    """Outputs in every cycle of a counterexample: bits of all latches, then of the inputs by cycle."""
    bits = [int(bit) for bit in text.split("#")[0].strip()][len(circuit.latches) :]
    return circuit.run([bits[k : k + circuit.inputs] for k in range(0, len(bits), circuit.inputs)])


def _told(proof: Proof, trace: list[list[int]]) -> str:
    """The checks that fail in the last cycle, and a table of what is shown."""
    signals = [*proof.checks.values(), *proof.shown]
    assert len(trace[0]) == sum(map(len, signals)) + 1
    rows = [_numbers(signals, iter(cycle)) for cycle in trace]
    failed = [text for text, holds in zip(proof.checks, rows[-1], strict=False) if not holds]
    lines = [f"in cycle {len(rows) - 1} after the reset {failed!r} must hold, but does not"]
    width = max((len(signal.name) for signal in proof.shown), default=0)
    for k, signal in enumerate(signals[len(proof.checks) :], len(proof.checks)):
        lines.append(f"{signal.name:<{width}} " + " ".join(f"{row[k]:>4}" for row in rows[1:]))
    return "\n".join(lines)


def _numbers(signals: list[Signal], bits: Iterator[int]) -> list[int]:
    """Values of signals for their bits one after another, lowest first."""
    values = []
    for signal in signals:
        value = sum(bit << place for place, bit in enumerate(islice(bits, len(signal))))
        negative = signal.shape().signed and value >> (len(signal) - 1)
        values.append(value - (1 << len(signal)) if negative else value)
    return values
