"""A network of another framework, its input and its options; shared by the tests and bench/importers.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from spikefold.importers import OUTPUT, Comparison, Grid, Imported, import_network


@dataclass(frozen=True)
class Case:
    framework: str
    name: str
    source: Any
    grid: Grid
    options: Mapping[str, Any] = field(default_factory=dict)
    data: Any = None
    tolerance: float | None = None

    def run(self, samples: int = 32) -> tuple[Imported, Comparison]:
        return import_network(
            self.framework,
            self.source,
            self.grid,
            self.data,
            tolerance=self.tolerance,
            samples=samples,
            **self.options,
        )


def assert_same(case: Case, within: float) -> None:
    """The imported network gives the same levels and classes, and every layer shows both 0 and more."""
    imported, comparison = case.run()
    assert comparison.levels_differ == comparison.classes_differ == 0
    assert len(comparison.layers) == len(imported.taps)
    for layer in comparison.layers:
        assert layer.difference < within
        assert 0 < layer.active < 1 or layer.source == OUTPUT, layer


def liven(net: torch.nn.Module, run, seed: int = 0) -> torch.nn.Module:
    """Give batch norms statistics of what they see and gains of both signs, so that every layer fires."""
    torch.manual_seed(seed)
    norms = [m for m in net.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 0.5
        torch.nn.init.uniform_(norm.weight, 0.7, 1.8)
        torch.nn.init.uniform_(norm.bias, -0.2, 0.8)
    net.train()
    with torch.no_grad():
        for _ in range(6 if norms else 0):
            run(net)
    return net.eval()
