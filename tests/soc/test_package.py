"""A package of a design: each tool's files against the Verilog, and what tools there are run on it."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from cli_case import invoke
from random_designs import random_design, random_graph_design

from spikefold.errors import BuildError
from spikefold.flow.tools import find_tool
from spikefold.soc import AxiDesign
from spikefold.soc.ipxact import SPIRIT
from spikefold.soc.package import PART, write_package
from spikefold_hw.host.axi.config import AxiConfig

LOADED = next(k for k in range(40) if random_graph_design(k)[0].plan.loaded)
MADE = {
    "dense": (random_design, 5, 5, AxiConfig(bytes=16, result="logits")),
    "events": (random_design, 5, 0, AxiConfig("events")),
    "loaded": (random_graph_design, LOADED, 3, AxiConfig(bytes=1)),
}
RUN = {"text": True, "capture_output": True, "timeout": 300, "check": False}


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A function of a name: the design on AXI, and the folder of its package."""

    @cache
    def make_one(name):
        make, seed, tag_bits, config = MADE[name]
        design, _ = make(seed)
        design.plan = replace(design.plan, tag_bits=tag_bits)
        axi, folder = AxiDesign(design, config), tmp_path_factory.mktemp(name)
        write_package(axi, folder)
        return axi, folder

    return make_one


def verilog_ports(text):
    """Direction and width of each port of a top module."""
    found = re.findall(r"^  (input|output) wire (?:\[(\d+):0\] )?(\w+),?", text, re.MULTILINE)
    return {name: (direction, int(left or 0) + 1) for direction, left, name in found}


def test_the_block_is_in_it_byte_for_byte(packages):
    axi, folder = packages("dense")
    for name, text in axi.design.verilog().items():
        assert (folder / "rtl" / name).read_text() == text
    assert set(axi.verilog) - set(axi.design.verilog()) == {
        "random5_axi.v",
        "random5_axi_core.v",
        "spikefold_rom_32x8_block.v",
    }


@pytest.mark.icarus
@pytest.mark.parametrize("name", MADE)
def test_its_own_check_passes_in_icarus_and_notices_a_wrong_word(name, packages, tmp_path):
    axi, folder = packages(name)
    image, files = tmp_path / "check", [*folder.glob("rtl/*.v"), *folder.glob("check/*.v")]
    built = subprocess.run(
        ["iverilog", "-g2012", "-o", image, "-s", f"{axi.top}_check", *files], cwd=folder, **RUN
    )
    assert not built.returncode, built.stderr
    ran = subprocess.run(["vvp", "-n", image], cwd=folder, **RUN)
    assert ran.returncode == 0
    assert "PASS: 4 results are equal" in ran.stdout
    shutil.copytree(folder / "mem", tmp_path / "mem")
    shutil.copytree(folder / "check", tmp_path / "check_files")
    (tmp_path / "check").rename(tmp_path / "image")
    (tmp_path / "check_files").rename(tmp_path / "check")
    results = tmp_path / "check" / "check_results.mem"
    words = results.read_text().split()
    words[-1] = f"{int(words[-1], 16) ^ 1:08x}"
    results.write_text("\n".join(words))
    ran = subprocess.run(["vvp", "-n", tmp_path / "image"], cwd=tmp_path, **RUN)
    assert ran.returncode != 0
    assert f"word {len(words) - 1} is" in ran.stdout + ran.stderr


@pytest.mark.icarus
@pytest.mark.parametrize("target", ["lint", "sim"])
def test_fusesoc_lints_and_simulates_it(target, packages, tmp_path):
    pytest.importorskip("fusesoc")
    axi, folder = packages("dense")
    verilator = find_tool("verilator")
    paths = (Path(sys.executable).parent, Path(verilator.command[0]).parent, os.environ["PATH"])
    environment = {**os.environ, **verilator.variables, "PATH": os.pathsep.join(map(str, paths))}
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        environment[name] = str(tmp_path / name)
    command = ("fusesoc", "--cores-root", folder, "run", f"--target={target}")
    ran = subprocess.run(
        [*command, f"spikefold:accelerators:{axi.top}"], cwd=tmp_path, env=environment, **RUN
    )
    output = ran.stdout + ran.stderr
    assert ran.returncode == 0, output
    assert "%Warning" not in output
    assert target == "lint" or "PASS: 4 results are equal" in output


