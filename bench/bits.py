"""Few bits: integer accuracy on 360 real digits after plain and after quantization-aware training.

    python bench/bits.py [--seeds 3] [--json]

Trains examples/digits.toml (64-96-10, T x D = 1x4) once without rounding and once for each number of bits.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from spikefold import nn
from spikefold.fold import fold
from spikefold.golden import accuracy
from spikefold.quantize import quantize
from spikefold.quantize.scales import Method
from spikefold.train import Recipe, load_data, train

RECIPE = Path(__file__).parents[1] / "examples" / "digits.toml"
BITS = (2, 3, 4)


def integer_accuracy(model: nn.Sequential, bits: int, fitted: bool = False) -> float:
    """Percent of the test images that the integer network gets right.

    Weights are rounded as in training, else to the nearest or, `fitted`, to what layers compute.
    """
    data, folded, trained = load_data("digits", seed=0), fold(model), nn.rounding_of(model)
    network, _ = quantize(
        folded,
        weight_bits=bits,
        method="max" if trained is None else cast(Method, trained.method),
        samples=folded.input.encode(data.train_x[:], folded.steps) if fitted else None,
    )
    return 100 * accuracy(network, data.test_x, data.test_y)


def run(seed: int, folder: Path) -> dict[str, float]:
    recipe = Recipe.load(RECIPE)
    figures = {}
    for trained in (None, *BITS):
        training = replace(recipe.training, weight_bits=trained, seed=seed)
        result = train(replace(recipe, training=training), folder / "model", resume=False, progress=False)
        if trained is None:
            figures["float"] = 100 * result.accuracy
            figures |= {f"plain_{bits}": integer_accuracy(result.model, bits) for bits in BITS}
            figures |= {f"fitted_{bits}": integer_accuracy(result.model, bits, fitted=True) for bits in BITS}
        else:
            figures[f"aware_{trained}"] = integer_accuracy(result.model, trained)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seeds = track(range(arguments.seeds), "seeds", console=Console(stderr=True))
        runs = [run(seed, Path(folder)) for seed in seeds]
    found = {key: [figures[key] for figures in runs] for key in runs[0]}
    if arguments.json:
        print(json.dumps(found))
        return
    columns = ("plain training", "fitted", "quantization-aware")
    table = Table("", *columns, title="Integer accuracy, mean over seeds")
    for bits in BITS:
        means = [f"{np.mean(found[f'{kind}_{bits}']):.2f} %" for kind in ("plain", "fitted", "aware")]
        table.add_row(f"{bits} bits", *means)
    Console().print(table, f"float, plain training: {np.mean(found['float']):.2f} %")


if __name__ == "__main__":
    main()
