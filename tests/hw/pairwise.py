"""Few combinations that hold every pair of options: a covering array."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np


def pairwise(options: Mapping[str, Sequence], seed: int = 0, tries: int = 30) -> list[dict]:
    """Combinations so that any two values of any two options meet at least once."""
    rng = np.random.default_rng(seed)
    names = list(options)
    missing = set(_all_pairs(options))
    rows = []
    while missing:
        start = min(missing)
        best, gain = None, -1
        for _ in range(tries):
            row = {name: int(rng.integers(len(options[name]))) for name in names}
            (first, i), (second, j) = start
            row |= {names[first]: i, names[second]: j}
            covered = len(missing & set(_pairs_of(row, names)))
            if covered > gain:
                best, gain = row, covered
        missing -= set(_pairs_of(best, names))
        rows.append({name: options[name][k] for name, k in best.items()})
    return rows


def _all_pairs(options: Mapping[str, Sequence]) -> Iterator[tuple]:
    sizes = [len(values) for values in options.values()]
    for a, b in combinations(range(len(sizes)), 2):
        yield from (((a, i), (b, j)) for i in range(sizes[a]) for j in range(sizes[b]))


def _pairs_of(row: Mapping[str, int], names: Sequence[str]) -> Iterator[tuple]:
    for a, b in combinations(range(len(names)), 2):
        yield (a, row[names[a]]), (b, row[names[b]])
