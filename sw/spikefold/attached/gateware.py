"""A design with its host on a UART, as files: what a board is built from, and what is simulated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spikefold.files import sha256, write_atomic
from spikefold.flow.artefact import Artefact, Clock
from spikefold.flow.work import work_folder
from spikefold.ir import save_network
from spikefold_hw.host.emission import check_apart
from spikefold_hw.host.registers import RegisterMap, network_id
from spikefold_hw.host.uart.hello import Hello
from spikefold_hw.host.uart.host import UartHost, emit_uart, uart_top
from spikefold_hw.host.uart.link import BUFFER_BITS, HELLO, hello_of, link_registers
from spikefold_hw.host.uart.rate import BitRate
from spikefold_hw.parts.images import Image

if TYPE_CHECKING:
    from spikefold.design import Design

BAUD = 1_000_000
"""Bits a second of the wire, unless a user wants another rate."""


@contextmanager
def uart_host(
    design: "Design", clock_hz: int, baud: int = BAUD, buffer_bits: int = BUFFER_BITS
) -> Iterator[Artefact]:
    """The design with its host on a UART, as files for the length of the block.

    The top `<name>_uart` has the ports `clk`, `rst`, `rx` and `tx`. The files of the design are as they are
    without it, and beside them stand the host's and a memory image with what the device says of itself.

    Parameters
    ----------
    clock_hz, baud
        Frequency of `clk`, and bits a second of the wire: a bit takes 4 cycles at least.
    buffer_bits
        Logarithm of the bytes that wait for the design, at least 8.

    Raises
    ------
    InputError
        If the design does not check its input, its name is taken, or an option does not fit.
    """
    rate, interface = BitRate(clock_hz, baud), design.interface
    emission = emit_uart(UartHost(interface, rate, buffer_bits), design.name, rate)
    check_apart(design.verilog(), emission.verilog)
    with design.artefact() as block, work_folder() as folder:
        for name, text in emission.verilog.items():
            write_atomic(folder / name, text.encode())
        own = tuple(folder / name for name in emission.verilog if name not in block.names)
        assert block.mem is not None
        hello = device_hello(design, clock_hz, buffer_bits)
        write_atomic(block.mem / f"{HELLO}.mem", hello_image(hello).hexadecimal)
        clock = Clock(mhz=clock_hz / 1e6)
        yield replace(block, rtl=(*block.rtl, *own), top=uart_top(design.name), ports=None, clock=clock)


def device_hello(design: "Design", clock_hz: int, buffer_bits: int = BUFFER_BITS) -> Hello:
    """What a device with this design says of itself."""
    registers = device_registers(design)
    return hello_of(design.interface, registers, clock_hz, buffer_bits)


def device_registers(design: "Design") -> RegisterMap:
    """The registers of a device with this design."""
    with work_folder() as folder:
        save_network(design.network, folder / "network.npz")
        number = network_id(sha256(folder / "network.npz"))
    return RegisterMap.of(design.interface, number, link_registers(design.interface))


def hello_image(hello: Hello) -> Image:
    """The memory from which a device says what it is."""
    return Image.of([(np.frombuffer(hello.packed, np.uint8), 8)])
