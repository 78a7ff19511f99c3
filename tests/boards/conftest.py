"""Small designs, and a cache that the tests of one run share and no other run sees."""

import sys
from pathlib import Path

import pytest

from spikefold.flow.artefact import Artefact

sys.path.insert(0, str(Path(__file__).parent))

COUNTER = """
module image #(parameter MEM_DIR = "nowhere", parameter FILE = "none.mem")(
  input clk, input [8:0] address, output reg [7:0] data);
  (* ram_style = "block" *) reg [7:0] rom [0:511];
  initial $readmemh({MEM_DIR, "/", FILE}, rom);
  always @(posedge clk) data <= rom[address];
endmodule

module counter #(parameter MEM_DIR = "nowhere")(
  input clk, input rst, input [8:0] start, output [8:0] address, output reg [7:0] value);
  reg [8:0] count;
  wire [7:0] data;
  assign address = count;
  image #(.MEM_DIR(MEM_DIR), .FILE("counter.mem")) rom(clk, count, data);
  always @(posedge clk) begin
    count <= rst ? start : count + 1;
    value <= data;
  end
endmodule
"""

PRODUCT = """
module product(input clk, input [8:0] a, input [8:0] b, output reg [17:0] y);
  reg [8:0] ra, rb;
  always @(posedge clk) begin
    ra <= a;
    rb <= b;
    y <= ra * rb;
  end
endmodule
"""


@pytest.fixture
def counter(tmp_path: Path) -> Artefact:
    """A counter that reads a block RAM."""
    verilog = tmp_path / "counter.v"
    verilog.write_text(COUNTER)
    images = tmp_path / "images"
    images.mkdir()
    (images / "counter.mem").write_text("".join(f"{37 * i % 251:02x}\n" for i in range(512)))
    return Artefact((verilog,), "counter", images)


@pytest.fixture
def product(tmp_path: Path) -> Artefact:
    """A design that multiplies."""
    verilog = tmp_path / "product.v"
    verilog.write_text(PRODUCT)
    return Artefact((verilog,), "product")
