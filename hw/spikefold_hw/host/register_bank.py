"""The registers of a host in gateware: one word for an address."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.registers import COUNTERS, IDENTIFICATION_ROWS, STATUS, RegisterMap
from spikefold_hw.parts.counters import VALUE_BITS
from spikefold_hw.parts.memory import Contents, Rom
from spikefold_hw.streams import index_bits
from spikefold_hw.typed import Component

IDENTIFICATION = "identification"
"""Name of the memory, and stem of the image, that holds the constants."""


class RegisterBank(Component):
    """Reads the registers of a map.

    Parameters
    ----------
    map
        The registers.
    contents
        Rows of the memory `IDENTIFICATION`, for simulation in Amaranth.

    Members
    -------
    address : In
        Number of a word. Where no register is, and of one that can only be written, 0 is read.
    value : Out(32)
        The register, `latency` cycles later.
    status : In(3)
        What the register of that name holds.
    counter_select : Out, counter_value : In
        To the block's counters.
    own_<name> : In
        The host's own registers that can be read.
    """

    latency = 2
    """Cycles from an address to its value."""

    address: Signal
    value: Signal
    status: Signal
    counter_select: Signal
    counter_value: Signal

    def __init__(self, map: RegisterMap, contents: Contents | None = None):  # noqa: A002 - as it is called
        self._contents = contents
        first = COUNTERS + len(map.counters)
        self._own = [r for r in map.registers if r.address >= first and r.access == "read"]
        self._counters = len(map.counters)
        own = {f"own_{register.name}": In(register.bits) for register in self._own}
        super().__init__(
            {
                "address": In(map.address_bits),
                "value": Out(VALUE_BITS),
                "status": In(STATUS.bits),
                "counter_select": Out(index_bits(self._counters)),
                "counter_value": In(VALUE_BITS),
            }
            | own
        )

    def own(self, name: str) -> Signal:
        """The input of one of the host's own registers."""
        found: Signal = getattr(self, f"own_{name}")
        return found

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = IDENTIFICATION_ROWS
        m.submodules.identification = memory = Rom(IDENTIFICATION, VALUE_BITS, rows, self._contents)
        read = memory.read_port()
        other = Signal(VALUE_BITS)
        constant, counter = Signal(), Signal()
        number = self.address - COUNTERS
        m.d.comb += [read.addr.eq(self.address), read.en.eq(1), self.counter_select.eq(number)]
        m.d.sync += [
            constant.eq(self.address < rows),
            counter.eq((self.address >= COUNTERS) & (self.address < COUNTERS + self._counters)),
            other.eq(0),
            self.value.eq(Mux(constant, read.data, Mux(counter, self.counter_value, other))),
        ]
        with m.Switch(self.address):
            with m.Case(STATUS.address):
                m.d.sync += other.eq(self.status)
            for register in self._own:
                with m.Case(register.address):
                    m.d.sync += other.eq(self.own(register.name))
        return m
