"""The netlist that goes to place and route computes what the network computes, block RAMs and all."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gate_cells import DP16KD, ECP5_CELLS, ICE40_CELLS, ecp5_cells, ice40_cells

import spikefold
import spikefold_boards
from spikefold import nn
from spikefold.design import Design
from spikefold.flow.artefact import Artefact
from spikefold.flow.cache import Cache, key_of
from spikefold.flow.run import run
from spikefold.flow.tools import Tool, find_tool
from spikefold.flow.work import work_folder
from spikefold.train import load_data
from spikefold_boards.fpgas import find_fpga
from spikefold_boards.netlist import Netlist
from spikefold_boards.passes import MAPPED
from spikefold_boards.yosys import copy_files, elaborate, map_to_device
from spikefold_sim.beats import StreamShape, encode_beats

pytestmark = pytest.mark.icarus

HERE = Path(__file__).parent
SAMPLES = 40
SCRIPT = f"""read_json {MAPPED}
delete {{modules}} =*paramod*
read_verilog -defer cells.v
hierarchy -top digits_top
proc
flatten
opt_expr
opt_clean
write_verilog -noattr gates.v
"""
CELLS = {
    "ecp5-25k": (ECP5_CELLS, ecp5_cells(), DP16KD.read_text()),
    "ice40-up5k": (ICE40_CELLS, ice40_cells(ICE40_CELLS), ice40_cells(("SB_RAM40_4K",))),
}
"""By device: its cells but block RAM, their models, that of block RAM."""


@pytest.fixture(scope="module")
def digits() -> tuple[Design, np.ndarray]:
    """The demo's network with weights as they are drawn, and real digits for it."""
    torch.manual_seed(3)
    data = load_data("digits", seed=0)
    model = nn.models.mlp(64, [96], 10, neuron="pit", levels=4, input_levels=16, maximum=16.0)
    design = spikefold.compile(model.eval(), name="digits", weight_bits=4, calibration=data.train_x[:64])
    return design, data.test_x[:SAMPLES]


@pytest.fixture(scope="module", params=["ecp5-25k", pytest.param("ice40-up5k", marks=pytest.mark.slow)])
def gates(request: pytest.FixtureRequest, digits: tuple[Design, np.ndarray]) -> Path:
    """A folder with the netlist as place and route gets it, as JSON and with yosys' models of its cells as
    Verilog; kept as long as nothing that makes it changes.
    """
    design, yosys, device = digits[0], find_tool("yosys"), find_fpga(request.param)
    names, cells, block_ram = CELLS[request.param]
    with work_folder() as folder:
        design.write(folder / "build")
        build = folder / "build"
        artefact = Artefact(tuple(sorted((build / "rtl").glob("*.v"))), "digits_top", build / "mem")
        files = [
            *artefact.rtl,
            *artefact.images,
            *Path(str(spikefold_boards.__file__)).parent.rglob("*.py"),
            Path(__file__),
        ]
        parts = {path.name: path.read_bytes() for path in files}
        key = key_of(parts | {"yosys": yosys.version, "part": device.part})

        def build_gates(out: Path) -> None:
            with work_folder() as directory:
                copy_files(artefact, directory)
                elaborate(yosys, artefact, directory)
                map_to_device(yosys, artefact.top, None, device, directory)
                (directory / "cells.v").write_text(cells)
                modules = " ".join(f"={name}" for name in names)
                (directory / "gates.ys").write_text(SCRIPT.format(modules=modules))
                run(yosys, ("-q", "gates.ys"), directory)
                for name in (MAPPED, "gates.v"):
                    shutil.copyfile(directory / name, out / name)
                (out / "block_ram.v").write_text(block_ram)

        return Cache("simulators").get(key, build_gates)


@dataclass(frozen=True)
class Results:
    """Logits (samples, classes) and winners (samples,); None where a bit was unknown or none came."""

    logits: np.ndarray | None
    winners: np.ndarray | None


