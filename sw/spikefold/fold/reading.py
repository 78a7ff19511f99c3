"""Dense layers and convolutions that read spikes: one projection per member."""

from dataclasses import replace

from spikefold.errors import ModelError
from spikefold.fold.composition import composed_steps, overlaps
from spikefold.fold.currents import Current, Path
from spikefold.fold.folded import FoldedConv, FoldedDense, Reals
from spikefold.fold.mathematics import box, compose_kernels, fold_scale, fold_shift, spread
from spikefold.fold.parameters import is_binary, synapses
from spikefold.fold.spikes import Member, Spikes, slide
from spikefold.fold.traces import Trace
from spikefold.ir.maps import Pair
from spikefold.nn import Conv2d, Node


def read_dense(node: Node, spikes: Spikes) -> Current:
    """A dense layer over flat spikes, with the average pool before it if that waits."""
    if len(spikes.shape) != 1:
        raise ModelError(
            f"Dense layer {node.name!r} must read flat features, not shape {spikes.shape}; "
            "put spikefold.nn.Flatten before it"
        )
    weight, bias = synapses(node)
    if weight.shape[1:] != spikes.shape:
        raise ModelError(
            f"Dense layer {node.name!r} must have {spikes.shape[0]} inputs, one per neuron or feature "
            f"before it, not {weight.shape[-1]}"
        )
    bias = bias + fold_shift(weight, spikes.per_feature(spikes.shift[None])[0])
    modules, overlapping = (*spikes.modules, node.name), False
    if average := spikes.average:
        maps = weight.reshape(len(weight), *spikes.map)
        weight = spread(maps, average.window).reshape(len(weight), -1)
        overlapping = overlaps(average.window, spikes.map[1:])
    paths = []
    for member in spikes.members:
        scale = _before_average(spikes, member)
        trace = Trace(member.origins, node.module, (), _positions(spikes), overlapping)
        dense = FoldedDense(member.source, fold_scale(weight, scale), binary=is_binary(node))
        paths.append(Path(dense, trace))
    return Current((len(bias),), tuple(paths), bias, modules)


def read_conv(node: Node, spikes: Spikes, padding: Pair) -> Current:
    """A convolution over spikes, with the average pool before it if that waits.

    Parameters
    ----------
    node
        The layer.
    spikes
        What it reads.
    padding
        Its padding, or (0, 0) where the input has taken it over.
    """
    layer, what = node.module, f"Convolution {node.name!r}"
    assert isinstance(layer, Conv2d)
    window = slide(what, spikes.shape, layer.kernel_size, layer.stride, padding)
    if layer.in_channels != window.map.channels:
        raise ModelError(
            f"{what} must have {window.map.channels} input channels, as many as come, not {layer.in_channels}"
        )
    weight, bias = synapses(node)
    bias = bias + fold_shift(weight, spikes.per_channel(what, spikes.shift[None])[0], layer.groups)
    stride, modules, overlapping = layer.stride, (*spikes.modules, node.name), False
    if average := spikes.average:
        weight = compose_kernels(box(average.window.kernel), average.window.stride, weight)
        stride, padding = composed_steps(average.window, stride, padding)
        overlapping = overlaps(average.window, layer.kernel_size)
    paths = []
    for member in spikes.members:
        scaled = fold_scale(weight, spikes.per_channel(what, member.scale), layer.groups)
        trace = Trace(member.origins, layer, (), _positions(spikes), overlapping)
        conv = FoldedConv(member.source, scaled, stride, padding, layer.groups, binary=is_binary(node))
        paths.append(Path(conv, trace))
    return Current((len(bias), window.height, window.width), tuple(paths), bias, modules)


def _before_average(spikes: Spikes, member: Member) -> Reals:
    """Scale (sets, features) of a member whose pool waits, or does not."""
    if spikes.average is None:
        return spikes.per_feature(member.scale)
    return replace(spikes, map=tuple(spikes.average.window.map)).per_feature(member.scale)


def _positions(spikes: Spikes) -> int:
    return spikes.average.positions if spikes.average else 1
