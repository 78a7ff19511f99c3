"""Max pools of currents before neurons that keep a membrane, which the hardware has no exact way to do."""

from collections.abc import Mapping, Sequence

from spikefold.errors import ImportRefusal
from spikefold.nn import Node, SpikingNeuron

_KEEPS = ("max_pool", "avg_pool", "batch_norm", "dropout", "identity", "flatten")
"""Kinds of layers that give currents where they read currents."""


def check_peaks(nodes: Sequence[Node]) -> None:
    """Refuse a max pool of currents whose neuron adds them up over the time steps.

    Raises
    ------
    ImportRefusal
        Names the pool, and what to change in the model.
    """
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        neuron = node.module
        if not isinstance(neuron, SpikingNeuron) or neuron.steps == 1 or neuron.leak == 0:
            continue
        pool, before = None, by_name[node.inputs[0]]
        while before.kind in _KEEPS:
            pool = before.name if before.kind == "max_pool" else pool
            before = by_name[before.inputs[0]]
        if pool is None or _gives_spikes(before, by_name):
            continue
        raise ImportRefusal(
            pool,
            f"it takes the largest of currents, which the neurons {node.name!r} add up over {neuron.steps} "
            "time steps: the largest sum is not the sum of the largest",
            f"the pool after the neurons ({before.name!r}, {node.name!r}, {pool!r}) and some epochs of "
            "training, an average pool in its place, or a single time step",
        )


def _gives_spikes(node: Node, by_name: Mapping[str, Node]) -> bool:
    """Whether a layer gives levels: the input, a neuron, or what keeps levels or adds them."""
    if node.kind == "add" or node.kind in _KEEPS:
        return all(_gives_spikes(by_name[name], by_name) for name in node.inputs)
    return node.kind == "input" or isinstance(node.module, SpikingNeuron)
