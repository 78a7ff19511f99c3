"""Size and speed of whole designs on small and fast devices, and of the parts of a layer by themselves.

    python bench/parts.py [--json] [--seeds N] [--folder FOLDER]

Designs: the demo's network for 8x8 digits (trained here, about a minute) on an ECP5-25F and an iCE40 UP5K,
and the CNN for Fashion-MNIST; its data as for bench/fashion.py. Parts are those of the benchmark, and a
line buffer and a pool of the CNN, on an ECP5-85F.
"""

import argparse
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from figures import show

import spikefold
from spikefold import nn
from spikefold.demo import RECIPE
from spikefold.design import Design
from spikefold.flow.artefact import Artefact
from spikefold.flow.work import work_folder
from spikefold.train import Dataset, load_data, train
from spikefold_boards import SynthResult, synthesize
from spikefold_hw.emit import emit, top_name
from spikefold_hw.parts.lanes import AccumulateCore
from spikefold_hw.parts.neuron import NeuronUnit
from spikefold_hw.parts.readout import Readout
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.window.core import ProjectionCore
from spikefold_hw.typed import Component

HERE = Path(__file__).parent
ROM = re.compile(r'spikefold_rom_(\d+)x(\d+) #\(\s*\.FILE\("([^"]+)"\)')
DEVICE = "ecp5-85k"

TARGETS = {
    "digits_ecp5-25k_fmax_mhz": ">= 160",
    "digits_ice40-up5k_fmax_mhz": ">= 60",
    "fashion_fmax_mhz": ">= 150",
    "fashion_lut": "<= 8400",
    "fashion_cycles_interval": "<= 12500",
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def figures_of(name: str, result: SynthResult) -> dict[str, Any]:
    found = result.to_json()
    return {f"{name}_{key}": found[key] for key in ("lut", "ff", "bram", "fmax_mhz")}


def benchmark() -> Design:
    """That of bench/mnist.py."""
    data = load_data("mnist5000", seed=0)
    return spikefold.compile(
        nn.load(HERE / "mnist.safetensors"),
        name="mnist",
        weight_bits=4,
        lanes={"layer0": 32},
        calibration=data.train_x[:64],
    )


def digits_design(folder: Path) -> Design:
    """That of the demo, trained here."""
    train(RECIPE, folder / "digits.safetensors", progress=False)
    data = load_data(RECIPE.data.name, **RECIPE.data.keywords())
    return spikefold.compile(
        nn.load(folder / "digits.safetensors"), name="digits", calibration=data.train_x[:]
    )


def fashion_design(fashion: Dataset) -> Design:
    """The CNN that ships as an example."""
    return spikefold.compile(
        nn.load(HERE.parent / "examples" / "fashion.safetensors"),
        name="fashion",
        calibration=fashion.train_x[:64],
    )


def designs(folder: Path, fashion: Dataset, seeds: int) -> Iterator[tuple[str, Design, dict[str, Any]]]:
    """Name, design and figures of whole designs."""
    digits = digits_design(folder)
    for device in ("ecp5-25k", "ice40-up5k"):
        yield "digits", digits, placed(f"digits_{device}", digits, device, seeds)
    cnn = fashion_design(fashion)
    figures = {"fashion_cycles_interval": cnn.cycles(fashion.test_x[:20]).interval}
    yield "fashion", cnn, figures | placed("fashion", cnn, DEVICE, seeds)


def placed(name: str, design: Design, device: str, seeds: int) -> dict[str, Any]:
    say(f"{name} on {device}")
    return figures_of(name, design.synth(device, seeds=seeds))


def parts(mnist: Plan, fashion: Plan) -> dict[str, Callable[[], Component]]:
    """Constructors of parts by name; no contents, as these change no figure."""
    first, readout = mnist.layers
    pool = next(stage for stage in fashion.stages if not isinstance(stage, LayerShape))
    return {
        "window": partial(ProjectionCore, first.projections[0], first.map, first.time, first.blocks),
        "lanes": partial(AccumulateCore, first.lanes_shape),
        "neuron": partial(NeuronUnit, first.drain_shape),
        "readout": partial(Readout, readout.drain_shape),
        "line_window": partial(window_of, fashion.layers[1]),
        "pool": partial(pool.core, None),
    }


def window_of(layer: LayerShape) -> Component:
    """A projection with a line buffer in front."""
    return ProjectionCore(layer.projections[0], layer.map, layer.time, layer.blocks)


def part(name: str, component: Component, seeds: int) -> dict[str, Any]:
    """Figures of one part by itself."""
    say(f"part {name}")
    emission = emit(component, name)
    with work_folder() as folder:
        (folder / "mem").mkdir()
        for file, text in emission.verilog.items():
            (folder / file).write_text(text)
        images = ROM.findall("".join(emission.verilog.values()))
        for width, depth, file in images:
            write_random(folder / "mem" / file, int(width), int(depth))
        paths = tuple(folder / file for file in emission.verilog)
        artefact = Artefact(paths, top_name(name), folder / "mem" if images else None)
        return figures_of(f"part_{name}", synthesize(artefact, DEVICE, seeds=seeds))


def write_random(path: Path, width: int, depth: int) -> None:
    """An image without a pattern, of which nothing can be optimised away."""
    rng = random.Random(path.name)
    path.write_text("".join(f"{rng.getrandbits(width):x}\n" for _ in range(depth)))


def run(folder: Path, fashion: Dataset, seeds: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    plans: dict[str, Any] = {"mnist": benchmark().plan}
    for name, design, found in designs(folder, fashion, seeds):
        figures |= found
        plans[name] = design.plan
    for name, make in parts(plans["mnist"], plans["fashion"]).items():
        figures |= part(name, make(), seeds)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of place and route to try (3)")
    parser.add_argument("--folder", type=Path, help="folder of the four IDX files of Fashion-MNIST")
    arguments = parser.parse_args()
    fashion = load_data("fashion" if arguments.folder is None else f"idx:{arguments.folder}", seed=0)
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), fashion, arguments.seeds)
    show("Designs and parts", figures, TARGETS, arguments.json)


if __name__ == "__main__":
    main()
