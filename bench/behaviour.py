"""SHA-256 of the Verilog and the memory images of known designs: what a change of structure must not change.

    python bench/behaviour.py record FILE [--model NAME=FILE.safetensors ..] [--only NAME ..]
    python bench/behaviour.py check FILE [..]

`check` names every design that differs from the record and ends with 1. `--model` adds trained models.
The Fashion networks are calibrated on random levels, so that no data set is needed.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import resnet18

import spikefold
from spikefold import nn
from spikefold.design import Design

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "tests" / "sim"), str(ROOT / "tests" / "sw")]

from random_designs import random_graph_design  # noqa: E402 - from the tests' folders

GRAPHS = range(20)


def compiled(file: Path, name: str, **options: object) -> Design:
    return spikefold.compile(nn.load(file), name=name, **options)


def large() -> Design:
    x = np.random.default_rng(0).random((2, *resnet18.SHAPE), np.float32)
    lanes = {f"layer{k}": resnet18.LANES for k in range(17)} | {"layer0": resnet18.FIRST_LANES}
    return spikefold.compile(resnet18.model(), name="resnet18", weight_bits=4, lanes=lanes, calibration=x[1:])


def designs(models: dict[str, Path]) -> dict[str, Callable[[], Design]]:
    found: dict[str, Callable[[], Design]] = {
        "mnist": lambda: compiled(ROOT / "bench/mnist.safetensors", "mnist", lanes={"layer0": 32}),
        "mnist_loaded": lambda: compiled(ROOT / "bench/mnist.safetensors", "mnist", weights="loaded"),
        "fashion": lambda: compiled(ROOT / "examples/fashion.safetensors", "fashion"),
        "fashion_residual": lambda: compiled(
            ROOT / "examples/fashion_residual.safetensors", "fashion_residual"
        ),
        "resnet18": large,
    }
    found |= {name: lambda f=file, n=name: compiled(f, n) for name, file in models.items()}
    return found | {f"graph{seed}": lambda seed=seed: random_graph_design(seed)[0] for seed in GRAPHS}


def digests(design: Design) -> dict[str, str]:
    """Digest of the Verilog, and of the images."""
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build"
        design.write(build)
        found = {}
        for kind in ("rtl", "mem"):
            digest = hashlib.sha256()
            for file in sorted((build / kind).iterdir()):
                digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
            found[kind] = digest.hexdigest()
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("action", choices=("record", "check"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--only", action="append", metavar="NAME")
    arguments = parser.parse_args()
    models = {name: Path(file) for name, _, file in (text.partition("=") for text in arguments.model)}
    known = json.loads(arguments.file.read_text()) if arguments.action == "check" else {}
    found, wrong = {}, 0
    for name, make in designs(models).items():
        if arguments.only and name not in arguments.only:
            continue
        found[name] = digests(make())
        verdict = "" if arguments.action == "record" else "same" if found[name] == known[name] else "DIFFERS"
        wrong += verdict == "DIFFERS"
        print(f"{name:20} {verdict}", flush=True)
    if arguments.action == "record":
        arguments.file.write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
