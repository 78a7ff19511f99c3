"""JUnit XML of a verification, as continuous integration reads it."""

import xml.etree.ElementTree as ET
from pathlib import Path

from spikefold.errors import InputError
from spikefold.files import write_atomic
from spikefold.results import Verification


def check_report(path: Path | None) -> None:
    """Refuse a report's path that is a directory.

    Raises
    ------
    InputError
        If it is one.
    """
    if path is not None and path.is_dir():
        raise InputError(f"Report must be a file, not the directory {str(path)!r}; add a file name")


def write_report(path: Path, name: str, found: Verification) -> None:
    """Write one test case for values and one for cycles; under stalls the latter is skipped."""
    suite = ET.Element("testsuite", name=f"spikefold.{name}", tests="2")
    failures = [found.mismatches > 0, found.cycle_exact is False]
    suite.set("failures", str(sum(failures)))
    suite.set("errors", "0")
    suite.set("skipped", str(int(found.cycle_exact is None)))
    suite.set("time", f"{found.seconds:.3f}")
    values = _case(suite, name, "levels and logits equal the golden model", found.seconds)
    if failures[0]:
        ET.SubElement(values, "failure", message=f"{found.mismatches} mismatches").text = str(found.first)
    cycles = _case(suite, name, "results come in the predicted cycles", 0.0)
    if failures[1]:
        message = f"{found.cycles_per_sample:g} cycles per sample, not {found.cycles_predicted:g}"
        ET.SubElement(cycles, "failure", message=message)
    if found.cycle_exact is None:
        ET.SubElement(cycles, "skipped", message="the cycle model holds without stalls")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    write_atomic(path, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _case(suite: ET.Element, name: str, title: str, seconds: float) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=f"spikefold.{name}", name=title, time=f"{seconds:.3f}")
