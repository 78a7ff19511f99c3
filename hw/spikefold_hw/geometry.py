"""Sizes of the memories a design is built from."""

from amaranth.hdl import Shape

from spikefold.ir.profile import LayerProfile, Profile
from spikefold.ir.words import parameter_fields, weight_lanes
from spikefold_hw.digits import PendingDigits
from spikefold_hw.neuron import state_bits
from spikefold_hw.streams import index_bits


def memory_sizes(profile: Profile) -> dict[str, tuple[int, int]]:
    """`(word width, rows)` of every memory, images and buffers, by name."""
    sizes: dict[str, tuple[int, int]] = {}
    for layer in profile.layers:
        sizes |= _layer_sizes(layer, profile.steps)
    return sizes


def memory_bits(profile: Profile) -> int:
    """Bits of all memories together."""
    return sum(width * rows for width, rows in memory_sizes(profile).values())


def _layer_sizes(layer: LayerProfile, steps: int) -> dict[str, tuple[int, int]]:
    (window,) = layer.windows
    index = index_bits(window.inputs)
    entry = index + Shape.cast(PendingDigits(window.levels, window.coding)).width
    rows = window.weight_sets * layer.blocks * window.inputs
    sizes = {f"{layer.name}_event": (entry, 2 << index)}
    for k, lanes in enumerate(weight_lanes(layer)):
        sizes[f"{layer.name}_weight{k}"] = (len(lanes) * window.weight_bits, rows)
    width = sum(bits for bits, _ in parameter_fields(layer).values())
    sizes[f"{layer.name}_parameter"] = (width, layer.parameter_sets * layer.channels)
    if steps > 1:
        sizes[f"{layer.name}_state"] = (state_bits(layer, steps), layer.channels)
    return sizes
