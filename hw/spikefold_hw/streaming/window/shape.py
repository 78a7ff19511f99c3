"""What the hardware knows of a sliding window, and of a weighted projection behind it."""

from dataclasses import dataclass
from functools import cached_property

from spikefold.ir.coding import Coding
from spikefold.ir.maps import Map, Pair, Window
from spikefold_hw.parts.shapes import WeightsShape


@dataclass(frozen=True)
class WindowShape:
    """Levels of a source on their way into a sliding window.

    Attributes
    ----------
    source
        Name of the source.
    map
        Its map.
    kernel, stride, padding
        As `spikefold.ir.maps.Window`.
    groups
        Groups of consecutive channels; a window holds the events of one.
    levels
        Largest level.
    steps
        Time steps that come together at each position: T where all of a position follow each other, else 1.
    depth
        Positions that are kept; 0 where none need be, since every window is what comes in between two
        marks of the stream.
    """

    source: str
    map: Map
    kernel: Pair
    stride: Pair
    padding: Pair
    groups: int
    levels: int
    steps: int
    depth: int

    @cached_property
    def geometry(self) -> Window:
        """Where it slides, and what each of its positions reads."""
        return Window(self.map, self.kernel, self.stride, self.padding)

    @property
    def channels(self) -> int:
        """Channels of a group."""
        return self.map.channels // self.groups

    @property
    def taps(self) -> int:
        """Positions under the kernel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def inputs(self) -> int:
        """Neurons under the kernel, of one group; index (row, column, channel)."""
        return self.taps * self.channels

    def last_cell(self, cell: int) -> int:
        """The source's cell that completes the `cell`-th window; windows come by position, then step."""
        place, step = divmod(cell, self.steps)
        maps, output = divmod(place, self.geometry.outputs)
        return (maps * self.map.positions + self._needed[output]) * self.steps + step

    @cached_property
    def _needed(self) -> list[int]:
        needed: list[int] = self.geometry.needed.tolist()
        return needed

    @property
    def cells(self) -> int:
        """Cells that are kept: the time steps of every position by themselves."""
        return self.depth * self.steps


@dataclass(frozen=True)
class ProjectionShape:
    """A dense projection or convolution as the hardware sees it: window, digits and weight memory.

    `weight_sets` is 1, or T where the weights differ between time steps.
    """

    window: WindowShape
    coding: Coding
    weight_bits: int
    weight_sets: int

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.window.source

    @property
    def weights(self) -> WeightsShape:
        """What the lanes need to know of it."""
        window = self.window
        return WeightsShape(self.weight_bits, self.weight_sets, window.inputs, window.levels, self.coding)
