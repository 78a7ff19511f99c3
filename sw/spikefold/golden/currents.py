"""Currents of a population, prepared once: weights and bias in the type that is exact."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spikefold.golden.precision import exact_dtype, unlike_winograd
from spikefold.ir import Conv, Dense, Identity, Map, Network, Population, Projection
from spikefold.ir.neuron import Integers


def sum_magnitudes(network: Network, population: Population) -> Integers:
    """Largest partial sum of `Σ A` in any order, `Σ|w|·n_max`, shape (weight sets or 1, channels)."""
    reach = np.zeros((1, population.channels), np.int64)
    for projection in population.projections:
        reach = reach + abs(projection.flat).sum(axis=2) * network.levels_of(projection.source)
    return reach


class Product:
    """`A` of one projection, from maps of levels (T or 1, samples, channels, rows, columns).

    Maps lie in memory with their channels last, which convolutions like best.
    """

    def __init__(self, weight: Integers, dtype: torch.dtype) -> None:
        self.weight = torch.tensor(weight, dtype=dtype, device="cpu")

    def __call__(self, levels: Tensor, bias: Tensor | None = None) -> Tensor:
        """Maps of sums (T or 1, samples, ..), 1 where all steps are alike, `bias` (channels,) included."""
        levels = levels.to(self.weight.dtype)
        if len(self.weight) == 1:
            return _by_step(self.at_once(levels.flatten(0, 1), self.weight[0], bias), len(levels))
        steps = levels.expand(len(self.weight), *levels.shape[1:])
        sums = [self.at_once(n, weight, bias) for n, weight in zip(steps, self.weight, strict=True)]
        return _by_step(torch.cat(sums), len(steps))

    def at_once(self, levels: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The product with one weight set, of maps (samples, channels, rows, columns)."""
        raise NotImplementedError


def _by_step(maps: Tensor, steps: int) -> Tensor:
    """Maps (steps · samples, ..) as (steps, samples, ..)."""
    return maps.view(steps, -1, *maps.shape[1:])


class _DenseProduct(Product):
    """Its columns are put in the order of memory, so that no map need be copied."""

    def __init__(self, projection: Dense, source: Map, weight: Integers, dtype: torch.dtype) -> None:
        columns = weight.reshape(*weight.shape[:2], *source).transpose(0, 1, 3, 4, 2)
        super().__init__(columns.reshape(weight.shape), dtype)

    def at_once(self, levels: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.linear(levels.permute(0, 2, 3, 1).flatten(1), weight, bias)[..., None, None]


class _ConvProduct(Product):
    def __init__(self, projection: Conv, source: Map, weight: Integers, dtype: torch.dtype) -> None:
        super().__init__(weight, dtype)
        self.weight = unlike_winograd(self.weight)
        self._place = (projection.stride, projection.padding, 1, projection.groups)

    def at_once(self, levels: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.conv2d(levels, weight, bias, *self._place)


class _IdentityProduct(Product):
    def __init__(self, projection: Identity, source: Map, weight: Integers, dtype: torch.dtype) -> None:
        super().__init__(weight[..., None, None], dtype)

    def at_once(self, levels: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        sums = levels * weight
        return sums if bias is None else sums.add_(bias[:, None, None])


def product_of(projection: Projection, source: Map, weight: Integers, dtype: torch.dtype) -> Product:
    """The product of a projection over a source of this map, with these weights for its own."""
    if isinstance(projection, Dense):
        return _DenseProduct(projection, source, weight, dtype)
    if isinstance(projection, Conv):
        return _ConvProduct(projection, source, weight, dtype)
    assert isinstance(projection, Identity)
    return _IdentityProduct(projection, source, weight, dtype)


class Currents:
    """`I = (Σ A << F) + b` of every time step.

    The sums are in the type that is exact for them: float32 or float64, as no sum of 8-bit weights
    reaches 2^53. Where shift and bias stay exact in it too, the shift is part of the weights (a power of two
    changes no rounding) and the bias of the first product; else they come after it, in type `after`.
    """

    def __init__(self, network: Network, population: Population, after: torch.dtype) -> None:
        reach = sum_magnitudes(network, population)
        self.dtype = exact_dtype(int(reach.max()))
        whole = int(((reach << population.fraction) + abs(population.bias)).max())
        self._fused = len(population.bias) == 1 and exact_dtype(whole) == self.dtype
        self._fraction = 0 if self._fused else population.fraction
        shift = population.fraction if self._fused else 0
        self._products = [
            (p.source, product_of(p, network.maps[p.source], p.weight << shift, self.dtype))
            for p in population.projections
        ]
        bias = torch.tensor(population.bias, dtype=self.dtype if self._fused else after, device="cpu")
        self._bias = bias[0] if self._fused else bias[:, None, :, None, None]
        self._after = after

    def __call__(self, levels: Mapping[str, Tensor]) -> Tensor:
        """Return the currents (T or 1, samples, channels, rows, columns); 1 where all steps are alike.

        `levels` are by source, maps of the same axes.
        """
        (source, product), *others = self._products
        total = product(levels[source], self._bias if self._fused else None)
        for source, product in others:
            total = _added(total, product(levels[source]))
        total = total.to(self._after)
        return total if self._fused else torch.add(self._bias, total, alpha=1 << self._fraction)


def _added(a: Tensor, b: Tensor) -> Tensor:
    """`a + b`, in the place of one of them."""
    return a.add_(b) if len(a) >= len(b) else b.add_(a)
