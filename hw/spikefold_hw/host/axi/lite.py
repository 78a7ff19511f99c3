"""AXI4-Lite: one read and one write at a time, and never an answer that waits for the block."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.register_bank import RegisterBank
from spikefold_hw.parts.counters import VALUE_BITS
from spikefold_hw.typed import Component

BYTE_BITS = 2
"""Lowest bits of a byte address, which a register's number does not have."""


def lite_members(address_bits: int) -> dict[str, wiring.Member]:
    """Ports of an AXI4-Lite slave without its prefix, for registers whose number has so many bits."""
    address = address_bits + BYTE_BITS
    return {
        "awaddr": In(address),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(VALUE_BITS),
        "wstrb": In(VALUE_BITS // 8),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(address),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(VALUE_BITS),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }


class AxiLite(Component):
    """Turns AXI4-Lite transfers into reads and writes of registers.

    Every ready and valid comes from a flip-flop. Every answer is OKAY: an address without a register is read
    as 0, and a write to it does nothing.

    Parameters
    ----------
    address_bits
        Of a register's number.

    Members
    -------
    awaddr, .. rready
        As `lite_members`.
    write : Out(1)
        Strobe: `written`, with the bytes that `strobes` names, is for the register `write_address`.
    write_address, written, strobes : Out
        As above.
    read_address : Out
        The register that is read.
    value : In(32)
        Its value, `RegisterBank.latency` cycles later.
    """

    write: Signal
    write_address: Signal
    written: Signal
    strobes: Signal
    read_address: Signal
    value: Signal
    awaddr: Signal
    awvalid: Signal
    awready: Signal
    wdata: Signal
    wstrb: Signal
    wvalid: Signal
    wready: Signal
    bvalid: Signal
    bready: Signal
    araddr: Signal
    arvalid: Signal
    arready: Signal
    rdata: Signal
    rvalid: Signal
    rready: Signal

    def __init__(self, address_bits: int):
        super().__init__(
            {
                **lite_members(address_bits),
                "write": Out(1),
                "write_address": Out(address_bits),
                "written": Out(VALUE_BITS),
                "strobes": Out(VALUE_BITS // 8),
                "read_address": Out(address_bits),
                "value": In(VALUE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m: Module) -> None:
        """Address and data come in any order; with both the register is written and the answer sent."""
        has_address, has_data = Signal(), Signal()
        both = has_address & has_data
        m.d.comb += [
            self.awready.eq(~has_address),
            self.wready.eq(~has_data),
            self.write.eq(both & ~self.bvalid),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [has_address.eq(1), self.write_address.eq(self.awaddr[BYTE_BITS:])]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [has_data.eq(1), self.written.eq(self.wdata), self.strobes.eq(self.wstrb)]
        with m.If(self.write):
            m.d.sync += [self.bvalid.eq(1), has_address.eq(0), has_data.eq(0)]
        with m.Elif(self.bready):
            m.d.sync += self.bvalid.eq(0)

    def _read(self, m: Module) -> None:
        """The address waits for the bank, and the next one until the value has gone."""
        waiting = Signal(RegisterBank.latency + 1)
        idle = Signal(init=1)
        m.d.comb += self.arready.eq(idle)
        m.d.sync += waiting.eq(waiting << 1)
        with m.If(self.arvalid & idle):
            m.d.sync += [idle.eq(0), waiting.eq(1), self.read_address.eq(self.araddr[BYTE_BITS:])]
        with m.If(waiting[-1]):
            m.d.sync += [self.rvalid.eq(1), self.rdata.eq(self.value)]
        with m.If(self.rvalid & self.rready):
            m.d.sync += [self.rvalid.eq(0), idle.eq(1)]
