"""Fit the LUT estimate of `spikefold_hw.streaming.choose.cost` to what yosys makes of random designs (ECP5).

    python bench/lut_model.py [--designs 16] [--cache FOLDER]

Prints every design with its LUTs, those of the fit, and those predicted for it by a fit to all others; then
the coefficients, to be copied into `LUT_COEFFICIENTS`. LUTs are those of nextpnr after packing, as
`spikefold synth` reports them. About a minute a design.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls

from spikefold.design import Design
from spikefold.flow.artefact import Artefact
from spikefold.flow.run import run
from spikefold.flow.tools import find_tool
from spikefold.ir import Add, Conv, Dense, Identity, Input, Network, Neuron, Pool, Population, ShiftSum
from spikefold.ir.projections import Projection
from spikefold.ir.stages import Stage
from spikefold_boards.fpgas import find_fpga
from spikefold_boards.place_and_route import parse_utilization
from spikefold_boards.yosys import copy_files, elaborate, map_to_device
from spikefold_hw.emit import top_name
from spikefold_hw.streaming.choose.cost import LUT_COEFFICIENTS, TOP_FEATURES
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.planning import plan_of

DEVICE = find_fpga("ecp5-85k")


class RandomDesign:
    """A stem, then a few stages of any kind, and a readout; every choice is drawn."""

    def __init__(self, seed: int):
        self._rng = np.random.default_rng(seed)
        self._steps = self._draw(1, 1, 2, 4)
        self._bits, self._levels = self._draw(1, 2, 4, 4, 8), self._draw(1, 3, 4, 15)
        self._stages: list[Stage] = []
        self.lanes: dict[str, int] = {}
        self.units: dict[str, int] = {}
        self.network = self._dense() if seed % 3 == 0 else self._convolutional()

    @property
    def plan(self) -> Plan:
        source = self._draw("binary", "naf")
        coding = {name: source for name in ("input", *self.network.by_name) if name != "readout"}
        return plan_of(self.network, self.lanes, coding, units=self.units)

    def _draw(self, *values):
        return values[self._rng.integers(len(values))]

    def _weight(self, bits: int, *shape: int):
        if bits == 1:
            return self._rng.choice([-1, 1], shape)
        return self._rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)

    def _conv(self, source: str, targets: int, sources: int, kernel: int, groups: int = 1) -> Conv:
        shape = (1, targets, sources // groups, kernel, kernel)
        return Conv(source, self._weight(self._bits, *shape), self._bits, (1, 1), (kernel // 2,) * 2, groups)

    def _spiking(self, projections: Sequence[Projection], channels: int) -> str:
        name = f"layer{len(self._stages)}"
        leak = ShiftSum(self._draw(((1, 0),), ((1, 0), (-1, 3)), ((1, 1),)))
        neuron = Neuron(self._levels, self._rng.integers(20, 200, (1, channels)), leak=leak)
        bias = self._rng.integers(-20, 20, (1, channels))
        self._stages.append(Population(name, tuple(projections), bias, self._draw(0, 3), neuron))
        self.lanes[name] = channels // self._draw(1, 2, 2, 4)
        self.units[name] = self._draw(1, 1, 1, 2)
        return name

    def _readout(self, source: str, size: int) -> None:
        classes = self._draw(4, 10)
        weight = Dense(source, self._weight(4, 1, classes, size), 4)
        self._stages.append(Population("readout", (weight,), np.zeros((1, classes), int)))
        self.lanes["readout"], self.units["readout"] = self._draw(1, 2), 1

    def _network(self, shape: tuple[int, ...], static: bool) -> Network:
        levels = self._draw(1, 16, 255)
        return Network(Input(shape, levels, static), self._steps, tuple(self._stages), "design")

    def _dense(self) -> Network:
        size = self._draw(30, 100, 400)
        shape, source = (size,), "input"
        for _ in range(self._draw(1, 2)):
            channels = self._draw(16, 32, 64)
            source = self._spiking(
                [Dense(source, self._weight(self._bits, 1, channels, size), self._bits)], channels
            )
            size = channels
        self._readout(source, size)
        return self._network(shape, bool(self._rng.integers(2)))

    def _convolutional(self) -> Network:
        edge, channels, inputs = self._draw(4, 8), self._draw(8, 16, 32), self._draw(1, 3)
        source = self._spiking([self._conv("input", channels, inputs, 3)], channels)
        for kind in self._rng.choice(
            ["conv", "residual", "double", "grouped", "max", "add"], 2, replace=False
        ):
            source = self._next(str(kind), source, channels)
        shape = (inputs, edge, edge)
        self._stages.append(Pool("pool", source, "sum", (2, 2), (2, 2)))
        self._readout("pool", channels * (edge // 2) ** 2)
        return self._network(shape, bool(self._rng.integers(2)))

    def _next(self, kind: str, source: str, channels: int) -> str:
        if kind == "max":
            self._stages.append(Pool("max", source, "max", (3, 3), (1, 1), (1, 1)))
            return "max"
        if kind == "add":
            self._stages.append(Add("sum", (source, source)))
            return "sum"
        projections: list[Projection] = [
            self._conv(source, channels, channels, 3, 4 if kind == "grouped" else 1)
        ]
        if kind == "residual":
            projections.append(Identity(source, self._weight(8, 1, channels), 8))
        if kind == "double":
            projections.append(self._conv("layer0", channels, channels, 1))
        return self._spiking(projections, channels)


def features_of(plan: Plan) -> list[float]:
    """Features of all stages and the top, in the order of the coefficients."""
    parts = [TOP_FEATURES, *(stage.features() for stage in plan.stages)]
    return [sum(part.get(name, 0.0) for part in parts) for name in LUT_COEFFICIENTS]


def packed_luts(design: Design, cache: Path) -> int:
    """LUTs of a design after packing, kept in `cache` by the content of its Verilog."""
    with tempfile.TemporaryDirectory() as folder:
        build, work = Path(folder, "build"), Path(folder, "work")
        design.write(build)
        verilog = sorted((build / "rtl").iterdir())
        key = sha256(json.dumps([file.read_text() for file in verilog]).encode()).hexdigest()[:16]
        place = cache / f"{key}.txt"
        if not place.exists():
            work.mkdir()
            artefact = Artefact(tuple(verilog), top_name(design.name), build / "mem")
            place.write_text(str(_map(artefact, work)))
    return int(place.read_text())


def _map(artefact: Artefact, work: Path) -> int:
    copy_files(artefact, work)
    yosys = find_tool("yosys")
    elaborate(yosys, artefact, work)
    map_to_device(yosys, artefact.top, None, DEVICE, work)
    pack = (*DEVICE.arguments, "--lpf-allow-unconstrained", "--json", "netlist.json", "--pack-only")
    log = run(find_tool(DEVICE.place_and_route), pack, work).output
    return parse_utilization(log)[DEVICE.resources["lut"]]["used"]


def fit(features: np.ndarray, luts: np.ndarray) -> np.ndarray:
    """Coefficients, none below 0, with the least sum of squared relative errors."""
    return nnls(features / luts[:, None], np.ones(len(luts)))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--designs", type=int, default=16, help="how many designs (16)")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "spikefold-lut-model")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    plans, luts = [], []
    for seed in range(arguments.designs):
        design = RandomDesign(seed)
        plans.append(design.plan)
        luts.append(packed_luts(Design(design.network, plans[-1]), arguments.cache))
        print(f"design {seed}: {luts[-1]} LUTs", file=sys.stderr, flush=True)
    report(plans, np.array([features_of(plan) for plan in plans]), np.array(luts, float))


def report(plans: list[Plan], features: np.ndarray, luts: np.ndarray) -> None:
    coefficients = fit(features, luts)
    fitted = features @ coefficients
    others = [np.arange(len(luts)) != k for k in range(len(luts))]
    left_out = np.array([features[k] @ fit(features[rest], luts[rest]) for k, rest in enumerate(others)])
    table = Table("design", "stages", "lanes", "T", "LUTs", "fit", "error", "left out", "error")
    for k, plan in enumerate(plans):
        row = (luts[k], fitted[k], fitted[k] / luts[k] - 1, left_out[k], left_out[k] / luts[k] - 1)
        numbers = [f"{row[0]:.0f}", f"{row[1]:.0f}", f"{row[2]:+.1%}", f"{row[3]:.0f}", f"{row[4]:+.1%}"]
        lanes = "+".join(str(layer.lanes) for layer in plan.layers)
        table.add_row(str(k), str(len(plan.stages)), lanes, str(plan.time.steps), *numbers)
    Console().print(table)
    for what, values in (("fit", fitted), ("left out", left_out)):
        errors = abs(values / luts - 1)
        print(f"{what}: mean error {errors.mean():.1%}, largest {errors.max():.1%}")
    for name, value in zip(LUT_COEFFICIENTS, coefficients, strict=True):
        print(f'    "{name}": {value:.3g},')


if __name__ == "__main__":
    main()
