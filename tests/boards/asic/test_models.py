"""Verilog that yosys writes of a library's cells does what the liberty functions say, input by input."""

import itertools
import re
from pathlib import Path

import pytest

from spikefold.flow.run import run
from spikefold.flow.tools import Tool, find_tool
from spikefold_boards.asic.liberty import parse, split
from spikefold_boards.asic.libraries import find_cells
from spikefold_boards.asic.script import LIBERTY, MODELS, modelling

pytestmark = [pytest.mark.icarus, pytest.mark.cells]


def functions(library: str) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Inputs, and each output's function, of every cell that is but gates."""
    found = {}
    for name, text in split(find_cells(library).liberty())[1].items():
        cell = parse(text, "cell", name)
        pins = {pin.name: pin.attributes for pin in cell.each("pin")}
        if any(cell.each("ff")) or any(cell.each("latch")) or any(cell.each("statetable")):
            continue
        outputs = {pin: entry["function"] for pin, entry in pins.items() if "function" in entry}
        tristate = any("three_state" in entry for entry in pins.values())
        inputs = [pin for pin, entry in pins.items() if entry.get("direction") == "input"]
        if outputs and inputs and not tristate:
            found[name] = (inputs, outputs)
    return found


def value(function: str, levels: dict[str, bool]) -> bool:
    """A liberty function, by Python's own operators."""
    text = re.sub(r"!\s*", "1^", function)
    assert re.fullmatch(r"[\w\s()^&|]*", text)
    # an exclamation mark binds closest
    text = re.sub(r"1\^(\w+)", r"(1^\1)", text)
    text = re.sub(r"\b([A-Z]\w*)\b", lambda name: str(int(levels[name[1]])), text)
    return bool(eval(text))  # digits and operators alone, as asserted


def bench(cells: dict[str, tuple[list[str], dict[str, str]]]) -> tuple[str, list[str]]:
    """A module that prints every cell's outputs for all its inputs, and what has to come."""
    lines, expected = ["module bench;", "reg [7:0] i;"], []
    steps = []
    for number, (name, (inputs, outputs)) in enumerate(cells.items()):
        wires = {pin: f"w{number}_{pin}" for pin in outputs}
        lines += [f"wire {wire};" for wire in wires.values()]
        joins = [f".{pin}(i[{place}])" for place, pin in enumerate(inputs)]
        joins += [f".{pin}({wire})" for pin, wire in wires.items()]
        lines.append(f"{name} c{number}({', '.join(joins)});")
        shown = "".join("%b" for _ in wires)
        for bits in itertools.product((False, True), repeat=len(inputs)):
            levels = dict(zip(inputs, bits, strict=True))
            word = sum(bit << place for place, bit in enumerate(bits))
            steps.append(f'i = {word}; #1 $display("{name} {word} {shown}", {", ".join(wires.values())});')
            results = "".join(str(int(value(function, levels))) for function in outputs.values())
            expected.append(f"{name} {word} {results}")
    return "\n".join([*lines, "initial begin", *steps, "end", "endmodule", ""]), expected


@pytest.mark.parametrize("library", ["nangate45", "sky130"])
def test_models_are_the_functions(library: str, tmp_path: Path) -> None:
    cells = functions(library)
    assert len(cells) > 60
    (tmp_path / LIBERTY).write_text(find_cells(library).liberty())
    (tmp_path / "models.ys").write_text("\n".join(modelling(sorted(cells))) + "\n")
    run(find_tool("yosys"), ("-q", "models.ys"), tmp_path)
    text, expected = bench(cells)
    (tmp_path / "bench.v").write_text(text)
    run(Tool("iverilog", ("iverilog",)), ("-g2012", "-o", "sim", "bench.v", MODELS), tmp_path)
    assert run(Tool("vvp", ("vvp",)), ("-n", "sim"), tmp_path).output.splitlines() == expected
