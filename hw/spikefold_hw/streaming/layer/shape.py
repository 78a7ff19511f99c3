"""What the hardware of a layer depends on."""

from dataclasses import dataclass
from functools import cached_property

from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_hw.parts.shapes import Blocks, DrainShape, LanesShape, NeuronShape, Widths
from spikefold_hw.streaming.buffer import BufferedIdentity, BufferShape
from spikefold_hw.streaming.window.shape import ProjectionShape, WindowShape


@dataclass(frozen=True)
class LayerShape:
    """One population as the hardware sees it; `neuron` is None for the readout.

    Attributes
    ----------
    name
        Name of the population.
    map
        Its map.
    time
        Time steps, and their order.
    lanes
        Output channels that are computed at once, P. A block of channels lies within one group.
    units
        Neurons drained per cycle, Q; it divides the lanes and the channels of a group.
    projections
        Dense projections and convolutions; at least one. A block gets their digits one after another.
    skips
        Identity projections.
    fraction
        `F`.
    parameter_sets
        1, or T where bias, θ or identity weights differ between time steps.
    repeats
        Time steps that one current serves: T where a static input is the only source, else 1.
    word
        Most bits of a row of the weight memories; None for the width that suits block RAM.
    """

    name: str
    map: Map
    time: Time
    lanes: int
    units: int
    projections: tuple[ProjectionShape, ...]
    skips: tuple[BufferedIdentity, ...]
    fraction: int
    parameter_sets: int
    repeats: int
    neuron: NeuronShape | None
    widths: Widths
    word: int | None = None

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.map.channels

    @property
    def levels(self) -> int:
        """Largest level that leaves; 0 of the readout."""
        return self.neuron.levels if self.neuron is not None else 0

    @property
    def windows(self) -> tuple[WindowShape, ...]:
        """The windows of the projections."""
        return tuple(projection.window for projection in self.projections)

    @property
    def buffers(self) -> tuple[BufferShape, ...]:
        """The buffers of the identities."""
        return tuple(skip.buffer for skip in self.skips)

    @property
    def saturates(self) -> bool:
        """Whether it counts clipped membranes."""
        return self.neuron is not None and self.neuron.membrane_bits is not None

    @cached_property
    def blocks(self) -> Blocks:
        """How its channels are cut into blocks; each window's own groups divide its groups."""
        groups = max(window.groups for window in self.windows)
        return Blocks(self.channels, groups, self.lanes, self.units)

    def replays(self, projection: ProjectionShape) -> int:
        """How often a window's events are replayed: the blocks of one of its groups."""
        return self.blocks.count // projection.window.groups

    @property
    def lanes_shape(self) -> LanesShape:
        """What the lanes need to know."""
        weights = tuple(projection.weights for projection in self.projections)
        return LanesShape(self.name, self.blocks, weights, self.widths.accumulator, self.word)

    @property
    def drain_shape(self) -> DrainShape:
        """What neuron unit and readout need to know."""
        return DrainShape(
            name=self.name,
            blocks=self.blocks,
            positions=self.map.positions,
            time=self.time,
            neuron=self.neuron,
            widths=self.widths,
            fraction=self.fraction,
            parameter_sets=self.parameter_sets,
            skips=tuple(skip.shape for skip in self.skips),
        )
