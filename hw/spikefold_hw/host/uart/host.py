"""The block with a host on a UART: four pins."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib.wiring import In, Out

from spikefold_hw.emit import Description, Emission, Shell, emit
from spikefold_hw.host.block import Block
from spikefold_hw.host.uart.link import BUFFER_BITS, HELLO, UartLink
from spikefold_hw.host.uart.rate import BitRate
from spikefold_hw.interface import Interface
from spikefold_hw.memory_choice import MemoryChoice
from spikefold_hw.parts.memory import Contents
from spikefold_hw.streams import connect
from spikefold_hw.typed import Component


class UartHost(Component):
    """A block that is reached through a wire each way, see `docs/hosts.md`.

    Parameters
    ----------
    interface
        The block from outside.
    rate
        Of the wire.
    buffer_bits
        Logarithm of the bytes that wait for the block.
    gateware, contents
        The block's gateware, and rows of memories, for simulation in Amaranth.

    Members
    -------
    rx : In(1)
        From the host; of any clock.
    tx : Out(1)
        To the host.

    Raises
    ------
    InputError
        If the block does not check its input, or has more counters than an address reaches.
    """

    rx: Signal
    tx: Signal

    def __init__(
        self,
        interface: Interface,
        rate: BitRate,
        buffer_bits: int = BUFFER_BITS,
        gateware: Component | None = None,
        contents: Contents | None = None,
    ):
        self._block = Block(interface, gateware)
        result = self._block.o.payload.shape()
        self._link = UartLink(interface, rate, result, buffer_bits, contents)
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        block, link = self._block, self._link
        restart = Signal()
        m.submodules.block = block
        m.submodules.link = ResetInserter(restart)(link)
        m.d.sync += restart.eq(link.restart & ~restart)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx), block.restart.eq(restart)]
        connect(m, block.o, link.results)
        m.d.comb += [
            block.i.valid.eq(link.events.valid),
            link.events.ready.eq(block.i.ready),
            block.counter_select.eq(link.counter_select),
            link.counter_value.eq(block.counter_value),
        ]
        # A tag is not needed: results come in order.
        m.d.comb += [block.i.payload[name].eq(link.events.payload[name]) for name in _fields(link)]
        if block.interface.loaded:
            connect(m, link.load, block.load)
            m.d.comb += [link.loaded.eq(block.loaded), link.load_error.eq(block.load_error)]
        else:
            m.d.comb += [link.loaded.eq(1), link.load.ready.eq(1)]
        return m


def _fields(link: UartLink) -> list[str]:
    return list(link.events.payload.shape().members)


def emit_uart(host: UartHost, name: str, rate: BitRate) -> Emission:
    """Verilog of the module `<name>_uart`, which needs the files of the block `<name>_top` beside its own."""
    summary = (
        f"{name}_top with a host on a UART of {rate.baud} baud at a clock of {rate.clock_hz} Hz, "
        f"see docs/hosts.md of spikefold."
    )
    ports = {
        "rx": "from the host: 8 bits, no parity, 1 stop bit; of any clock",
        "tx": "to the host",
    }
    description = Description(summary=summary, ports=ports)
    return emit(host, name, description, [MemoryChoice(HELLO, "block")], Shell(uart_top(name)))


def uart_top(name: str) -> str:
    """Name of the top module of a design with a host on a UART."""
    return f"{name}_uart"