def spirit(name):
    return f"{{{SPIRIT}}}{name}"


@pytest.mark.parametrize("name", MADE)
def test_the_component_says_what_the_verilog_says(name, packages):
    axi, folder = packages(name)
    root = ElementTree.parse(folder / "component.xml").getroot()
    assert [root.findtext(spirit(key)) for key in ("vendor", "library", "name")] == [
        "spikefold",
        "accelerators",
        axi.top,
    ]
    found = {}
    for port in root.iter(spirit("port")):
        left = port.findtext(f"{spirit('wire')}/{spirit('vector')}/{spirit('left')}", "0")
        direction = port.findtext(f"{spirit('wire')}/{spirit('direction')}")
        found[port.findtext(spirit("name"))] = ({"in": "input", "out": "output"}[direction], int(left) + 1)
    ports = verilog_ports((folder / "rtl" / f"{axi.top}.v").read_text())
    assert found == ports
    files = [file.findtext(spirit("name")) for file in root.iter(spirit("file"))]
    assert all((folder / file).is_file() for file in files)
    assert {file for file in files if file.endswith(".v")} == {f"rtl/{n}" for n in axi.verilog}
    check_buses(root, ports)


def check_buses(root, ports):
    """Every port is in exactly one bus, in the direction of its role."""
    mapped, roles = {}, {}
    for bus in root.iter(spirit("busInterface")):
        name = bus.findtext(spirit("name"))
        roles[name] = "master" if bus.find(spirit("master")) is not None else "slave"
        for pair in bus.iter(spirit("portMap")):
            logical, physical = (
                pair.findtext(f"{spirit(side)}/{spirit('name')}") for side in ("logicalPort", "physicalPort")
            )
            assert physical not in mapped
            mapped[physical] = (name, logical)
    assert set(mapped) == set(ports)
    assert roles == {
        "s_axis": "slave",
        "m_axis": "master",
        "s_axi": "slave",
        "aclk": "slave",
        "aresetn": "slave",
    }
    for port, (bus, logical) in mapped.items():
        if bus in ("s_axis", "m_axis"):
            assert logical in ("TDATA", "TKEEP", "TLAST", "TVALID", "TREADY", "TUSER")
            backward = logical == "TREADY"
            assert ports[port][0] == ("output" if backward == (bus == "s_axis") else "input")
        elif bus == "s_axi":
            answers = logical in (
                "AWREADY",
                "WREADY",
                "BVALID",
                "BRESP",
                "ARREADY",
                "RVALID",
                "RDATA",
                "RRESP",
            )
            assert ports[port][0] == ("output" if answers else "input")
    reference = root.find(f".//{spirit('slave')}/{spirit('memoryMapRef')}").get(spirit("memoryMapRef"))
    assert [each.findtext(spirit("name")) for each in root.iter(spirit("memoryMap"))] == [reference]


