"""Dense layers and convolutions that read spikes: one projection per member."""

from dataclasses import replace
from typing import cast

from spikefold.errors import ModelError
from spikefold.fold.composition import composed_steps, overlaps
from spikefold.fold.currents import Current, Path
from spikefold.fold.folded import FoldedConv, FoldedDense, FoldedProjection, Reals
from spikefold.fold.mathematics import box, compose_kernels, fold_scale, fold_shift, spread
from spikefold.fold.parameters import SynapseLayer, geometry, is_binary, synapses
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
    weight, bias = synapses(node, spikes.shift.device)
    if weight.shape[1:] != spikes.shape:
        raise ModelError(
            f"Dense layer {node.name!r} must have {spikes.shape[0]} inputs, one per neuron or feature "
            f"before it, not {weight.shape[-1]}"
        )
    silence = _unless_zero(spikes.per_feature(spikes.shift[None])[0])
    if silence is not None:
        bias = bias + fold_shift(weight, silence)
    overlapping = False
    if average := spikes.average:
        maps = weight.reshape(len(weight), *spikes.map)
        weight = spread(maps, average.window).reshape(len(weight), -1)
        overlapping = overlaps(average.window, cast(Pair, spikes.map[1:]))
    paths = []
    for k, member in enumerate(spikes.members):
        scaled = fold_scale(weight, _before_average(spikes, member))
        dense = FoldedDense(member.source, scaled, binary=is_binary(node))
        columns = spikes.per_feature(member.scale)
        paths.append(_path(node, spikes, k, dense, columns, silence, overlapping))
    return Current((len(bias),), tuple(paths), bias, (*spikes.modules, node.name))


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
    layer, what = cast(Conv2d, node.module), f"Convolution {node.name!r}"
    kernel, stride, _ = geometry(layer)
    window = slide(what, spikes.shape, kernel, stride, padding)
    if layer.in_channels != window.map.channels:
        raise ModelError(
            f"{what} must have {window.map.channels} input channels, as many as come, not {layer.in_channels}"
        )
    weight, bias = synapses(node, spikes.shift.device)
    silence = _unless_zero(spikes.per_channel(what, spikes.shift[None])[0])
    if silence is not None:
        bias = bias + fold_shift(weight, silence, layer.groups)
    overlapping = False
    if average := spikes.average:
        pool = average.window
        weight = compose_kernels(box(pool.kernel, weight), pool.stride, weight)
        stride, padding = composed_steps(pool, stride, padding)
        overlapping = overlaps(pool, kernel)
    paths = []
    for k, member in enumerate(spikes.members):
        columns = spikes.per_channel(what, member.scale)
        scaled = fold_scale(weight, columns, layer.groups)
        conv = FoldedConv(member.source, scaled, stride, padding, layer.groups, binary=is_binary(node))
        paths.append(_path(node, spikes, k, conv, columns, silence, overlapping))
    shape = (len(bias), window.height, window.width)
    return Current(shape, tuple(paths), bias, (*spikes.modules, node.name))


def _path(
    node: Node,
    spikes: Spikes,
    k: int,
    projection: FoldedProjection,
    columns: Reals,
    silence: Reals | None,
    overlapping: bool,
) -> Path:
    """The synapses from the `k`-th member, and what they are made of."""
    positions = spikes.average.positions if spikes.average else 1
    rows = columns.new_full((projection.weight.shape[1],), 1 / positions)
    trace = Trace(
        (node.name, node.inputs[0]),
        spikes.members[k].origins,
        columns,
        rows,
        cast(SynapseLayer, node.module),
        silence if k == 0 else None,
        spikes.average.window if spikes.average else None,
        overlapping,
    )
    return Path(projection, trace)


def _unless_zero(values: Reals) -> Reals | None:
    return values if bool(values.any()) else None


def _before_average(spikes: Spikes, member: Member) -> Reals:
    """Scale (sets, features) of a member whose pool waits, or does not."""
    if spikes.average is None:
        return spikes.per_feature(member.scale)
    return replace(spikes, map=tuple(spikes.average.window.map)).per_feature(member.scale)
