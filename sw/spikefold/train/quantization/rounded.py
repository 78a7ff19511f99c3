"""A model's parameters folded and rounded as they are now, for its own layers to compute with."""

from collections.abc import Mapping

import torch
from torch import Tensor

from spikefold.fold.currents import Path
from spikefold.fold.folded import Reals
from spikefold.fold.mathematics import fold_shift, scale_by_target
from spikefold.fold.spikes import Spikes
from spikefold.fold.traces import Connection
from spikefold.fold.walk import Walk
from spikefold.nn.binary import effective_weight
from spikefold.quantize.fraction import choose_fractions
from spikefold.quantize.grid import choose_grids
from spikefold.quantize.rounding import round_weight
from spikefold.quantize.scales import Method
from spikefold.quantize.units import Units, count_units


class Rounded:
    """The integer network of a model, as far as training computes with it.

    Attributes
    ----------
    spikes
        By layer that gives spikes: these, as the fold sees them.
    units
        What populations count in, by the neuron layer or readout at their end.
    weights
        By connection, for each member of the spikes that are read: rounded, with what is folded into them
        taken out again, so that they stand for the layer's own. (T or 1, targets, sources / groups, ...), of
        an identity (T or 1, channels, 1).
    errors
        By connection whose silent spikes are not worth 0: what these add to the currents with the trained
        weights, less that with rounded ones, (T or 1, targets). The integer network's bias has the first.
    """

    @torch.no_grad()
    def __init__(
        self,
        walk: Walk,
        bits: int | Mapping[str, int],
        identity_bits: int,
        method: Method,
        capped: bool,
    ) -> None:
        self.spikes = {name: value for name, value in walk.values.items() if isinstance(value, Spikes)}
        self.units: dict[str, Units] = {}
        self.weights: dict[Connection, list[Tensor]] = {}
        self.errors: dict[Connection, Reals] = {}
        folded = walk.network("network")
        grids = choose_grids(folded, bits, identity_bits, method)
        fractions = choose_fractions(folded, grids, capped)
        for population in folded.populations:
            grid = grids[population.name]
            self.units[population.modules[-1]] = count_units(
                population, grid.scale, fractions[population.name]
            )
            for path, most in zip(walk.paths[population.name], grid.bits, strict=True):
                self._add(path, most, grid.scale)

    def _add(self, path: Path, bits: int, scale: Reals) -> None:
        trace = path.trace
        latent = scale.new_ones(()) if trace.layer is None else effective_weight(trace.layer)
        whole = round_weight(trace.one_each(path.projection.weight), bits, scale)
        axes = (1,) * (whole.dim() - 3)
        rows, columns = trace.rows[:, None], scale_by_target(trace.columns, len(trace.rows), trace.groups)
        weight = whole.mul_((scale[:, None] / rows).reshape(-1, 1, *axes))
        weight = weight.div_(columns.reshape(*columns.shape, *axes))
        if not bool(rows.all()) or not bool(columns.all()):
            gone = (rows == 0) | (columns == 0)
            weight = torch.where(gone.reshape(*gone.shape, *axes), latent, weight)
        known = self.weights.setdefault(trace.connection, [])
        known.append(weight.to(latent.dtype))
        if trace.silence is not None:
            lost = (latent.double() - weight.double() for weight in known[-1])
            errors = [fold_shift(weight, trace.silence, trace.groups) for weight in lost]
            self.errors[trace.connection] = torch.stack(errors)