def simulate(folder: Path, digits: tuple[Design, np.ndarray], pause: int) -> Results:
    """Run the samples through the netlist in `folder` with Icarus, the second half under stalls."""
    design, x = digits
    classes, fields = 10, ports_of(Netlist.read(folder / MAPPED, "digits_top"))
    beats = packed(design, x, fields["i"])
    sizes = {
        "BEATS": len(beats),
        "BITS": sum(bits for _, bits in fields["i"]),
        "RESULTS": classes * len(x),
        "RESULT_BITS": sum(bits for _, bits in fields["o"]),
        "PAUSE": pause,
    }
    options = [f"-Pbench.{name}={value}" for name, value in sizes.items()]
    sources = ("bench.v", str(folder / "gates.v"), str(folder / "block_ram.v"))
    with work_folder() as work:
        (work / "beats.hex").write_text("\n".join(f"{beat:x}" for beat in beats))
        (work / "bench.v").write_text((HERE / "gate_bench.v").read_text().replace("@DUT@", dut(fields)))
        run(Tool("iverilog", ("iverilog",)), ("-g2012", "-s", "bench", *options, "-o", "sim", *sources), work)
        lines = run(Tool("vvp", ("vvp",)), ("-n", "sim"), work).output.split()
    return results_of(lines, fields["o"], len(x), classes)


def ports_of(netlist: Netlist) -> dict[str, list[tuple[str, int]]]:
    """Name and bits of every field of the payloads of both streams, lowest first."""
    return {
        name: [
            (port, len(p["bits"])) for port, p in netlist.ports.items() if f"{name}__payload__" in port[:12]
        ]
        for name in "io"
    }


def dut(fields: dict[str, list[tuple[str, int]]]) -> str:
    joins = [".clk(clk), .rst(rst), .i__valid(valid), .i__ready(taken), .o__valid(sent), .o__ready(ready)"]
    for name, vector in (("i", "beat"), ("o", "result")):
        base = 0
        for port, bits in fields[name]:
            joins.append(f".{port}({vector}[{base + bits - 1}:{base}])")
            base += bits
    return f"digits_top dut({', '.join(joins)}, .counter_select(2'b0));"


def packed(design: Design, x: np.ndarray, fields: list[tuple[str, int]]) -> list[int]:
    """The beats of samples as words."""
    beats = encode_beats(design.encode(x), input_shape(design))
    words = np.zeros(len(beats), np.int64)
    base = 0
    for port, bits in fields:
        words |= beats[port.removeprefix("i__payload__")].astype(np.int64) << base
        base += bits
    return [int(word) for word in words]


def input_shape(design: Design) -> StreamShape:
    plan: Any = design.plan
    return StreamShape(plan.input.map, plan.input.time)


def results_of(lines: list[str], fields: list[tuple[str, int]], samples: int, classes: int) -> Results:
    """What Icarus printed, beat by beat."""
    if len(lines) != samples * classes or any(set(line) - {"0", "1"} for line in lines):
        return Results(None, None)
    values: dict[str, np.ndarray] = {}
    base = 0
    for port, bits in fields:
        stop = len(lines[0]) - base
        values[port] = np.array([int(line[stop - bits : stop], 2) for line in lines]).reshape(
            samples, classes
        )
        base += bits
        if port.endswith("logit"):
            values[port] -= (values[port] >> (bits - 1)) << bits
    assert (values["o__payload__index"] == np.arange(classes)).all()
    return Results(values["o__payload__logit"], values["o__payload__winner"][:, -1])


def is_golden(results: Results, digits: tuple[Design, np.ndarray]) -> bool:
    design, x = digits
    golden = design.golden(x)
    if results.logits is None:
        return False
    return bool((results.logits == golden.logits).all() and (results.winners == golden.classes).all())


def test_gates_compute_the_network(gates: Path, digits: tuple[Design, np.ndarray]) -> None:
    assert is_golden(simulate(gates, digits, pause=80), digits)
