"""No path leads through the host from a port to a port: every output comes from a register or a constant."""

from dataclasses import replace

import pytest
from random_designs import random_design, random_graph_design

from spikefold.flow.run import run
from spikefold.flow.tools import find_tool
from spikefold.soc import AxiDesign
from spikefold_boards.netlist import Netlist
from spikefold_hw.host.axi.config import AxiConfig

LOADED = next(k for k in range(40) if random_graph_design(k)[0].plan.loaded)
REGISTERS = ("$dff", "$sdff", "$adff", "$aldff")
MEMORIES = ("$mem", "$memrd", "$memwr")


def registered(kind):
    return kind.startswith(REGISTERS) or kind.startswith(MEMORIES)


def paths(document, top):
    """Pairs of an input and an output of a flat module between which there is no register."""
    module = document["modules"][top]
    reached = {}
    for name, port in module["ports"].items():
        if port["direction"] == "input" and name not in ("aclk", "aresetn"):
            for bit in port["bits"]:
                reached.setdefault(bit, set()).add(name)
    readers = {}
    for cell in module["cells"].values():
        if registered(cell["type"]):
            continue
        sides = {"input": [], "output": []}
        for pin, bits in cell["connections"].items():
            sides[cell["port_directions"][pin]] += bits
        for bit in sides["input"]:
            readers.setdefault(bit, []).append(sides["output"])
    waiting = list(reached)
    while waiting:
        bit = waiting.pop()
        for outputs in readers.get(bit, ()):
            for out in outputs:
                before = reached.setdefault(out, set())
                if not reached[bit] <= before:
                    before |= reached[bit]
                    waiting.append(out)
    outputs = {n: p for n, p in module["ports"].items() if p["direction"] == "output"}
    return {
        (source, name)
        for name, port in outputs.items()
        for bit in port["bits"]
        if isinstance(bit, int)
        for source in reached.get(bit, ())
    }


@pytest.mark.parametrize(
    ("make", "seed", "config", "tag_bits"),
    [
        (random_design, 5, AxiConfig(bytes=8, result="logits"), 4),
        (random_design, 5, AxiConfig("events"), 0),
        (random_graph_design, LOADED, AxiConfig(), 0),
    ],
)
def test_no_output_depends_on_an_input_of_the_same_cycle(make, seed, config, tag_bits, tmp_path):
    design, _ = make(seed)
    design.plan = replace(design.plan, tag_bits=tag_bits)
    axi = AxiDesign(design, config)
    for name, data in axi.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    script = [f"read_verilog -defer rtl/{name}" for name in axi.verilog]
    script += [f"hierarchy -top {axi.top}", "proc", "flatten", "opt", "write_json flat.json"]
    (tmp_path / "flat.ys").write_text("\n".join(script) + "\n")
    run(find_tool("yosys"), ("-q", "flat.ys"), tmp_path)
    found = paths(Netlist.read(tmp_path / "flat.json", axi.top).document, axi.top)
    assert found == set()
