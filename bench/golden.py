"""Speed of the golden model against the float forward of the same network: `python bench/golden.py [--json]`.

Both get 1000 samples in memory and run on the same threads: the golden model levels, the float model
what its input layer made of them, so that encoding counts for neither. The ratio is golden / float:
below 1 the integer model is the faster one.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from spikefold import nn
from spikefold.fold import fold
from spikefold.golden import Golden
from spikefold.quantize import quantize

BATCH = 1000
CASES = [((128,), 1), ((128,), 4), ((512, 512), 1), ((512, 512), 4)]


def trained(hidden: tuple[int, ...], steps: int) -> torch.nn.Module:
    """A network whose batch norms and scales have seen data, so that its neurons are active."""
    torch.manual_seed(0)
    model = nn.models.mlp(784, hidden, 10, steps=steps)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm):
            module.momentum = None  # the plain mean of all batches
    with torch.no_grad():
        for _ in range(5):
            model(torch.rand(100, 784))
    return model.eval()


def milliseconds(*functions: Callable[[], object], repeats: int) -> list[float]:
    """Least time of each function; they take turns, so that other load on the machine hits all alike."""
    best = [float("inf")] * len(functions)
    for _ in range(repeats + 1):
        for k, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[k] = min(best[k], (time.perf_counter() - start) * 1e3)
    return best


def measure(hidden: tuple[int, ...], steps: int, repeats: int) -> dict[str, Any]:
    model = trained(hidden, steps)
    network, _ = quantize(fold(model))
    ready = Golden(network)
    x = torch.rand(BATCH, 784)
    levels = network.input.encode(x.numpy(), steps)

    with torch.no_grad():
        values = model[0](x).contiguous()

    def float_forward() -> torch.Tensor:
        with torch.inference_mode():
            return model[1:](values)

    golden, real = milliseconds(lambda: ready.run(levels), float_forward, repeats=repeats)
    return {
        "network": "-".join(map(str, (784, *hidden, 10))),
        "steps": steps,
        "types": sorted({str(t).removeprefix("torch.") for pair in ready.dtypes.values() for t in pair}),
        "golden_ms": round(golden, 3),
        "float_ms": round(real, 3),
        "ratio": round(golden / real, 3),
        "mean_level": round(
            float(np.mean([n.mean() for n in ready.run(levels, record=True).levels.values()])), 3
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    progress = Console(stderr=True)
    rows = [measure(*case, options.repeats) for case in track(CASES, "measuring", console=progress)]
    if options.json:
        print(json.dumps({"batch": BATCH, "threads": torch.get_num_threads(), "rows": rows}))
        return
    table = Table(*rows[0], title=f"golden model, batch {BATCH}, {torch.get_num_threads()} threads")
    for row in rows:
        table.add_row(*(", ".join(v) if isinstance(v, list) else str(v) for v in row.values()))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