@pytest.mark.parametrize("name", MADE)
def test_every_form_of_the_register_map_is_the_same(name, packages):
    axi, folder = packages(name)
    due = {register.name: register.offset for register in axi.registers.registers}
    root = ElementTree.parse(folder / "component.xml").getroot()
    in_xml = {
        r.findtext(spirit("name")): int(r.findtext(spirit("addressOffset")), 16)
        for r in root.iter(spirit("register"))
    }
    module = folder / "software" / axi.top / "registers.py"
    spec = importlib.util.spec_from_file_location("registers", module)
    registers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(registers)
    rows = re.findall(r"^\| 0x(\w+) \| `(\w+)`", (folder / "registers.md").read_text(), re.MULTILINE)
    macros = subprocess.run(
        ["gcc", "-x", "c", "-std=c99", "-Wall", "-Werror", "-E", "-dM", folder / "software" / f"{axi.top}.h"],
        **RUN,
    ).stdout
    values = dict(re.findall(rf"#define {axi.top.upper()}_(\w+) (\w+)u$", macros, re.MULTILINE))
    in_c = {n: int(values[n.upper()], 0) for n in due}
    assert in_xml == registers.OFFSETS == {n: int(k, 16) for k, n in rows} == in_c == due
    constants = dict(zip(due, axi.registers.identification, strict=False))
    assert registers.CONSTANTS == constants == {n: int(values[f"{n.upper()}_VALUE"], 0) for n in constants}
    assert int(values["STATUS_BUSY"], 0) == 1 << registers.FIELDS["status"]["busy"] == 4


def test_the_script_for_vivado_reads_files_that_are_there(packages):
    """It runs in a Tcl of Python's, where Vivado's commands are recorded."""
    tkinter = pytest.importorskip("tkinter")
    axi, folder = packages("dense")
    tcl, calls = tkinter.Tcl(), []
    for name in ("create_project", "read_verilog", "read_mem", "read_xdc", "synth_design", "opt_design"):
        tcl.createcommand(name, lambda *words, name=name: calls.append((name, *words)) or "")
    for name in ("place_design", "route_design", "report_utilization", "report_timing_summary"):
        tcl.createcommand(name, lambda *words, name=name: calls.append((name, *words)) or "")
    tcl.eval("set argv {}")
    tcl.evalfile(str(folder / "vivado.tcl"))
    read = [Path(words[-1]) for words in calls if words[0].startswith("read_")]
    assert all(file.is_file() for file in read)
    assert {file.name for file in read if file.suffix == ".v"} == set(axi.verilog)
    assert {file.name for file in read if file.suffix == ".mem"} == {
        file.name for file in (folder / "mem").glob("*.mem")
    }
    synthesis = next(words for words in calls if words[0] == "synth_design")
    assert synthesis[1:5] == ("-top", axi.top, "-part", PART)
    constraints = (folder / f"{axi.top}_ooc.xdc").read_text()
    tcl.createcommand("create_clock", lambda *words: calls.append(words) or "")
    tcl.createcommand("get_ports", lambda *words: " ".join(words))
    tcl.eval(constraints)
    assert calls[-1] == ("-name", "aclk", "-period", "10.0", "aclk")


def test_a_package_is_replaced_and_nothing_else(packages, tmp_path):
    axi, _ = packages("dense")
    write_package(axi, tmp_path / "ip")
    (tmp_path / "ip" / "old").write_text("")
    names = write_package(axi, tmp_path / "ip")
    found = {
        file.relative_to(tmp_path / "ip").as_posix()
        for file in (tmp_path / "ip").rglob("*")
        if file.is_file()
    }
    assert found == set(names)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(
        BuildError, match=r"^Output directory must be new, empty or an earlier package, but .* has no"
    ):
        write_package(axi, tmp_path / "other")
    with pytest.raises(
        BuildError, match=r"^Output must be a directory, but .* is a file; name another with -o$"
    ):
        write_package(axi, tmp_path / "other" / "thesis.tex")


def test_the_command_writes_a_package(tmp_path):
    random_design(5)[0].write(tmp_path / "build")
    told = invoke("package", tmp_path / "build", "-o", tmp_path / "ip", "--result", "logits", "--json")
    found = json.loads(told.stdout)
    assert found["top"] == "random5_axi"
    assert (tmp_path / "ip" / "random5_axi.core").is_file()
    assert found["files"] == sorted(
        json.loads((tmp_path / "ip" / "package.json").read_text())["files"] + ["package.json"]
    )
    assert found["result_words"] == 6
    refused = invoke("package", tmp_path / "build", "-o", tmp_path / "ip", "--input", "pixels")
    assert refused.exit_code == 3
    assert "Input of an AXI host must be dense or events, not 'pixels'" in refused.stderr
