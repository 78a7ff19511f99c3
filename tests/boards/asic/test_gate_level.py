"""The gates of a cell library compute what the network computes, with its memories, whatever stalls come."""

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from spikefold.flow.artefact import Artefact
from spikefold_boards.asic.script import GATES
from spikefold_sim.observation import HangError, ProtocolError, UnknownValueError
from spikefold_sim.stalls import Stalls

pytestmark = [pytest.mark.icarus, pytest.mark.cells]


def is_golden(mapped, artefact: Artefact) -> bool:
    """Run the samples through gates in Icarus, which knows unknown values, under stalls."""
    runs = replace(mapped.design.runs, artefact=lambda: nullcontext(artefact))
    beats = mapped.design.beats(mapped.design.encode(mapped.x))
    seen = runs.run("icarus", beats, Stalls(0.2, 0.2, 5)).seen
    golden = mapped.design.golden(mapped.x)
    return bool((seen.logits == golden.logits).all() and (seen.winners == golden.classes).all())


def with_images(mapped, gates: Path, folder: Path) -> Artefact:
    """The gates in a file, with the design's memory images."""
    artefact = mapped.gates.artefact
    for name, image in mapped.design.images.items():
        (folder / f"{name}.mem").write_bytes(image.hexadecimal)
    rtl = tuple(gates if path.name == GATES else path for path in artefact.rtl)
    return replace(artefact, rtl=rtl, mem=folder)


def test_gates_compute_the_network(mapped, tmp_path):
    assert is_golden(mapped, with_images(mapped, mapped.gates.folder / GATES, tmp_path))


def test_a_wrong_gate_is_noticed(mapped, tmp_path):
    text = (mapped.gates.folder / GATES).read_text()
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    broken, count = re.subn(r"\bNAND2_X1 (u\d+) \(", r"NOR2_X1 \1 (", text, count=3)
    assert count == 3
    (wrong / GATES).write_text(broken)
    try:
        golden = is_golden(mapped, with_images(mapped, wrong / GATES, tmp_path))
    except (HangError, ProtocolError, UnknownValueError):
        golden = False
    assert not golden


def test_models_are_beside_the_netlist(mapped):
    names = {path.name for path in mapped.gates.artefact.rtl}
    assert {GATES, "models.v"} <= names
    assert not any("timed" in name for name in names)
