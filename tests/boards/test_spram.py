"""Memories of the style `spram` become single-port RAM of an iCE40 UP5K and answer as the Verilog does."""

from pathlib import Path

import pytest
from amaranth.hdl import Fragment
from gate_cells import ice40_cells

from spikefold.flow.run import run
from spikefold.flow.tools import Tool, find_tool
from spikefold_boards.netlist import Netlist
from spikefold_hw.emit.memories import VerilogPlatform
from spikefold_hw.memory_choice import MemoryChoice
from spikefold_hw.parts.images import ImageSize
from spikefold_hw.parts.load import Loadable, LoadChain

BENCH = """
`timescale 1ns / 1ps
module bench;
  reg clk = 0, enable = 0, write = 0;
  reg [14:0] address = 0;
  reg [{last}:0] data = 0;
  wire [{last}:0] mapped, plain;
  gates dut(.clk(clk), .enable(enable), .write_enable(write), .address(address[{top}:0]), .write_data(data),
    .read_data(mapped));
  {module} reference(.clk(clk), .enable(enable), .write_enable(write), .address(address[{top}:0]),
    .write_data(data), .read_data(plain));
  integer k, seed = 1, compared = 0;
  task tick; begin #5 clk = 1; #4; #1 clk = 0; end endtask
  initial begin
    for (k = 0; k < {rows}; k = k + 1) begin
      write = 1; address = k; data = {{$random(seed), $random(seed)}}; tick;
    end
    for (k = 0; k < 3000; k = k + 1) begin
      write = 0; enable = k == 0 || $random(seed) & 1; address = $unsigned($random(seed)) % {rows}; tick;
      if (mapped !== plain || ^mapped === 1'bx) begin $display("differs at %d", address); $finish; end
      compared = compared + 1;
    end
    $display("equal %0d", compared);
    $finish;
  end
endmodule
"""


def module_of(bits: int, rows: int) -> tuple[str, str]:
    """Name and text of the module of a loaded memory."""
    chain = LoadChain([ImageSize("weight", bits, rows)])
    platform = VerilogPlatform([MemoryChoice("weight", "spram", single=True)])
    memory = Loadable("weight", bits, rows, chain)
    memory.read_port()
    Fragment.get(memory, platform)
    Fragment.get(chain, None)
    ((name, text),) = platform.modules.items()
    return name, text


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("bits", "rows", "blocks"), [(16, 6272, 1), (12, 50, 1), (16, 16_400, 2), (20, 30, 2)]
)
def test_spram_answers_as_the_memory(tmp_path: Path, bits: int, rows: int, blocks: int) -> None:
    name, text = module_of(bits, rows)
    (tmp_path / "memory.v").write_text(text)
    (tmp_path / "map.ys").write_text(
        f"read_verilog memory.v\nsynth_ice40 -device u -noabc -top {name}\nwrite_json gates.json\n"
        f"rename {name} gates\nwrite_verilog -noattr gates.v\n"
    )
    run(find_tool("yosys"), ("-q", "map.ys"), tmp_path)
    assert Netlist.read(tmp_path / "gates.json", name).count()["SB_SPRAM256KA"] == blocks
    sizes = {"last": bits - 1, "top": (rows - 1).bit_length() - 1, "module": name, "rows": rows}
    (tmp_path / "bench.v").write_text(BENCH.format(**sizes))
    (tmp_path / "cells.v").write_text(ice40_cells())
    sources = ("bench.v", "gates.v", "memory.v", "cells.v")
    run(Tool("iverilog", ("iverilog",)), ("-g2012", "-s", "bench", "-o", "sim", *sources), tmp_path)
    assert run(Tool("vvp", ("vvp",)), ("-n", "sim"), tmp_path).output.strip() == "equal 3000"
