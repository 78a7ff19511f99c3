"""What a layer costs: its buffers, what its LUTs grow with, its latencies and its longest cell."""

from spikefold.ir.coding import digits_of
from spikefold_hw.parts.lanes import accumulate_latency
from spikefold_hw.parts.leak import leak_adders
from spikefold_hw.parts.neuron import state_bits
from spikefold_hw.streaming.drain.clock import unit_latency
from spikefold_hw.streaming.drain.repeater import CurrentRepeater, repeat_rows
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.stage import Features, Sizes
from spikefold_hw.streaming.window.core import projection_latency
from spikefold_hw.streaming.window.cost import line_memories, ring_bits, walk_cycles
from spikefold_hw.streaming.window.shape import ProjectionShape
from spikefold_hw.streaming.window.slots import StoredEvent, event_rows

_DEEPEST_ROM = 1 << 14


def layer_memories(layer: LayerShape) -> Sizes:
    """`(word width, rows)` of a layer's memories but the images."""
    found: Sizes = {}
    for k, buffer in enumerate(layer.buffers):
        found |= buffer.memories(f"{layer.name}_skip{k}", layer.channels, layer.units)
    for port, projection in enumerate(layer.projections):
        found |= line_memories(f"{layer.name}_window{port}", projection.window)
        weights = projection.weights
        found[f"{layer.name}_window{port}_event"] = StoredEvent(weights).size, event_rows(weights)
    if layer.repeats > 1:
        found[f"{layer.name}_currents"] = layer.units * layer.widths.accumulator, repeat_rows(layer.blocks)
    if layer.time.steps > 1:
        drain = layer.drain_shape
        found[f"{layer.name}_state"] = layer.units * state_bits(drain), drain.state_rows
    return found


def layer_features(layer: LayerShape) -> Features:
    """Bits of adders, choices and addresses."""
    rings = sum(map(ring_bits, layer.windows))
    return {"stages": 1, "line_buffers": rings} | _lanes(layer) | {"neurons": _neurons(layer)}


def longest_cell(layer: LayerShape) -> int:
    """Upper bound of the cycles of a position and time step: all sources at their costliest level.

    Windows are gathered, skips come and events leave one by one, and everything passes all datapaths once. Of
    every block the digits of all windows are issued, with a flush each, and then its sums leave the lanes.
    """
    digits = sum(projection.window.inputs * _most_digits(projection) + 1 for projection in layer.projections)
    block = digits + accumulate_latency(layer.lanes_shape) + layer.lanes
    repeater = CurrentRepeater.latency if layer.repeats > 1 else 0
    passing = sum(layer_latencies(layer).values()) + repeater
    walks = sum(map(walk_cycles, layer.windows))
    return passing + walks + 2 * layer.channels + layer.blocks.count * block


def layer_latencies(layer: LayerShape) -> dict[str, int]:
    """Cycles of each of its datapaths by name."""
    return {
        "window": max(map(projection_latency, layer.projections)),
        "accumulate": accumulate_latency(layer.lanes_shape),
        "readout" if layer.neuron is None else "neuron": unit_latency(layer.drain_shape),
    }


def _most_digits(projection: ProjectionShape) -> int:
    levels = range(1, projection.window.levels + 1)
    return max(len(digits_of(level, projection.coding)) for level in levels)


def _lanes(layer: LayerShape) -> Features:
    """Bits of accumulators, of the choices behind and before them, and of the shifters."""
    operand, chosen, lanes = 0, 0, layer.lanes_shape
    for port, weights in enumerate(lanes.weights):
        shifts = weights.shifts - 1
        operand = max(operand, (weights.bits + shifts) * (shifts + (weights.coding == "naf")))
        # A second window's weights, and rows beyond what one block RAM holds.
        memories = -(-lanes.rows(port) // _DEEPEST_ROM)
        chosen += weights.bits * (memories - (port == 0))
    sums = (2 * layer.lanes - layer.units) * lanes.bits
    return {"lanes": sums + layer.lanes * chosen, "shifters": layer.lanes * operand}


def _neurons(layer: LayerShape) -> int:
    """Bits of the adders of all neuron units, those of skipped levels included."""
    neuron, adders = layer.neuron, 1
    if neuron is not None:
        factor = neuron.factor.terms if neuron.factor is not None else ()
        several = layer.time.steps > 1
        adders += len(neuron.ladder) + several * (leak_adders(neuron.leak) + len(factor))
    skipped = sum(buffer.levels.bit_length() for buffer in layer.buffers)
    return layer.units * (adders * layer.widths.potential + skipped * layer.widths.sum)
