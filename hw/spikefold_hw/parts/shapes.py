"""What the parts need to know of a population: small shapes that a plan hands them."""

from dataclasses import dataclass

from spikefold.ir.coding import Coding, shifts_of
from spikefold.ir.maps import Map
from spikefold.ir.neuron import Reset, Rounding, ShiftSum, ladder_weights
from spikefold.ir.stages import Pooling
from spikefold_hw.order import Time
from spikefold_hw.parts.leak import Leak


@dataclass(frozen=True)
class Blocks:
    """How output channels are cut into blocks that are computed at once.

    Attributes
    ----------
    channels
        Output channels.
    groups
        Groups of consecutive channels, which no block straddles.
    lanes
        Channels of a block, P.
    units
        Neurons that are drained per cycle, Q; it divides the lanes and the channels of a group.
    """

    channels: int
    groups: int
    lanes: int
    units: int

    @property
    def group_channels(self) -> int:
        """Channels of a group."""
        return self.channels // self.groups

    @property
    def group_blocks(self) -> int:
        """Blocks of a group."""
        return -(-self.group_channels // self.lanes)

    @property
    def count(self) -> int:
        """Blocks in all groups."""
        return self.groups * self.group_blocks

    @property
    def words(self) -> int:
        """Words of `units` neurons at each position."""
        return self.channels // self.units

    def channels_of(self, block: int) -> range:
        """Output channels of a block."""
        group, place = divmod(block, self.group_blocks)
        first = group * self.group_channels + place * self.lanes
        return range(first, min(first + self.lanes, (group + 1) * self.group_channels))


@dataclass(frozen=True)
class WeightsShape:
    """Weights of one projection as the lanes see them.

    Attributes
    ----------
    bits
        Of a weight; 1 means -1 and +1.
    sets
        1, or T where the weights differ between time steps.
    inputs
        Rows of weights per block: neurons under the kernel, of one group.
    levels, coding
        Largest level of the source, and how a level is taken apart into digits.
    """

    bits: int
    sets: int
    inputs: int
    levels: int
    coding: Coding

    @property
    def shifts(self) -> int:
        """Shifts that a digit can have: 0 to one less."""
        return shifts_of(self.levels, self.coding)


@dataclass(frozen=True)
class LanesShape:
    """P lanes and the weights that they add.

    Attributes
    ----------
    name
        Of the population; its memories are named after it.
    blocks
        How its channels are cut into blocks.
    weights
        Of each projection; at least one. A block gets the digits of one after another.
    bits
        Of an accumulator.
    word
        Most bits of a row of the weight memories, where these are of a kind with rows of that width; None
        for block RAM, whose rows are as wide as its depth allows.
    """

    name: str
    blocks: Blocks
    weights: tuple[WeightsShape, ...]
    bits: int
    word: int | None = None

    def rows(self, port: int) -> int:
        """Rows of the weight memories of the `port`-th projection, in order (set, block, input)."""
        weights = self.weights[port]
        return weights.sets * self.blocks.count * weights.inputs


@dataclass(frozen=True)
class NeuronShape:
    """The part of `spikefold.ir.Neuron` that shapes hardware."""

    levels: int
    rounding: Rounding
    reset: Reset
    leak: Leak
    factor: ShiftSum | None
    fire_floor: bool
    membrane_bits: int | None

    @property
    def merged(self) -> bool:
        """Whether `h` is added together with the bias: possible where nothing acts on `u` in between."""
        return self.membrane_bits is None and self.factor is None

    @property
    def ladder(self) -> tuple[int, ...]:
        """The multiples of θ that are tried in turn."""
        return ladder_weights(self.levels, self.rounding)

    @property
    def mirrored(self) -> bool:
        """Whether the membrane is kept as `-v`; see `NeuronUnit`."""
        return self.rounding == "half_even" and self.reset == "subtract"

    @property
    def top(self) -> int:
        """`m`, the multiple of θ that the ladder tries first."""
        return self.ladder[0]

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
class SkipShape:
    """An identity projection: largest level of its source, cells that wait at most, bits of its weights."""

    levels: int
    depth: int
    weight_bits: int


@dataclass(frozen=True)
class DrainShape:
    """What happens to a population's sums: parameters, skips, neuron (None: readout), state.

    Attributes
    ----------
    name
        Of the population; its memories are named after it.
    blocks
        Channels, and units Q.
    positions
        Of its map.
    time
        Time steps and their order.
    neuron
        What the neuron computes; None for a readout.
    widths
        Bits of every number.
    fraction
        `F`.
    parameter_sets
        1, or T where bias, θ or identity weights differ between time steps.
    skips
        Identity projections.
    """

    name: str
    blocks: Blocks
    positions: int
    time: Time
    neuron: NeuronShape | None
    widths: Widths
    fraction: int = 0
    parameter_sets: int = 1
    skips: tuple[SkipShape, ...] = ()

    @property
    def state_rows(self) -> int:
        """Rows of the state memory: words between two uses of a neuron's state."""
        return self.blocks.words * (self.positions if self.time.order == "step_major" else 1)


@dataclass(frozen=True)
class PoolShape:
    """A pool: the map that leaves, largest level that comes and that leaves, time steps and their order."""

    map: Map
    pooling: Pooling
    source_levels: int
    levels: int
    time: Time
