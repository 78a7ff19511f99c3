"""The input layer: levels, what they are worth, and the frame that stands for zero-padding."""

from dataclasses import replace
from typing import cast

import torch

from spikefold import ir
from spikefold.errors import ModelError
from spikefold.fold.folded import Reals
from spikefold.fold.parameters import check_finite, reals
from spikefold.fold.spikes import Member, Spikes
from spikefold.fold.traces import Origin
from spikefold.ir.maps import Pair
from spikefold.ir.stages import INPUT
from spikefold.nn import Input, Node

_WHOLE = 1e-9


def read_input(node: Node, device: torch.device) -> tuple[ir.Input, Spikes]:
    """The encoding of a model's input layer, and the values it emits."""
    layer = cast(Input, node.module)
    encoding = ir.Input(
        layer.shape, layer.levels, layer.static, layer.minimum, layer.maximum, layer.pad, layer.pad_levels
    )
    axes = len(layer.out_shape)
    scale, shift = (_axes(reals(values, device), axes) for values in (layer.scale, layer.shift))
    check_finite(node.name, scale, shift)
    return encoding, Spikes(layer.out_shape, (Member(INPUT, scale[None], (Origin(layer),)),), shift)


def framed(
    what: str, encoding: ir.Input, spikes: Spikes, padding: Pair, alone: bool
) -> tuple[ir.Input, Spikes]:
    """The input with a frame that stands for the zeros of a convolution, where those are not level 0.

    Parameters
    ----------
    what
        Names the convolution in errors.
    encoding, spikes
        The input and what the convolution reads of it.
    padding
        That of the convolution.
    alone
        Whether nothing else sees the input.

    Raises
    ------
    ModelError
        If it does not read the input itself, not alone, or a zero is no level of every channel.
    """
    if [member.source for member in spikes.members] != [INPUT] or spikes.average or len(spikes.shape) != 3:
        raise ModelError(
            f"{what} must not pad with zeros what a batch norm or the input's normalisation shifts; "
            "put batch norms after the convolution"
        )
    for values in (spikes.members[0].scale, spikes.shift[None]):
        spikes.per_channel(what, values)
    levels = _zero_levels(spikes, encoding.levels)
    if not alone or levels is None or (encoding.padding != (0, 0) and encoding.pad_levels != levels):
        raise ModelError(
            f"{what} must not pad the input with zeros, since a zero is not level 0: allowed only where it "
            "is a whole level of every channel and nothing else reads the input; pad the input instead, with "
            f"spikefold.nn.Input(pad={padding}) and padding 0 in the convolution"
        )
    rows, columns = encoding.padding[0] + padding[0], encoding.padding[1] + padding[1]
    channels, height, width = spikes.map
    wider = (channels, height + 2 * padding[0], width + 2 * padding[1])
    encoding = replace(encoding, padding=(rows, columns), pad_levels=levels)
    return encoding, replace(spikes, map=wider)


def _zero_levels(spikes: Spikes, most: int) -> tuple[int, ...] | None:
    """The level worth 0 in each channel, if there is one in all of them."""
    channels = spikes.map[0]
    scale, shift = (values.flatten().expand(channels) for values in (spikes.members[0].scale, spikes.shift))
    if bool((scale == 0).any()):
        return None
    zero = -shift / scale
    levels = torch.round(zero)
    off = ((zero - levels).abs() > _WHOLE) | (levels < 0) | (levels > most)
    return None if bool(off.any()) else tuple(int(level) for level in levels.tolist())


def _axes(values: Reals, axes: int) -> Reals:
    return values.reshape(*(1,) * (axes - values.dim()), *values.shape)
