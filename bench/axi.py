"""What the AXI host costs by itself: yosys for the 7 series and UltraScale+, the block as a black box.

    python bench/axi.py [--json]

LUTs, flip-flops and RAMB18 for 784 and 64 inputs of 16 levels, with dense levels or events as input and one
class or all logits as result, and with a port that loads weights. Yosys' figures; nothing is placed.
"""

import argparse
import json
import re
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from spikefold.design import Design
from spikefold.flow.run import run
from spikefold.flow.tools import find_tool
from spikefold.flow.work import work_folder
from spikefold.ir import Dense, Input, Network, Neuron, Population
from spikefold.soc import AxiDesign
from spikefold_boards.cells import resources_from_netlist
from spikefold_boards.fpgas import find_fpga
from spikefold_boards.netlist import Netlist
from spikefold_hw.emit import top_name
from spikefold_hw.host.axi.config import AxiConfig
from spikefold_hw.streaming.planning import plan_of

FAMILIES = ("xc7", "xcup")
CASES = {
    "784 inputs, 4 bytes a beat": (784, AxiConfig(), False),
    "784 inputs, 16 bytes a beat": (784, AxiConfig(bytes=16), False),
    "784 inputs, logits": (784, AxiConfig(result="logits"), False),
    "784 inputs, events": (784, AxiConfig("events"), False),
    "784 inputs, loaded weights": (784, AxiConfig(), True),
    "64 inputs, 4 bytes a beat": (64, AxiConfig(), False),
}


def design_of(inputs: int, loaded: bool) -> Design:
    """A network of the benchmark's shape; the host sees its sizes only."""
    rng = np.random.default_rng(1)
    hidden = Population(
        "hidden",
        (Dense("input", rng.integers(-8, 8, (1, 128, inputs)), 4),),
        rng.integers(-100, 100, (1, 128)),
        0,
        Neuron(4, rng.integers(100, 300, (1, 128))),
    )
    weight = rng.integers(-8, 8, (1, 10, 128))
    readout = Population("readout", (Dense("hidden", weight, 4),), rng.integers(-8, 8, (1, 10)))
    network = Network(Input((inputs,), 16), 1, (hidden, readout), "host")
    return Design(network, plan_of(network, {"hidden": 8, "readout": 2}, loaded=loaded))


def cost(axi: AxiDesign, family: str) -> dict[str, int]:
    """LUTs, flip-flops and RAMB18 of the host alone."""
    block = top_name(axi.design.name)
    ports = re.search(r"\) \((.*?)\);", axi.verilog[f"{block}.v"], re.DOTALL)
    assert ports is not None
    own = {name: text for name, text in axi.verilog.items() if name not in axi.design.verilog()}
    box = f'(* blackbox *) module {block} #(parameter MEM_DIR = "mem") ({ports[1]});\nendmodule\n'
    with work_folder() as folder:
        for name, text in {**own, "block.v": box}.items():
            (folder / name).write_text(text, "utf-8")
        (folder / "mem").mkdir()
        (folder / "mem" / "identification.mem").write_bytes(axi.images["identification.mem"])
        script = [f"read_verilog -sv -defer {name}" for name in (*own, "block.v")]
        script += [
            f"hierarchy -top {axi.top}",
            f"synth_xilinx -top {axi.top} -family {family} -flatten",
            "write_json mapped.json",
        ]
        (folder / "map.ys").write_text("\n".join(script) + "\n", "utf-8")
        run(find_tool("yosys"), ("-q", "map.ys"), folder)
        counts = Netlist.read(folder / "mapped.json", axi.top).count()
    found = resources_from_netlist(counts, find_fpga("xc7"))
    halves = sum(number << name.startswith("RAMB36") for name, number in counts.items() if "RAMB" in name)
    return {"lut": found["lut"], "ff": found["ff"], "ramb18": halves}


def measure() -> list[dict[str, Any]]:
    rows = []
    for name, (inputs, config, loaded) in CASES.items():
        design = design_of(inputs, loaded)
        axi = AxiDesign(design, config)
        for family in FAMILIES:
            rows.append({"host": name, "family": family, **cost(axi, family)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="What the AXI host costs by itself.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rows = measure()
    if options.json:
        print(json.dumps({"hosts": rows}))
        return
    table = Table("host", "family", "LUT", "FF", "RAMB18", title="The AXI host alone")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
