"""The hardware profile: everything the Verilog depends on. Networks with one profile share one Verilog."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from spikefold.errors import InputError
from spikefold.ir.coding import Coding
from spikefold.ir.maps import Map, Pair, Window
from spikefold.ir.network import Pooling
from spikefold.ir.neuron import Reset, Rounding, ShiftSum, ladder_weights

Order = Literal["innermost", "step_major"]
"""How time runs: every step of a position before the next position, or every position of a step first."""
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True)
class ScanProfile:
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
        Time steps that come together at each position: T where time runs innermost, else 1.
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

    @property
    def window(self) -> Window:
        """The window."""
        return Window(self.map, self.kernel, self.stride, self.padding)

    @property
    def channels(self) -> int:
        """Channels of a group."""
        return self.map.channels // self.groups

    @property
    def inputs(self) -> int:
        """Neurons under the kernel, of one group; index (row, column, channel)."""
        return self.kernel[0] * self.kernel[1] * self.channels


@dataclass(frozen=True)
class WindowProfile:
    """A dense projection or convolution as the hardware sees it: window, digits and weight memory.

    `weight_sets` is 1, or T where the weights differ between time steps.
    """

    scan: ScanProfile
    coding: Coding
    weight_bits: int
    weight_sets: int

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.scan.source

    @property
    def inputs(self) -> int:
        """Neurons under the kernel, of one group: rows of weights per block."""
        return self.scan.inputs

    @property
    def levels(self) -> int:
        """Largest level of the source."""
        return self.scan.levels


@dataclass(frozen=True)
class BufferProfile:
    """Levels that wait for another path, neuron by neuron.

    Attributes: source name, its largest level, and how many positions are kept, each time step of one
    counted by itself where they come together.
    """

    source: str
    levels: int
    depth: int


@dataclass(frozen=True)
class SkipProfile:
    """An identity projection: its buffer and the bits of its weight per channel."""

    buffer: BufferProfile
    weight_bits: int

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.buffer.source


@dataclass(frozen=True)
class NeuronProfile:
    """The part of `Neuron` that shapes hardware."""

    levels: int
    rounding: Rounding
    reset: Reset
    leak: ShiftSum
    factor: ShiftSum | None
    fire_floor: bool
    membrane_bits: int | None

    @property
    def merged(self) -> bool:
        """Whether `h` is added together with the bias: possible where nothing acts on `u` in between."""
        return self.membrane_bits is None and self.factor is None

    @property
    def top(self) -> int:
        """`m`, the multiple of θ that the ladder tries first."""
        return ladder_weights(self.levels)[0]

    @property
    def stores_top(self) -> bool:
        """Whether `m·θ` is a stored word; a power of two is a shift instead."""
        return self.top & (self.top - 1) != 0


@dataclass(frozen=True)
class Widths:
    """Bits of every number in a layer. θ and its multiple are unsigned, the others two's complement.

    `accumulator` holds the sums of the windows, `sum` those with the identities.
    """

    accumulator: int
    sum: int
    bias: int
    threshold: int
    top: int
    fire_floor: int
    leak: int
    potential: int
    membrane: int


@dataclass(frozen=True)
class LayerProfile:
    """One population as the hardware sees it; `neuron` is None for the readout.

    Attributes
    ----------
    name
        Name of the population.
    map
        Its map.
    lanes
        Output channels that are computed at once, P. A block of channels lies within one group.
    drain
        Neurons drained per cycle, Q; it divides the lanes and the channels of a group.
    windows
        Dense projections and convolutions; at least one. A block gets their digits one window after another.
    skips
        Identity projections.
    fraction
        `F`.
    parameter_sets
        1, or T where bias, θ or identity weights differ between time steps.
    repeats
        Time steps that one current serves: T where a static input is the only source, else 1.
    """

    name: str
    map: Map
    lanes: int
    drain: int
    windows: tuple[WindowProfile, ...]
    skips: tuple[SkipProfile, ...]
    fraction: int
    parameter_sets: int
    repeats: int
    neuron: NeuronProfile | None
    widths: Widths

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.map.channels

    @property
    def groups(self) -> int:
        """Groups of output channels that no block may straddle; each window's own groups divide it."""
        return max(window.scan.groups for window in self.windows)

    @property
    def group_channels(self) -> int:
        """Output channels of a group."""
        return self.channels // self.groups

    @property
    def group_blocks(self) -> int:
        """Blocks of a group."""
        return -(-self.group_channels // self.lanes)

    @property
    def blocks(self) -> int:
        """Blocks of `lanes` channels, in all groups."""
        return self.groups * self.group_blocks

    @property
    def words(self) -> int:
        """Words of `drain` neurons at each position."""
        return self.channels // self.drain

    def replays(self, window: WindowProfile) -> int:
        """How often a window's events are replayed: the blocks of one of its groups."""
        return self.blocks // window.scan.groups

    def block_channels(self, block: int) -> range:
        """Output channels of a block."""
        group, place = divmod(block, self.group_blocks)
        first = group * self.group_channels + place * self.lanes
        return range(first, min(first + self.lanes, (group + 1) * self.group_channels))

    def weight_rows(self, window: WindowProfile) -> int:
        """Rows of a window's weight memory, in order (set, block, input)."""
        return window.weight_sets * self.blocks * window.inputs


@dataclass(frozen=True)
class PoolProfile:
    """A pool as the hardware sees it; `levels` is the largest that leaves."""

    name: str
    pooling: Pooling
    scan: ScanProfile
    levels: int

    @property
    def map(self) -> Map:
        """The pooled map."""
        window = self.scan.window
        return Map(self.scan.map.channels, window.height, window.width)


@dataclass(frozen=True)
class AddProfile:
    """A sum of two sources as the hardware sees it; `levels` is the largest that leaves."""

    name: str
    map: Map
    buffers: tuple[BufferProfile, BufferProfile]
    levels: int


StageProfile = LayerProfile | PoolProfile | AddProfile


@dataclass(frozen=True)
class InputProfile:
    """The input stream: its map, largest level, and how many time steps of a sample are presented, 1 or T."""

    map: Map
    levels: int
    steps: int


@dataclass(frozen=True)
class Profile:
    """A whole design as the hardware sees it.

    Attributes
    ----------
    name
        Name of the design.
    steps
        `T`.
    order
        How time runs, see `Order`; with one step or one position everywhere both are the same.
    input
        The input stream.
    stages
        Layers, pools and sums in topological order; the readout is the last.
    loaded
        Whether a host loads weights and parameters after a reset; else they are read-only memories.
    """

    name: str
    steps: int
    order: Order
    input: InputProfile
    stages: tuple[StageProfile, ...]
    loaded: bool = False

    @property
    def layers(self) -> tuple[LayerProfile, ...]:
        """The layers: all stages with neurons, and the readout."""
        return tuple(stage for stage in self.stages if isinstance(stage, LayerProfile))

    @property
    def sources(self) -> dict[str, tuple[Map, int]]:
        """Map and largest level of every event stream by name: input, then all stages but the readout."""
        streams = {"input": (self.input.map, self.input.levels)}
        return streams | {stage.name: (stage.map, levels_of(stage)) for stage in self.stages[:-1]}

    @property
    def coding(self) -> dict[str, Coding]:
        """Coding by source name, of the sources that lead to a window."""
        return {window.source: window.coding for layer in self.layers for window in layer.windows}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` reads them back."""
        stages = [{"kind": _KINDS[type(stage)], **asdict(stage)} for stage in self.stages]
        return {**asdict(self), "stages": stages}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Profile":
        """Inverse of `to_json`.

        Raises
        ------
        InputError
            If a field is missing or unknown.
        """
        try:
            first = InputProfile(**{**data["input"], "map": Map(*data["input"]["map"])})
            stages = tuple(_stage(stage) for stage in data["stages"])
            return cls(**{**data, "input": first, "stages": stages})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"Hardware profile must have every field and no other: {error}") from None


def levels_of(stage: StageProfile) -> int:
    """Largest level that leaves a stage; 0 for the readout."""
    if isinstance(stage, LayerProfile):
        return stage.neuron.levels if stage.neuron is not None else 0
    return stage.levels


def scans_of(stage: StageProfile) -> tuple[ScanProfile, ...]:
    """The windows of a stage over its sources, in order."""
    if isinstance(stage, LayerProfile):
        return tuple(window.scan for window in stage.windows)
    return (stage.scan,) if isinstance(stage, PoolProfile) else ()


def buffers_of(stage: StageProfile) -> tuple[BufferProfile, ...]:
    """The buffers of a stage's other sources, in order."""
    if isinstance(stage, LayerProfile):
        return tuple(skip.buffer for skip in stage.skips)
    return stage.buffers if isinstance(stage, AddProfile) else ()


_KINDS: dict[type, str] = {LayerProfile: "layer", PoolProfile: "pool", AddProfile: "add"}


def _shifts(data: Mapping[str, Any] | None) -> ShiftSum | None:
    return data and ShiftSum(tuple((sign, shift) for sign, shift in data["terms"]))


def _scan(data: Mapping[str, Any]) -> ScanProfile:
    pairs = {name: tuple(data[name]) for name in ("kernel", "stride", "padding")}
    return ScanProfile(**{**data, **pairs, "map": Map(*data["map"])})


def _skip(data: Mapping[str, Any]) -> SkipProfile:
    return SkipProfile(**{**data, "buffer": BufferProfile(**data["buffer"])})


def _stage(data: Mapping[str, Any]) -> StageProfile:
    data = dict(data)
    kind = data.pop("kind")
    if kind == "pool":
        return PoolProfile(**{**data, "scan": _scan(data["scan"])})
    if kind == "add":
        first, second = (BufferProfile(**buffer) for buffer in data["buffers"])
        return AddProfile(**{**data, "map": Map(*data["map"]), "buffers": (first, second)})
    if kind != "layer":
        raise ValueError(f"stage kind {kind!r}")
    return _layer(data)


def _layer(data: Mapping[str, Any]) -> LayerProfile:
    neuron = data["neuron"]
    if neuron is not None:
        factors = {"leak": _shifts(neuron["leak"]), "factor": _shifts(neuron["factor"])}
        neuron = NeuronProfile(**{**neuron, **factors})
    return LayerProfile(
        **{
            **data,
            "map": Map(*data["map"]),
            "neuron": neuron,
            "windows": tuple(WindowProfile(**{**w, "scan": _scan(w["scan"])}) for w in data["windows"]),
            "skips": tuple(_skip(skip) for skip in data["skips"]),
            "widths": Widths(**data["widths"]),
        }
    )
