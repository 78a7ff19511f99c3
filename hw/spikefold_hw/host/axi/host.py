"""The block between AXI4-Stream packets and AXI4-Lite registers."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Flow, In, Out

from spikefold_hw.host.axi.config import DEFAULT, WORD_BITS, AxiConfig, AxiFormat
from spikefold_hw.host.axi.events import PackedEvents
from spikefold_hw.host.axi.levels import PackedLevels
from spikefold_hw.host.axi.lite import AxiLite, lite_members
from spikefold_hw.host.axi.load import LoadWords
from spikefold_hw.host.axi.packets import AxisBeat
from spikefold_hw.host.axi.registers import COUNT_BITS, LOAD, LOAD_FREE, LOADS_DROPPED, axi_map
from spikefold_hw.host.axi.results import ResultPackets
from spikefold_hw.host.axi.stream_buffer import StreamBuffer
from spikefold_hw.host.block import Block
from spikefold_hw.host.dense import DenseEvents
from spikefold_hw.host.register_bank import RegisterBank
from spikefold_hw.host.registers import CONTROL
from spikefold_hw.interface import Interface
from spikefold_hw.parts.memory import Contents
from spikefold_hw.streams import connect
from spikefold_hw.typed import Component, Stream

SAMPLES, RESULTS, REGISTERS = "s_axis", "m_axis", "s_axi"
"""Names of the three buses, and prefixes of their ports."""

_UNDER_WAY_BITS = 16


def _axis(sends: bool, data_bits: int, user_bits: int) -> dict[str, wiring.Member]:
    """Ports of an AXI4-Stream without its prefix."""
    forward, backward = (Out, In) if sends else (In, Out)
    ports = {
        "tdata": forward(data_bits),
        "tkeep": forward(data_bits // 8),
        "tlast": forward(1),
        "tvalid": forward(1),
        "tready": backward(1),
    }
    return ports | ({"tuser": forward(user_bits)} if user_bits else {})


class AxiHost(Component):
    """A block with samples and results as AXI4-Stream packets and registers on AXI4-Lite.

    Every packet on `s_axis` gives one packet on `m_axis`, in order, always; one that is not a sample gives a
    result with `error` and spoils no other. Every output comes from a flip-flop.

    Parameters
    ----------
    interface
        The block from outside.
    config
        The choices.
    gateware, contents
        The block's gateware and rows of the memory `identification`, for Amaranth's simulator.

    Members
    -------
    s_axis_t..
        Samples: see `PackedLevels` and `PackedEvents`. TUSER is the tag, if there is one.
    m_axis_t..
        Results, see `ResultPackets`.
    s_axi_..
        The registers of `axi_map`, see `AxiLite`.

    Raises
    ------
    InputError
        If the block's numbers do not fit what was chosen, or it does not check its input.
    """

    def __init__(
        self,
        interface: Interface,
        config: AxiConfig = DEFAULT,
        gateware: Component | None = None,
        contents: Contents | None = None,
    ):
        self.format = AxiFormat.of(interface, config)
        self._interface, self._contents = interface, contents
        self._map = axi_map(interface, 0, config)
        self._block = Block(interface, gateware)
        buses = {
            SAMPLES: _axis(False, self.format.data_bits, interface.tag_bits),
            RESULTS: _axis(True, WORD_BITS, 0),
            REGISTERS: lite_members(self._map.address_bits),
        }
        super().__init__(
            {f"{bus}_{name}": member for bus, ports in buses.items() for name, member in ports.items()}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        restart = Signal()
        m.submodules.block = block = self._block
        m.d.comb += block.restart.eq(restart)
        strobes, begun = self._samples(m, block, restart)
        self._results(m, block, restart)
        lite = self._lite(m)
        own: dict[str, Value] = {}
        if self._interface.loaded:
            load = self._load(m, block, lite, restart)
            own[LOAD_FREE] = load.free
            strobes[LOADS_DROPPED] = load.dropped
        own |= {name: self._count(m, name, strobe, restart) for name, strobe in strobes.items()}
        busy = begun | self._under_way(m, block, restart)
        self._registers(m, block, lite, own, busy)
        m.d.sync += restart.eq(self._written(lite, CONTROL.name) & lite.strobes[0] & lite.written[0])
        return m

    def _samples(self, m: Module, block: Block, restart: Value) -> tuple[dict[str, Signal], Signal]:
        """From packets to the block; strobes of what is wrong with them, and whether one is under way."""
        reset = ResetInserter(restart)
        events, tag_bits = self._interface.input, self._interface.tag_bits
        buffer = StreamBuffer(AxisBeat(self.format.data_bits, tag_bits))
        m.submodules.samples = reset(buffer)
        self._join(m, SAMPLES, buffer.i)
        if self.format.config.input == "events":
            packed = PackedEvents(events, tag_bits)
            m.submodules.packed = reset(packed)
            connect(m, buffer.o, packed.i)
            connect(m, packed.o, block.i)
            wrong = {"packets_end": packed.end_wrong, "packets_keep": packed.keep_wrong}
            return wrong | {"packets_bits": packed.bits_high}, packed.open
        levels, dense = PackedLevels(events, self.format), DenseEvents(events, self.format.lanes, tag_bits)
        m.submodules.levels, m.submodules.dense = reset(levels), reset(dense)
        connect(m, buffer.o, levels.i)
        connect(m, levels.o, dense.i)
        connect(m, dense.o, block.i)
        wrong = {"packets_short": dense.short, "packets_long": dense.long}
        return wrong | {"packets_keep": levels.keep_wrong, "packets_level": levels.level_high}, dense.open

    def _results(self, m: Module, block: Block, restart: Value) -> None:
        reset = ResetInserter(restart)
        packets = ResultPackets(self._interface.classes, self._interface.logit_bits, self.format)
        buffer = StreamBuffer(AxisBeat(WORD_BITS))
        m.submodules.packets, m.submodules.results = reset(packets), reset(buffer)
        connect(m, block.o, packets.i)
        connect(m, packets.o, buffer.i)
        self._join(m, RESULTS, buffer.o)

    def _join(self, m: Module, bus: str, port: Stream) -> None:
        """Connect the ports of a stream."""
        beat, fields = port.payload, port.payload.shape().members
        pairs = [(getattr(self, f"{bus}_t{name}"), beat[name]) for name in fields]
        pairs.append((getattr(self, f"{bus}_tvalid"), port.valid))
        ready = getattr(self, f"{bus}_tready")
        if bus == SAMPLES:
            m.d.comb += [inner.eq(outer) for outer, inner in pairs] + [ready.eq(port.ready)]
        else:
            m.d.comb += [outer.eq(inner) for outer, inner in pairs] + [port.ready.eq(ready)]

    def _lite(self, m: Module) -> AxiLite:
        m.submodules.lite = lite = AxiLite(self._map.address_bits)
        for name, member in lite_members(self._map.address_bits).items():
            port, inner = getattr(self, f"{REGISTERS}_{name}"), getattr(lite, name)
            m.d.comb += port.eq(inner) if member.flow == Flow.Out else inner.eq(port)
        return lite

    def _written(self, lite: AxiLite, name: str) -> Value:
        """Whether a register is written."""
        found: Value = lite.write & (lite.write_address == self._map.find(name).address)
        return found

    def _load(self, m: Module, block: Block, lite: AxiLite, restart: Value) -> LoadWords:
        load = LoadWords()
        m.submodules.load = ResetInserter(restart)(load)
        m.d.comb += [
            load.write.eq(self._written(lite, LOAD)),
            load.word.eq(lite.written),
            load.strobes.eq(lite.strobes),
        ]
        connect(m, load.o, block.load)
        return load

    def _count(self, m: Module, name: str, strobe: Value, restart: Value) -> Signal:
        count = Signal(COUNT_BITS, name=name)
        with m.If(restart):
            m.d.sync += count.eq(0)
        with m.Elif(strobe & ~count.all()):
            m.d.sync += count.eq(count + 1)
        return count

    def _under_way(self, m: Module, block: Block, restart: Value) -> Value:
        """Whether a sample has gone into the block whose result has not left it."""
        samples = Signal(_UNDER_WAY_BITS)
        ends = block.i.valid & block.i.ready & block.i.payload.end_sample
        leaves = block.o.valid & block.o.ready & block.o.payload.last
        with m.If(restart):
            m.d.sync += samples.eq(0)
        with m.Else():
            m.d.sync += samples.eq(samples + ends - leaves)
        return samples.any()

    def _registers(
        self, m: Module, block: Block, lite: AxiLite, own: Mapping[str, Value], busy: Value
    ) -> None:
        m.submodules.bank = bank = RegisterBank(self._map, self._contents)
        loaded = Cat(block.loaded, block.load_error) if self._interface.loaded else Cat(1, 0)
        m.d.comb += [
            bank.address.eq(lite.read_address),
            lite.value.eq(bank.value),
            bank.status.eq(Cat(loaded, busy)),
            block.counter_select.eq(bank.counter_select),
            bank.counter_value.eq(block.counter_value),
        ]
        m.d.comb += [bank.own(name).eq(value) for name, value in own.items()]
