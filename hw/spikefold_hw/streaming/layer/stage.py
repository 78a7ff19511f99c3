"""A layer: one population on its lanes."""

from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Self

import numpy as np

from spikefold.errors import ModelError
from spikefold.ir import Network, Population
from spikefold.ir.bounds import population_bounds, signed_bits
from spikefold.ir.maps import Map
from spikefold.ir.projections import Conv, Identity, Projection
from spikefold_hw.parts.images import Image, ImageSize
from spikefold_hw.parts.leak import covers, precision_of
from spikefold_hw.parts.load import Images
from spikefold_hw.parts.parameters import neuron_shape, parameter_image, parameter_rows, parameter_size
from spikefold_hw.parts.shapes import Widths
from spikefold_hw.parts.weights import weight_images, weight_sizes
from spikefold_hw.streaming.buffer import BufferedIdentity
from spikefold_hw.streaming.layer.core import LayerCore
from spikefold_hw.streaming.layer.cost import layer_features, layer_latencies, layer_memories, longest_cell
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.layer.times import LayerTimes
from spikefold_hw.streaming.layer.work import LayerWork
from spikefold_hw.streaming.planner import Planner
from spikefold_hw.streaming.stage import Features, Sizes, Stage, check_same
from spikefold_hw.streaming.times import Levels, Streams
from spikefold_hw.streaming.window.shape import ProjectionShape


@dataclass(frozen=True)
class LayerStage(LayerShape, Stage):
    """A population: windows, lanes, and neuron unit or readout."""

    kind: ClassVar[str] = "layer"

    @classmethod
    def of(cls, planner: Planner, stage: Population) -> Self:
        name, map_ = stage.name, planner.network.maps[stage.name]
        ports = list(enumerate(stage.projections))
        weighted = tuple(_projection(planner, stage, k, p) for k, p in ports if not isinstance(p, Identity))
        if not weighted:
            raise ModelError(
                f"Population {name!r} must have a dense projection or a convolution, not identities alone; "
                "make one of them a depthwise 1x1 convolution"
            )
        group_channels = stage.channels // _common_groups(name, weighted)
        lanes = planner.lanes(name, group_channels)
        return cls(
            name=name,
            map=map_,
            time=planner.time,
            lanes=lanes,
            units=planner.units(name, lanes, group_channels),
            projections=weighted,
            skips=tuple(
                BufferedIdentity(planner.buffer(stage, k), p.bits)
                for k, p in ports
                if isinstance(p, Identity)
            ),
            fraction=stage.fraction,
            parameter_sets=len(parameter_rows(stage)["bias"]),
            repeats=planner.repeats(stage),
            neuron=None if stage.neuron is None else neuron_shape(stage.neuron),
            widths=widths_of(planner.network, stage),
        )

    def core(self, images: Images | None) -> LayerCore:
        return LayerCore(self, images)

    def times(self, levels: Levels, streams: Streams) -> LayerTimes:
        return LayerTimes(self, levels, streams)

    def work(self, levels: Levels) -> LayerWork:
        return LayerWork(self, levels)

    def memories(self) -> Sizes:
        return layer_memories(self)

    def features(self) -> Features:
        return layer_features(self)

    def longest_cell(self) -> int:
        return longest_cell(self)

    def image_sizes(self) -> tuple[ImageSize, ...]:
        lanes = self.lanes_shape
        weights = [size for port in range(len(self.projections)) for size in weight_sizes(lanes, port)]
        return (*weights, parameter_size(self.drain_shape))

    def images(self, network: Network) -> dict[str, Image]:
        population = network.by_name[self.name]
        assert isinstance(population, Population)
        weighted = [p for p in population.projections if not isinstance(p, Identity)]
        found = [
            image
            for port, projection in enumerate(weighted)
            for image in weight_images(
                in_window_order(projection, network.maps[projection.source]), self.lanes_shape, port
            )
        ]
        found.append(parameter_image(population, self.drain_shape))
        return {size.name: image for size, image in zip(self.image_sizes(), found, strict=True)}

    def latencies(self) -> dict[str, int]:
        return layer_latencies(self)

    def check_fit(self, built: Stage) -> None:
        if not isinstance(built, LayerStage):
            return super().check_fit(built)
        own = self._leaking_as(built)
        for field in asdict(self):
            if field not in ("widths", "word"):
                what = f"{field.capitalize()} of {self.name!r}"
                check_same(what, getattr(own, field), getattr(built, field))
        for field, bits in asdict(own.widths).items():
            if bits > getattr(built.widths, field):
                raise ModelError(
                    f"{field.replace('_', ' ').capitalize()} of {self.name!r} must fit "
                    f"{getattr(built.widths, field)} bits, but needs {bits}; compile without --fit"
                )
        return None

    def _leaking_as(self, built: Self) -> Self:
        """The same layer with the terms of another's leak, if it can do this one's."""
        if self.neuron is None or built.neuron is None or not covers(built.neuron.leak, self.neuron.leak):
            return self
        neuron, finer = replace(self.neuron, leak=built.neuron.leak), 0
        if self.time.steps > 1:
            finer = precision_of(built.neuron.leak) - precision_of(self.neuron.leak)
        return replace(self, neuron=neuron, widths=replace(self.widths, leak=self.widths.leak + finer))


def in_window_order(projection: Projection, source: Map) -> np.ndarray:
    """Weights (sets, targets, inputs) with the inputs as the window counts them: row, column, channel."""
    weight = projection.weight
    if not isinstance(projection, Conv):
        weight = weight.reshape(*weight.shape[:2], *source)
    return weight.transpose(0, 1, 3, 4, 2).reshape(*weight.shape[:2], -1)


def _projection(
    planner: Planner, population: Population, port: int, projection: Projection
) -> ProjectionShape:
    groups = projection.groups if isinstance(projection, Conv) else 1
    window = planner.window(population, port, groups)
    return ProjectionShape(window, planner.coding(projection.source), projection.bits, len(projection.weight))


def _common_groups(name: str, projections: tuple[ProjectionShape, ...]) -> int:
    groups = max(projection.window.groups for projection in projections)
    for projection in projections:
        if groups % projection.window.groups:
            raise ModelError(
                f"Groups of the projections into {name!r} must divide the largest ({groups}), "
                f"not be {projection.window.groups}"
            )
    return groups


def widths_of(network: Network, population: Population) -> Widths:
    """Bits that hold every number of a population, whatever comes in."""
    bounds = population_bounds(network, population)
    rows = parameter_rows(population)

    def unsigned(name: str) -> int:
        return int(rows[name].max()).bit_length() if name in rows else 0

    def signed(name: str) -> int:
        return signed_bits((int(rows[name].min()), int(rows[name].max()))) if name in rows else 0

    neuron = population.neuron
    membrane = signed_bits(bounds.membrane)
    if neuron is not None:
        low, high = bounds.membrane
        mirrored = neuron_shape(neuron).mirrored
        membrane = signed_bits((-high, -low)) if mirrored else neuron.membrane_bits or membrane
    return Widths(
        accumulator=signed_bits(bounds.accumulator),
        sum=signed_bits(bounds.sums),
        bias=signed("bias"),
        threshold=unsigned("threshold"),
        top=unsigned("top"),
        fire_floor=signed("fire_floor"),
        leak=signed_bits(bounds.leak),
        potential=signed_bits(bounds.potential, bounds.current),
        membrane=membrane,
    )
