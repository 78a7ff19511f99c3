"""Plans of networks with choices that are all made, or made by `choose`."""

from spikefold_hw.streaming.choose.goal import Goal
from spikefold_hw.streaming.choose.search import choose, with_stages
from spikefold_hw.streaming.config import Config
from spikefold_hw.streaming.planning import plan_of


def plain_plan(network, lanes=1, **options):
    """The plan with the same number of lanes everywhere."""
    return plan_of(network, {p.name: lanes for p in network.populations}, **options)


def layer_named(plan, name):
    """A layer of a plan."""
    (layer,) = (layer for layer in plan.layers if layer.name == name)
    return layer


def chosen(network, levels, lanes=None, units=None, order=None, **goal):
    """What `choose` takes, and the plan with it; `goal` are fields of the configuration."""
    lanes, units = lanes or {}, units or {}
    plan = plan_of(network, {p.name: 1 for p in network.populations} | lanes, order=order)
    found = choose(plan, network, levels, lanes, units, Goal(Config(**goal)))
    return found, with_stages(plan, found)
