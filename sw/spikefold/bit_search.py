"""Weight bits of every layer, as few as lose no more accuracy than is allowed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.fold import FoldedIdentity, FoldedNetwork
from spikefold.golden import run
from spikefold.ir import Network
from spikefold.ir.neuron import Integers

FEWEST, MOST = 2, 8
Bits = dict[str, int]


@dataclass(frozen=True)
class Demand:
    """What is asked of the bits.

    Attributes
    ----------
    build
        The integer network with these bits by layer.
    score
        Percent of samples that a network gets right.
    exact
        The same of the float network.
    max_loss
        Points that may be lost.
    budget
        Most bits that all weights together may take; None for any.
    """

    build: Callable[[Mapping[str, int]], Network]
    score: Callable[[Network], float]
    exact: float
    max_loss: float
    budget: int | None = None


def choose_bits(folded: FoldedNetwork, levels: Integers, demand: Demand) -> Bits:
    """The fewest weight bits, 2..8 by layer, with which the network loses no more than it may.

    Each layer alone at each number of bits, all others at 8, tells how far the logits move. From 8 bits
    everywhere bits are taken away one by one, always where the logits move least for the weight bits saved.
    Of these choices the last one that keeps the accuracy is taken, found by halving: whole networks are
    measured, so what layers lose together counts. Where even 8 bits lose more, these are taken.

    Parameters
    ----------
    levels
        Input levels that logits are compared on.

    Raises
    ------
    InputError
        If the budget is too small for what may be lost.
    """
    sizes = weights_of(folded)
    path = _path(sizes, _distances(folded, levels, demand))
    kept = [path[0]]

    def keeps(bits: Bits) -> bool:
        return demand.exact - demand.score(demand.build(bits)) <= demand.max_loss + 1e-9

    low, high = 0, len(path)
    while high - low > 1:
        middle = (low + high) // 2
        if keeps(path[middle]):
            low = middle
            kept.append(path[middle])
        else:
            high = middle
    _check_budget(kept[-1], sizes, path, demand)
    return kept[-1]


def weights_of(folded: FoldedNetwork) -> dict[str, int]:
    """Weights of every layer by name, those of shortcuts left out."""
    return {
        p.name: sum(q.weight.numel() for q in p.projections if not isinstance(q, FoldedIdentity))
        for p in folded.populations
    }


def _distances(folded: FoldedNetwork, levels: Integers, demand: Demand) -> dict[str, dict[int, float]]:
    """Mean square by which the logits move, by layer and by its bits, all other layers at 8."""
    names = [population.name for population in folded.populations]
    exact = demand.build(dict.fromkeys(names, MOST))
    wanted = _logits(exact, levels)
    found: dict[str, dict[int, float]] = {name: {MOST: 0.0} for name in names}
    for bits in range(FEWEST, MOST):
        rounded = demand.build(dict.fromkeys(names, bits)).by_name
        for name in names:
            stages = tuple(rounded[name] if stage.name == name else stage for stage in exact.stages)
            moved = _logits(replace(exact, stages=stages), levels) - wanted
            found[name][bits] = float((moved**2).mean())
    return found


def _logits(network: Network, levels: Integers) -> NDArray[np.float64]:
    """Real logits, about their mean: what all classes have in common decides nothing."""
    assert network.readout.scale is not None
    logits = run(network, levels).logits * network.readout.scale
    centred: NDArray[np.float64] = logits - logits.mean(1, keepdims=True)
    return centred


def _path(sizes: Mapping[str, int], distances: Mapping[str, Mapping[int, float]]) -> list[Bits]:
    """From 8 bits everywhere to 2, a bit of one layer at a time."""
    bits = dict.fromkeys(sizes, MOST)
    path = [dict(bits)]
    while any(most > FEWEST for most in bits.values()):

        def price(name: str) -> float:
            own = distances[name]
            return (own[bits[name] - 1] - own[bits[name]]) / sizes[name]

        cheapest = min((name for name, most in bits.items() if most > FEWEST), key=price)
        bits[cheapest] -= 1
        path.append(dict(bits))
    return path


def _check_budget(bits: Bits, sizes: Mapping[str, int], path: list[Bits], demand: Demand) -> None:
    def total(chosen: Bits) -> int:
        return sum(sizes[name] * most for name, most in chosen.items())

    if demand.budget is None or total(bits) <= demand.budget:
        return
    fitting = [chosen for chosen in path if total(chosen) <= demand.budget]
    if not fitting:
        raise InputError(
            f"Weight budget must be at least {total(path[-1])} bits, {FEWEST} for each weight, "
            f"not {demand.budget}"
        )
    lost = demand.exact - demand.score(demand.build(fitting[0]))
    raise InputError(
        f"Weight budget must be at least {total(bits)} bits to lose at most {demand.max_loss:g} points, not "
        f"{demand.budget}, with which {lost:.2f} are lost; give more bits, or a larger max loss"
    )
