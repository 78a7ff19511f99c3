"""From a design with a serial host to a board's bitstream."""

import json
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from pathlib import Path

from spikefold.errors import InputError, ToolError
from spikefold.flow.artefact import Artefact
from spikefold.flow.cache import Cache, key_of
from spikefold.flow.replace import replaced_folder
from spikefold.flow.run import TIMEOUT, run
from spikefold.flow.tools import Tool, find_tool
from spikefold.flow.upkeep import STAMP
from spikefold.flow.work import work_folder
from spikefold_boards.boards.board import Board
from spikefold_boards.boards.family import OpenFamily
from spikefold_boards.boards.pll import Setting, fastest
from spikefold_boards.boards.result import BitstreamResult
from spikefold_boards.boards.top import FILE, Clocked, board_verilog
from spikefold_boards.netlist import Netlist
from spikefold_boards.passes import MAPPED
from spikefold_boards.patch.memories import Memories
from spikefold_boards.patch.record import Made, Record
from spikefold_boards.place_and_route import Placement, place_and_route
from spikefold_boards.result import SynthResult
from spikefold_boards.synth import check_seeds, ingredients, result_of
from spikefold_boards.yosys import Elaborated, copy_files, elaborate, map_to_device

_logger = logging.getLogger(__name__)
_FLOW_VERSION = "1"  # part of the cache key: raise it with any change that can change a result
RESULT = "bitstream.json"
"""What was found, in the output folder."""

MARGIN = 0.06
"""How far below the achieved frequency a clock is chosen, as a share of it."""

SPARE = 0.02
"""How far below it the clock must be in the end, when the design was placed anew at that clock."""

_WORTH = 1.1
"""A design is placed anew for a faster clock only if that is so much faster."""

_ROUNDS = 3

Host = Callable[[int], AbstractContextManager[Artefact]]
"""A design with its serial host for a clock of so many Hz, as files for the length of a block."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How a bitstream is made.

    Attributes
    ----------
    mhz
        The highest frequency that the clock may have, which then is placed once; None to find the fastest.
    seed, seeds
        First seed of place and route, and how many to try from there on.
    timeout
        Seconds that a run of a tool may take; None for no limit.
    progress
        Called with a short text as each step starts.

    Raises
    ------
    InputError
        A number out of range.
    """

    mhz: float | None = None
    seed: int = 1
    seeds: int = 1
    timeout: float | None = TIMEOUT
    progress: Progress = _logger.info

    def __post_init__(self) -> None:
        check_seeds(self.seed, self.seeds)
        if self.mhz is not None and not self.mhz > 0:
            raise InputError(f"Clock frequency must be a positive number of MHz, not {self.mhz!r}")
        if self.timeout is not None and not self.timeout > 0:
            raise InputError(f"Limit of time must be a positive number of seconds, not {self.timeout!r}")


def bitstream(
    name: str,
    host: Host,
    board: Board,
    output: Path,
    options: Options | None = None,
    *,
    baud: int,
    cache: Path | None = None,
    use_cache: bool = True,
) -> BitstreamResult:
    """Make the bitstream of a design for a board.

    The design is placed at a first clock; if this is not met with `SPARE`, or one much faster would be, the
    next is the fastest that stays `MARGIN` below what was achieved, and the design is placed anew.

    Parameters
    ----------
    name
        Of the design, and of the bitstream's file.
    host
        Makes the design with its host; the inputs `rx`, clock and reset, the output `tx`.
    board
        From `BOARDS`.
    output
        The folder that is written: the bitstream, the placed design, the mapped netlist, the board's
        Verilog, the constraints, `RESULT`, and the record with which `patch` finds the memories. It is
        replaced in one step; nothing is written where the design does not fit.
    baud
        Of the host, for the record.
    cache, use_cache
        As for `synthesize`.

    Raises
    ------
    InputError
        An option out of range, a clock that the PLL cannot make, or a board that only its vendor's
        tool can serve.
    MissingToolError
        amaranth-boards, yosys, nextpnr or the packer is not installed.
    ToolError
        One of them failed, or no clock was met.
    """
    if not isinstance(board.family, OpenFamily):
        raise InputError(f"Board must be one that open tools serve, not {board.name!r}: write its project")
    flow = _Flow(name, host, board, board.family, options or Options(), baud)
    results = Cache("bitstreams", cache)
    with work_folder() as folder:
        key = flow.key()
        found = results.find(key) if use_cache else None
        if found is not None:
            result = BitstreamResult.from_json(json.loads((found / RESULT).read_text("utf-8"))).from_cache()
        else:
            found = folder / "made"
            found.mkdir()
            result = flow.run(folder, found)
            if use_cache:
                made = found
                results.keep(key, lambda entry: _copy(made, entry))
        if result.file is not None:
            with replaced_folder(output) as new:
                _copy(found, new)
    return result


@dataclass(frozen=True)
class _Round:
    """One placement at one clock."""

    setting: Setting
    elaborated: Elaborated
    netlist: Netlist
    placement: Placement
    folder: Path
    memories: Memories

    @property
    def met(self) -> bool:
        """Whether the clock is met with something to spare."""
        achieved = self.placement.fmax_mhz
        return achieved is None or float(self.setting.mhz) <= achieved * (1 - SPARE)


