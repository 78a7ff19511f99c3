"""Findings that are kept in a build and shown by its report."""

import pytest
from cli_case import features, fields, invoke, model_file, tiny_model, tree

import spikefold
from spikefold.errors import InputError
from spikefold.record import record
from spikefold.results import Verification

VERIFIED = Verification(3, 0, None, 19.0, 19.0, True, 40, 1.5, "verilator 5.048", 61.2)


def test_kept_in_manifest_and_report(tmp_path):
    design = spikefold.compile(tiny_model(), name="tiny")
    with pytest.raises(InputError, match=r"^Design 'tiny' must be written before findings are recorded"):
        record(design, VERIFIED)
    design.write(tmp_path / "b")
    before = tree(tmp_path / "b")
    record(design, VERIFIED)
    after = tree(tmp_path / "b")
    changed = {name for name in before.keys() | after if before.get(name) != after.get(name)}
    assert changed == {"manifest.json", "report.html"}
    assert b"Verified with 3 samples in verilator 5.048" in after["report.html"]
    again = spikefold.load(tmp_path / "b")
    assert again.info["verification"]["passed"] is True
    assert again.digest == design.digest
    record(again, Verification(5, 0, None, 19.0, None, None, 40, 1.5, "icarus 11", 1.0))
    assert again.summary["verification"]["samples"] == 5


def test_by_the_command_line(tmp_path):
    model = model_file(tmp_path)
    assert invoke("compile", model, "-o", tmp_path / "b", "-q").exit_code == 0
    options = ("verify", tmp_path / "b", "--samples", 2, "--simulator", "amaranth", "--json")
    before = tree(tmp_path / "b")
    fields(invoke(*options))
    assert tree(tmp_path / "b") == before
    fields(invoke(*options, "--record"))
    assert "golden model" in (tmp_path / "b" / "report.html").read_text()
    assert spikefold.load(tmp_path / "b").verify(features(1)[0], simulator="amaranth").passed
