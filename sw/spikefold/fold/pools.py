"""Pool layers, where they stand on spikes and where on currents."""

from collections.abc import Sequence
from dataclasses import replace

from spikefold.errors import ModelError
from spikefold.fold.composition import Pooling, is_composed
from spikefold.fold.currents import Current
from spikefold.fold.spikes import LayerPool, Member, Spikes
from spikefold.fold.stages import Stages
from spikefold.nn import Node


def average_currents(pool: LayerPool, current: Current) -> Current:
    """An average pool that is composed into the synapses before it."""
    if pool.window.padding != (0, 0):
        raise ModelError(
            f"Average pool {pool.layer!r} of currents must have padding 0, not {pool.window.padding}; "
            "put it after the neuron"
        )
    return unpeaked(pool.layer, current).averaged(pool)


def unpeaked(name: str, current: Current) -> Current:
    """The current itself; raises ModelError if a max pool waits for its neuron."""
    if current.peaks:
        raise ModelError(
            f"Max pool {current.peaks[-1].layer!r} of currents must be followed by a neuron, with nothing "
            f"but batch norms between, not by {name!r}; put it after a neuron"
        )
    return current


def average_spikes(
    pool: LayerPool, spikes: Spikes, stages: Stages, readers: Sequence[Node], steps: int, pooling: Pooling
) -> Spikes:
    """An average pool as a stage for each member, or left to its readers."""
    if pool.window.padding != (0, 0) and bool(spikes.shift.any()):
        raise ModelError(
            f"Average pool {pool.layer!r} must have padding 0 where silence is not worth 0 (a batch norm or "
            f"the input's normalisation shifts it), not {pool.window.padding}"
        )
    spikes = _by_channel(f"Average pool {pool.layer!r}", spikes)
    levels = [stages.levels_of(member.source) for member in spikes.members]
    if is_composed(spikes, pool, readers, levels, steps, pooling):
        return replace(spikes, map=pool.map, average=pool, modules=(*spikes.modules, pool.layer))
    members = tuple(_shared(member, pool.positions) for member in spikes.members)
    return stages.pool(replace(spikes, members=members), "sum", pool)


def max_spikes(pool: LayerPool, spikes: Spikes, stages: Stages) -> Spikes:
    """A max pool of levels: the scale is above 0, so the largest level is the largest value."""
    what = f"Max pool {pool.layer!r}"
    if len(spikes.members) > 1:
        raise ModelError(
            f"{what} must read spikes of one scale, not a sum of {len(spikes.members)} scales; tie those of "
            "the neurons that are added up with spikefold.nn.tie_scales"
        )
    spikes = _by_channel(what, spikes)
    if bool((spikes.members[0].scale < 0).any()):
        raise ModelError(
            f"{what} must not follow a batch norm of spikes with negative gains; put the batch norm after it"
        )
    return stages.pool(spikes, "max", pool)


def _shared(member: Member, positions: int) -> Member:
    """A member of an average: a level of the sum is worth one of `positions` parts."""
    origins = tuple(replace(origin, divisor=origin.divisor * positions) for origin in member.origins)
    return replace(member, scale=member.scale / positions, origins=origins)


def _by_channel(what: str, spikes: Spikes) -> Spikes:
    """The same spikes with scales and shifts that do not depend on the position."""
    members = tuple(
        replace(member, scale=spikes.per_channel(what, member.scale)[..., None, None])
        for member in spikes.members
    )
    shift = spikes.per_channel(what, spikes.shift[None])[0, :, None, None]
    return replace(spikes, members=members, shift=shift)
