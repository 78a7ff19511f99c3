"""A stage of the pipeline: everything there is to know of one kind of stage stands behind this face."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from amaranth.hdl import Elaboratable, Value
from amaranth.lib import stream

from spikefold.errors import ModelError
from spikefold.ir import Network
from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_hw.parts.images import Image, ImageSize
from spikefold_hw.parts.load import Images
from spikefold_hw.parts.shapes import Blocks
from spikefold_hw.streaming.buffer import BufferShape
from spikefold_hw.streaming.pace import Work
from spikefold_hw.streaming.planner import Planner
from spikefold_hw.streaming.times import Levels, Streams, Times
from spikefold_hw.streaming.window.shape import WindowShape

Sizes = dict[str, tuple[int, int]]
"""`(word width, rows)` of memories by name."""

Features = dict[str, float]
"""What the LUTs of a stage grow with, by part."""


class StageCore(Protocol):
    """The gateware of a stage: a component with an output stream.

    Attributes
    ----------
    inputs
        Its input streams: those of windows first, then those of buffers.
    o
        Events, or of the readout logits.
    cleared
        It is ready to work after a reset; None if it always is.
    saturated
        How many membranes were clipped in this cycle; None if none can be.
    """

    o: stream.Interface

    @property
    def inputs(self) -> list[stream.Interface]: ...

    @property
    def cleared(self) -> Value | None: ...

    @property
    def saturated(self) -> Value | None: ...

    def elaborate(self, platform: Any) -> Elaboratable: ...


class Stage(ABC):
    """One stage: a frozen dataclass of what its hardware depends on.

    A new kind is a folder with such a class, and an entry in `kinds`.

    Attributes
    ----------
    kind
        Name of the kind, in the manifest and in tables.
    name
        Of the stage in the network.
    map
        What it sends: channels and positions.
    time
        Time steps, and their order.
    levels
        Largest level that leaves; 0 of the readout.
    """

    kind: ClassVar[str]
    name: str
    map: Map
    time: Time
    if TYPE_CHECKING:  # a field of some kinds, derived in others

        @property
        def levels(self) -> int: ...

    @classmethod
    @abstractmethod
    def of(cls, planner: Planner, stage: Any) -> Self:
        """The stage for a stage of the integer network."""

    @property
    def windows(self) -> tuple[WindowShape, ...]:
        """Its windows over its sources, in order."""
        return ()

    @property
    def buffers(self) -> tuple[BufferShape, ...]:
        """The buffers of its other sources, in order."""
        return ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of what it reads, in the order of the inputs of its gateware."""
        windows = tuple(window.source for window in self.windows)
        return windows + tuple(buffer.source for buffer in self.buffers)

    @property
    def blocks(self) -> Blocks | None:
        """How its channels are cut into blocks for its lanes; None of a stage without lanes."""
        return None

    @property
    def saturates(self) -> bool:
        """Whether it counts clipped membranes."""
        return False

    @abstractmethod
    def core(self, images: Images | None) -> StageCore:
        """Its gateware. Raises InputError if an image does not fit."""

    @abstractmethod
    def times(self, levels: Levels, streams: Streams) -> Times:
        """Its exact times for these levels."""

    @abstractmethod
    def work(self, levels: Levels) -> Work:
        """What it has to do for these levels."""

    @abstractmethod
    def memories(self) -> Sizes:
        """Its memories but the images."""

    @abstractmethod
    def features(self) -> Features:
        """What its LUTs grow with."""

    @abstractmethod
    def longest_cell(self) -> int:
        """Upper bound of the cycles between two beats while it works on a position at one time step."""

    def image_sizes(self) -> tuple[ImageSize, ...]:
        """Its memory images, in the order in which a host loads them."""
        return ()

    def images(self, network: Network) -> dict[str, Image]:
        """Contents of its memory images by name, in the order of `image_sizes`."""
        return {}

    def latencies(self) -> Mapping[str, int]:
        """Cycles of each of its datapaths by name."""
        return {}

    def check_fit(self, built: "Stage") -> None:
        """Check that this stage runs on the hardware of another.

        Raises
        ------
        ModelError
            Names what differs.
        """
        check_same(f"Stage {self.name!r}", self, built)

    def with_counts(self, lanes: int, units: int) -> Self:
        """The same stage with other lanes and units; itself if it has none."""
        return self if self.blocks is None else replace(self, lanes=lanes, units=units)  # type: ignore[type-var]


def check_same(what: str, mine: object, built: object) -> None:
    """Raise ModelError if a network needs something else than there is."""
    if mine != built:
        raise ModelError(f"{what.replace('_', ' ')} must be {built!r} to fit, not {mine!r}")
