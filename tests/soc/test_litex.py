"""The LiteX module: LiteX elaborates it, and Icarus joins what comes out to the design's Verilog."""

import importlib
import re
import subprocess
from dataclasses import replace

import pytest
from random_designs import random_design
from test_package import verilog_ports

from spikefold.soc import AxiDesign
from spikefold.soc.package import write_package

pytest.importorskip("litex")

RUN = {"text": True, "capture_output": True, "timeout": 300, "check": False}


class Platform:
    """What the module needs of a LiteX platform."""

    def __init__(self):
        self.sources = []

    def add_source(self, path):
        self.sources.append(path)


@pytest.mark.icarus
@pytest.mark.parametrize("tag_bits", [0, 5])
def test_litex_joins_every_port(tag_bits, tmp_path, monkeypatch):
    from litex.gen.fhdl import verilog
    from migen import ClockDomain

    design, _ = random_design(5)
    name = f"litex{tag_bits}"
    design.network = replace(design.network, name=name)
    design.plan = replace(design.plan, name=name, tag_bits=tag_bits)
    axi = AxiDesign(design)
    write_package(axi, tmp_path / "ip")
    monkeypatch.syspath_prepend(str(tmp_path / "ip" / "software"))
    found = importlib.import_module(f"{axi.top}.litex_module")
    platform = Platform()
    module = found.Accelerator(platform)
    module.cd_sys = ClockDomain("sys")
    streams = (
        module.sink,
        module.source,
        module.bus.aw,
        module.bus.w,
        module.bus.b,
        module.bus.ar,
        module.bus.r,
    )
    ios = {signal for stream in streams for signal in stream.flatten()}
    ios |= {module.cd_sys.clk, module.cd_sys.rst}
    text = str(verilog.convert(module, ios, name="litex_soc"))
    instance = re.search(rf"^{axi.top} #\(.*?^\);", text, re.MULTILINE | re.DOTALL)[0]
    joined = re.findall(r"^\s*\.(\w+)\s*\(", instance, re.MULTILINE)
    ports = verilog_ports(axi.verilog[f"{axi.top}.v"])
    assert sorted(joined) == sorted([*ports, "MEM_DIR"])
    (tmp_path / "soc.v").write_text(text)
    command = ["iverilog", "-g2012", "-Wall", "-o", tmp_path / "image", "-s", "litex_soc", tmp_path / "soc.v"]
    built = subprocess.run([*command, *platform.sources], **RUN)
    assert not built.returncode, built.stderr
    told = [line for line in built.stderr.splitlines() if "timescale" not in line]
    assert not told
    assert (1 << axi.registers.address_bits) * 4 == found.Accelerator.SIZE
    assert len(platform.sources) == len(axi.verilog)
