"""A project for Vivado, for boards whose devices only it can serve."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

from spikefold.flow.artefact import MEMORY_FOLDER, Artefact
from spikefold.flow.replace import replaced_folder
from spikefold.flow.tools import find_tool
from spikefold.flow.work import work_folder
from spikefold_boards.boards.bitstream import RESULT, Host, Options
from spikefold_boards.boards.board import Board
from spikefold_boards.boards.family import CONSTRAINTS
from spikefold_boards.boards.pll import fastest
from spikefold_boards.boards.result import BitstreamResult
from spikefold_boards.boards.top import FILE, Clocked, board_top, board_verilog
from spikefold_boards.cells import resources_from_netlist
from spikefold_boards.place_and_route import compare_capacity
from spikefold_boards.synth import result_of
from spikefold_boards.yosys import copy_files, elaborate, map_to_device

SCRIPT = "project.tcl"
"""What Vivado is given: ``vivado -mode batch -source project.tcl``."""

_SCRIPT = """\
# {name} on {title} at {mhz:g} MHz: vivado -mode batch -source {script}
# It ends with an error where a path is too slow. Nobody has run it yet.
set here [file dirname [file normalize [info script]]]
create_project -force {name} $here/vivado -part {part}
add_files [glob $here/rtl/*.v]
add_files -fileset constrs_1 $here/{constraints}
set_property top {top} [current_fileset]
set_property generic "MEM_DIR=\\"$here/{memory}\\"" [current_fileset]
launch_runs impl_1 -to_step write_bitstream -jobs 2
wait_on_run impl_1
if {{[get_property PROGRESS [get_runs impl_1]] != "100%"}} {{ error "The bitstream was not made" }}
open_run impl_1
report_utilization -file $here/utilization.txt
report_timing_summary -file $here/timing.txt
set slack [get_property STATS.WNS [get_runs impl_1]]
if {{$slack < 0}} {{ error "The slowest path is $slack ns late: make the project with a lower --mhz" }}
file copy -force [glob $here/vivado/{name}.runs/impl_1/*.bit] $here/{name}.bit
"""


def write_project(
    name: str, host: Host, board: Board, output: Path, options: Options | None = None
) -> BitstreamResult:
    """Write Verilog, memory images, constraints and a script for Vivado.

    Resources are those that yosys counts; the clock is the one that was asked for, and whether it is
    met Vivado says.

    Parameters
    ----------
    name, host, board, output, options
        As for `bitstream`; the clock is the board's usual one where the options leave it open.

    Raises
    ------
    InputError, MissingToolError, ToolError
        As `bitstream`.
    """
    options, start = options or Options(), time.monotonic()
    limit = options.mhz or board.mhz
    setting = fastest(board.family.settings(board.pins.mhz), limit, board.family.middle)
    clocked = Clocked(board.family, board.pins, setting)
    yosys = find_tool("yosys")
    with host(setting.hertz) as design, work_folder() as work:
        copy_files(design, work)
        options.progress("elaborating")
        elaborated = elaborate(yosys, design, work, options.timeout)
        options.progress(f"mapping to {board.fpga.name}")
        around = board_verilog(design, clocked)
        netlist = map_to_device(yosys, design.top, around, board.fpga, work, options.timeout)
        verdict = compare_capacity(resources_from_netlist(netlist.count(), board.fpga), board.fpga)
        fits = verdict.reason is None
        found = result_of(board.fpga, elaborated, netlist, verdict, False, (yosys,))
        result = BitstreamResult(
            board=board.name,
            design=name,
            clock_mhz=round(float(setting.mhz), 6) if fits else None,
            oscillator_mhz=float(board.pins.mhz),
            rounds=0,
            file=SCRIPT if fits else None,
            synthesis=replace(found, seconds=round(time.monotonic() - start, 2)),
        )
        if fits:
            with replaced_folder(output) as new:
                _fill(new, name, design, board, clocked)
                (new / RESULT).write_text(
                    json.dumps(result.to_json(), indent=1, sort_keys=True) + "\n", "utf-8"
                )
    return result


def _fill(folder: Path, name: str, design: Artefact, board: Board, clocked: Clocked) -> None:
    for part, paths in (("rtl", design.rtl), (MEMORY_FOLDER, design.images)):
        (folder / part).mkdir()
        for path in paths:
            shutil.copyfile(path, folder / part / path.name)
    (folder / "rtl" / FILE).write_text(board_verilog(design, clocked, images=True), "utf-8")
    for file, text in board.family.constraints(board.pins).items():
        (folder / file).write_text(text, "utf-8")
    script = _SCRIPT.format(
        name=name,
        title=board.title,
        mhz=float(clocked.setting.mhz),
        script=SCRIPT,
        part=board.fpga.part,
        constraints=f"{CONSTRAINTS}.xdc",
        top=board_top(design),
        memory=MEMORY_FOLDER,
    )
    (folder / SCRIPT).write_text(script, "utf-8")
