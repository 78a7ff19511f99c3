"""NIR's own definition, computed in float64 from its equations and nothing of this package's layers."""

import math
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spikefold.exporters.nir import KEY
from spikefold.importers.imported import OUTPUT
from spikefold.importers.nir.graph import FlatGraph, metadata_of
from spikefold.importers.nir.integer import integer_spikes, per_step
from spikefold.importers.nir.options import Options


class Interpreter:
    """Runs a graph: real-valued input [T, B, ...] to what every node gives, [T, B, ...], by name."""

    def __init__(self, graph: FlatGraph, options: Options) -> None:
        self._graph, self._options, self._own = graph, options, KEY in graph.metadata

    def __call__(self, x: Tensor) -> Mapping[str, Tensor]:
        """Return the values of all nodes, and under `OUTPUT` the result, [B, classes] of a membrane."""
        graph = self._graph
        values = {graph.entrance: x.double().reshape(*x.shape[:2], *graph.shape)}
        for name, node in graph.nodes.items():
            values[name] = self._node(name, node, _total(values, graph.reads[name]))
        values[OUTPUT] = _total(values, graph.reads[graph.exit])
        (first, *others) = graph.reads[graph.exit]
        if not others and isinstance(graph.nodes.get(first), nir.I | nir.LI):
            result = values[OUTPUT]
            values[OUTPUT] = result.mean(0) if self._options.readout == "mean" else result[-1]
        return values

    def _node(self, name: str, node: Any, x: Tensor) -> Tensor:
        if isinstance(node, nir.Threshold):
            return self._fires(x, _reals(node.threshold))
        told = metadata_of(node) if self._own else {}
        if "levels" in told:
            return integer_spikes(told, x)
        if "scale" in told:
            return x * per_step(told["scale"], x)
        if isinstance(node, nir.IF | nir.LIF | nir.I | nir.LI):
            return self._integrate(name, node, x)
        steps = x.flatten(0, 1)
        found: Tensor = _linear(node, steps).unflatten(0, x.shape[:2])
        return found

    def _integrate(self, name: str, node: Any, x: Tensor) -> Tensor:
        """Solve the equation of a neuron step by step, from v = 0."""
        spikes = hasattr(node, "v_threshold")
        soft = spikes and self._options.reset_of(name, node, self._graph.metadata) == "subtract"
        v, given = torch.zeros_like(x[0]), []
        for current in x:
            v = self._step(name, node, v, current)
            if not spikes:
                given.append(v)
                continue
            threshold = _reals(node.v_threshold)
            z = self._fires(v, threshold)
            v = v - z * threshold if soft else torch.where(z > 0, _reals(node.v_reset), v)
            given.append(z)
        return torch.stack(given)

    def _step(self, name: str, node: Any, v: Tensor, current: Tensor) -> Tensor:
        """The membrane a time `dt` later: `tau dv/dt = v_leak - v + r I`, or `dv/dt = r I` without tau."""
        dt, drive = self._options.step(name), _reals(node.r) * current
        if not hasattr(node, "tau"):
            return v + dt * drive
        tau, rest = _reals(node.tau), _reals(node.v_leak)
        if self._options.method == "exponential":
            goal = rest + drive
            return goal + (v - goal) * torch.exp(-dt / tau)
        return v + (dt / tau) * (rest - v + drive)

    def _fires(self, v: Tensor, threshold: Tensor) -> Tensor:
        return (v > threshold if self._options.fires == "above" else v >= threshold).double()


def _total(values: Mapping[str, Tensor], names: tuple[str, ...]) -> Tensor:
    total = values[names[0]]
    for name in names[1:]:
        total = total + values[name]
    return total


def _linear(node: Any, x: Tensor) -> Tensor:
    """A node without memory, on [samples, ...]."""
    match node:
        case nir.Linear() | nir.Affine():
            bias = _reals(node.bias) if isinstance(node, nir.Affine) else None
            return functional.linear(x, _reals(node.weight), bias)
        case nir.Conv1d() | nir.Conv2d():
            convolve = functional.conv1d if isinstance(node, nir.Conv1d) else functional.conv2d
            padding: Any = _padding(node.padding)
            weight, bias, stride = _reals(node.weight), _reals(node.bias), _sizes(node.stride)
            return convolve(x, weight, bias, stride, padding, _sizes(node.dilation), int(node.groups))
        case nir.Scale():
            return x * _reals(node.scale)
        case nir.Flatten():
            return x.flatten(1)
        case _:
            kernel, stride, padding = map(_sizes, (node.kernel_size, node.stride, node.padding))
            total = functional.avg_pool2d(x, kernel, stride, padding)
            return (
                total if isinstance(node, nir.AvgPool2d) else total * math.prod(kernel * (2 // len(kernel)))
            )


def _reals(value: Any) -> Tensor:
    return torch.from_numpy(np.array(value, np.float64))


def _sizes(value: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in np.asarray(value).reshape(-1))


def _padding(value: Any) -> str | tuple[int, ...]:
    word = value.decode() if isinstance(value, bytes) else value
    return word if isinstance(word, str) else _sizes(value)