@dataclass(frozen=True)
class _Flow:
    """One design, one board, and the steps to a bitstream."""

    name: str
    host: Host
    board: Board
    family: OpenFamily
    options: Options
    baud: int

    @property
    def tools(self) -> list[Tool]:
        names = ("yosys", self.board.fpga.place_and_route, self.family.packer)
        return [find_tool(name) for name in names if name is not None]

    def setting(self, limit: float) -> Setting:
        return fastest(self.family.settings(self.board.pins.mhz), limit, self.family.middle)

    @property
    def first(self) -> Setting:
        return self.setting(self.options.mhz or self.board.mhz)

    def key(self) -> str:
        """Of everything a result depends on; the design at its first clock stands for it at any."""
        clocked = Clocked(self.family, self.board.pins, self.first)
        kinds = (BitstreamResult, SynthResult)
        with self.host(self.first.hertz) as artefact:
            return key_of(
                {
                    **ingredients(artefact, self.tools),
                    "bitstream": f"{_FLOW_VERSION} {MARGIN} {SPARE} {self.name} {self.options.mhz}",
                    "result": " ".join(field.name for kind in kinds for field in fields(kind)),
                    "seeds": f"{self.options.seed} {self.options.seeds}",
                    "board": f"{self.board.name} {self.board.fpga.arguments} {self.board.mhz}",
                    "around": board_verilog(artefact, clocked),
                    "packing": " ".join(self.family.packing("", "")),
                    **self.family.constraints(self.board.pins),
                }
            )

    def run(self, folder: Path, made: Path) -> BitstreamResult:
        """Place at as many clocks as it takes, and fill the folder ``made``."""
        start = time.monotonic()
        setting, rounds, record = self.first, 0, None
        while True:
            rounds += 1
            one = self._place(setting, folder / f"round{rounds}")
            if one.placement.reason is not None:
                break
            best = self._best(one.placement)
            fixed = self.options.mhz is not None or rounds == _ROUNDS
            if one.met and (fixed or rounds > 1 or best.mhz <= setting.mhz * _WORTH):
                record = self._pack(one, made)
                break
            if fixed:
                raise ToolError(self._missed(one, best))
            setting = best
        result = self._result(one, rounds, round(time.monotonic() - start, 2))
        (made / RESULT).write_text(json.dumps(result.to_json(), indent=1, sort_keys=True) + "\n", "utf-8")
        if record is not None:
            record.write(made)
        return result

    def _best(self, placement: Placement) -> Setting:
        """The clock that an achieved frequency allows."""
        achieved = placement.fmax_mhz or float(self.first.mhz)
        return self.setting(achieved * (1 - MARGIN))

    def _missed(self, one: _Round, best: Setting) -> str:
        return (
            f"Clock of {float(one.setting.mhz):.2f} MHz must be met with {SPARE:.0%} to spare on "
            f"{self.board.name}, but place and route achieved {one.placement.fmax_mhz} MHz; try more seeds, "
            f"or a clock of at most {float(best.mhz):.2f} MHz"
        )

    def _place(self, setting: Setting, work: Path) -> _Round:
        work.mkdir()
        mhz, options, fpga = float(setting.mhz), self.options, self.board.fpga
        yosys, nextpnr, _ = self.tools
        with self.host(setting.hertz) as design:
            copy_files(design, work)
            around = board_verilog(design, Clocked(self.family, self.board.pins, setting))
            (work / FILE).write_text(around, "utf-8")
            options.progress(f"elaborating at {mhz:.2f} MHz")
            elaborated = elaborate(yosys, design, work, options.timeout)
            options.progress(f"mapping to {fpga.name}")
            netlist = map_to_device(yosys, design.top, around, fpga, work, options.timeout)
            memories = Memories.marked(netlist, fpga.family, design, work)
        for file, text in self.family.constraints(self.board.pins).items():
            (work / file).write_text(text, "utf-8")
        options.progress(f"placing and routing on {self.board.name} at {mhz:.2f} MHz")
        seeds = check_seeds(options.seed, options.seeds)
        placement = place_and_route(nextpnr, fpga, seeds, work, mhz, options.timeout, self._on_board)
        return _Round(setting, elaborated, netlist, placement, work, memories)

    def _on_board(self, seed: int) -> tuple[str, ...]:
        return self.family.placing(self._placed(seed))

    def _placed(self, seed: int) -> str:
        return f"placed{seed}{self.family.placed}"

    def _pack(self, one: _Round, made: Path) -> Record | None:
        """Fill the folder ``made`` with everything but the result and the record."""
        self.options.progress("packing")
        placed, packed = f"{self.name}{self.family.placed}", f"{self.name}{self.family.packed}"
        shutil.copyfile(one.folder / self._placed(one.placement.seed or 0), made / placed)
        for file in (MAPPED, FILE, *self.family.constraints(self.board.pins)):
            shutil.copyfile(one.folder / file, made / file)
        how = Made(self.board.name, one.setting.hertz, self.baud, placed, packed)
        record = one.memories.fill(made, how)
        pack(self.family, made, placed, packed, self.options.timeout)
        return record

    def _result(self, one: _Round, rounds: int, seconds: float) -> BitstreamResult:
        fits = one.placement.reason is None
        fpga = self.board.fpga
        found = result_of(fpga, one.elaborated, one.netlist, one.placement, False, self.tools)
        return BitstreamResult(
            board=self.board.name,
            design=self.name,
            clock_mhz=round(float(one.setting.mhz), 6) if fits else None,
            oscillator_mhz=float(self.board.pins.mhz),
            rounds=rounds,
            file=f"{self.name}{self.family.packed}" if fits else None,
            synthesis=replace(found, seconds=seconds),
        )


def pack(family: OpenFamily, folder: Path, placed: str, packed: str, timeout: float | None = TIMEOUT) -> None:
    """Make the bitstream ``packed`` of the placed design ``placed``, both in ``folder``.

    Raises
    ------
    MissingToolError, ToolError
        The packer is not installed, or failed.
    """
    run(find_tool(family.packer), family.packing(placed, packed), folder, timeout=timeout)


def _copy(source: Path, target: Path) -> None:
    for path in source.iterdir():
        if path.name != STAMP:  # the cache's own
            shutil.copyfile(path, target / path.name)
