"""The end of a NIR graph: what its Output reads becomes a mean over time."""

import math
from dataclasses import replace
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray

from spikefold.errors import ImportRefusal
from spikefold.importers.imported import OUTPUT, Note
from spikefold.importers.nir.builder import Builder
from spikefold.importers.nir.graph import FlatGraph
from spikefold.importers.nir.neurons import difference
from spikefold.importers.nir.options import Options
from spikefold.importers.nir.parameters import one
from spikefold.nn import LIF, PIT, Dense, Flatten, Readout


def add_readout(builder: Builder, graph: FlatGraph, options: Options) -> None:
    """Add the layers from what the Output reads to the readout.

    Currents and spikes are averaged over time. An I or LI is read as the options say: its membrane is a sum
    of its currents, each with a weight of its time step.

    Raises
    ------
    ImportRefusal
        If the result is no vector, or weights of time steps have nowhere to go.
    """
    names = graph.reads[graph.exit]
    node = graph.nodes.get(names[0])
    if len(names) == 1 and isinstance(node, nir.I | nir.LI):
        (name,) = names
        source = _integrated(builder, name, node, builder.summed(name, graph.reads[name]), options)
    else:
        source = builder.summed(graph.exit, names)
    shape = builder.shapes[source]
    if math.prod(shape[1:]) != 1 or math.prod(graph.result) != shape[0]:
        raise ImportRefusal(
            graph.exit, f"it gets values of shape {list(shape)}", "one value for each class: a vector of them"
        )
    if len(shape) > 1:
        source = builder.append(f"{graph.exit}_flat", Flatten(), [source], shape[:1])
    builder.taps[builder.append("readout", Readout(), [source], shape[:1])] = OUTPUT


def step_weights(leak: float, steps: int, readout: str) -> NDArray[np.float64]:
    """What the current of each step counts for in `T` times the value that is read, for a gain of 1."""
    left = np.arange(steps, 0, -1, dtype=np.float64)  # steps to the end, this one among them
    if readout == "last":
        return np.asarray(steps * leak ** (left - 1), np.float64)
    return left if leak == 1 else np.asarray((1 - leak**left) / (1 - leak), np.float64)


def _integrated(builder: Builder, name: str, node: Any, source: str, options: Options) -> str:
    """The layer whose mean over time is what is read of an integrator."""
    shape = builder.shapes[source]
    motion = difference(name, node, builder.native(shape), options)
    readout = options.readout_of(name) if builder.steps > 1 else "last"
    leak = one(name, "leak", motion.leak) if builder.steps > 1 else float(motion.leak[0])
    weights = step_weights(leak, builder.steps, readout)
    if (weights == weights[0]).all():
        return builder.scaled(name, source, motion.gain * weights[0])
    _relay(builder, name, source, weights)
    return builder.scaled(name, source, motion.gain)


def _relay(builder: Builder, name: str, source: str, weights: NDArray[np.float64]) -> None:
    """Put weights of time steps before the dense layer `source`.

    Its spikes go through a population that emits each of them as it came, worth the step's weight.
    """
    dense = builder.node(source)
    layer, read = dense.module, dense.inputs[0] if dense.inputs else ""
    if not isinstance(layer, Dense) or not _binary(builder, read) or not builder.alone(source):
        raise ImportRefusal(
            name,
            "its leak weighs the steps differently, and its currents do not all come from one Linear or "
            "Affine that reads spikes of 0 and 1",
            "a Linear or Affine between the last neurons and it; an I, or a single time step",
        )
    largest = float(weights.max())
    relay = PIT(
        layer.in_features,
        1,
        builder.steps,
        leak=0.0,
        reset="none",
        per_channel=False,
        learn="none",
        init=1.0,
    ).double()
    with torch.no_grad():
        relay.log_scale.copy_(torch.from_numpy(weights / largest).log()[:, None])
        layer.weight.mul_(largest)
        if layer.bias is not None:
            layer.bias.mul_(float(weights.mean()))
    added = builder.append(f"{name}_steps", relay, [read], builder.shapes[read])
    place = builder.nodes.index(dense)
    builder.nodes.insert(place, builder.nodes.pop())
    builder.nodes[place + 1] = replace(dense, inputs=(added,))
    builder.notes.append(
        Note(name, "its leak became a weight for each time step, which a population of relays carries")
    )


def _binary(builder: Builder, layer: str) -> bool:
    """Whether a layer gives spikes of 0 and 1, flattened or not."""
    node = builder.node(layer)
    if isinstance(node.module, Flatten):
        return _binary(builder, node.inputs[0])
    return isinstance(node.module, LIF)
