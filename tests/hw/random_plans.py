"""Plans of random graphs with random lanes, units, codings and order of time."""

from math import gcd

from random_networks import random_graph

from spikefold.ir.coding import CODINGS
from spikefold_hw.order import ORDERS
from spikefold_hw.streaming.planning import plan_of


def random_plan(rng, **options):
    """A random graph and a plan of it; `options` as `random_graph`."""
    network = random_graph(rng, **options)
    lanes = {p.name: int(rng.integers(1, 9)) for p in network.populations}
    sources = sorted({q.source for p in network.populations for q in p.projections})
    coding = {name: str(rng.choice(CODINGS)) for name in sources}
    plan = plan_of(network, lanes, coding, str(rng.choice(ORDERS)))
    return network, plan.with_counts(lanes_of(plan), {layer.name: units(rng, layer) for layer in plan.layers})


def lanes_of(plan):
    return {layer.name: layer.lanes for layer in plan.layers}


def units(rng, layer):
    """Units that fit a layer."""
    most = gcd(layer.lanes, layer.blocks.group_channels)
    return int(rng.choice([q for q in range(1, most + 1) if most % q == 0]))
