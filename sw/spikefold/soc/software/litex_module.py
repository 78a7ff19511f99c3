"""A LiteX module: the design between streams, its registers on an AXI4-Lite bus.

In a SoC::

    from digits_axi.litex_module import Accelerator
    self.accelerator = Accelerator(platform)
    self.bus.add_slave("accelerator", self.accelerator.bus, SoCRegion(size=Accelerator.SIZE, cached=False))

`sink` takes samples and `source` gives results; join them to DMA engines (`WishboneDMAReader`, ..) or other
modules. A packet ends with `last`.
"""

from pathlib import Path
from typing import Any

from litex.gen import LiteXModule
from litex.soc.interconnect import axi
from migen import ClockSignal, Constant, Instance, ResetSignal

from . import registers

_FOLDER = Path(__file__).resolve().parents[2]
_ADDRESS_BITS = 32


class Accelerator(LiteXModule):  # type: ignore[misc]  # LiteX has no types
    """The design in the clock domain `sys`.

    Parameters
    ----------
    platform
        Its Verilog files are added to this one.

    Attributes
    ----------
    sink, source
        AXI4-Streams: packets of samples and of results.
    bus
        AXI4-Lite: the registers.
    """

    SIZE = 4 << (max(registers.OFFSETS.values()) >> 2).bit_length()
    """Bytes of the registers' addresses."""

    def __init__(self, platform: Any) -> None:
        size, tag_bits = registers.SIZES["beat_bytes"], registers.CONSTANTS["tag_bits"]
        self.sink = sink = axi.AXIStreamInterface(8 * size, keep_width=size, user_width=tag_bits)
        self.source = source = axi.AXIStreamInterface(32, keep_width=4)
        self.bus = bus = axi.AXILiteInterface(data_width=32, address_width=_ADDRESS_BITS)
        tag = {"i_s_axis_tuser": sink.user} if tag_bits else {}
        self.specials += Instance(
            registers.NAME,
            p_MEM_DIR=str(_FOLDER / "mem"),
            i_aclk=ClockSignal("sys"),
            i_aresetn=~ResetSignal("sys"),
            i_s_axis_tdata=sink.data,
            i_s_axis_tkeep=sink.keep,
            i_s_axis_tlast=sink.last,
            i_s_axis_tvalid=sink.valid,
            o_s_axis_tready=sink.ready,
            **tag,
            o_m_axis_tdata=source.data,
            o_m_axis_tkeep=source.keep,
            o_m_axis_tlast=source.last,
            o_m_axis_tvalid=source.valid,
            i_m_axis_tready=source.ready,
            **_lite(bus),
        )
        for file in sorted((_FOLDER / "rtl").glob("*.v")):
            platform.add_source(str(file))


def _lite(bus: Any) -> dict[str, Any]:
    """Connections of the registers' port."""
    low = Accelerator.SIZE.bit_length() - 1
    return {
        "i_s_axi_awaddr": bus.aw.addr[:low],
        "i_s_axi_awprot": Constant(0, 3),
        "i_s_axi_awvalid": bus.aw.valid,
        "o_s_axi_awready": bus.aw.ready,
        "i_s_axi_wdata": bus.w.data,
        "i_s_axi_wstrb": bus.w.strb,
        "i_s_axi_wvalid": bus.w.valid,
        "o_s_axi_wready": bus.w.ready,
        "o_s_axi_bresp": bus.b.resp,
        "o_s_axi_bvalid": bus.b.valid,
        "i_s_axi_bready": bus.b.ready,
        "i_s_axi_araddr": bus.ar.addr[:low],
        "i_s_axi_arprot": Constant(0, 3),
        "i_s_axi_arvalid": bus.ar.valid,
        "o_s_axi_arready": bus.ar.ready,
        "o_s_axi_rdata": bus.r.data,
        "o_s_axi_rresp": bus.r.resp,
        "o_s_axi_rvalid": bus.r.valid,
        "i_s_axi_rready": bus.r.ready,
    }
