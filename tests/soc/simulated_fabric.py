"""A design on AXI in Amaranth's simulator, behind what PYNQ shows of registers and a DMA engine."""

from collections import deque

import numpy as np
from amaranth.sim import Simulator

from spikefold_hw.host.axi.host import AxiHost
from spikefold_hw.host.register_bank import IDENTIFICATION

PATIENCE = 20_000
"""Steps of the simulator after which a call counts as hung."""


class Fabric:
    """The simulated design; `control` and `dma` are what a driver gets."""

    def __init__(self, axi):
        design, self._size = axi.design, axi.config.bytes
        contents = {name: image.words for name, image in design.images.items()}
        gateware = design.architecture.top(design.plan, contents)
        rows = {IDENTIFICATION: list(axi.registers.identification)}
        self._host = AxiHost(design.interface, axi.config, gateware, rows)
        self._beats, self._received, self._buffer = deque(), None, None
        self._request, self._answer = None, None
        self._simulator = Simulator(self._host)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._streams, background=True)
        self._simulator.add_testbench(self._lite, background=True)
        self.sendchannel, self.recvchannel = _Sending(self), _Receiving(self)
        self.control = self.dma = self

    def read(self, offset):
        return self._ask((offset, None))

    def write(self, offset, value):
        self._ask((offset, value))

    def _ask(self, request):
        self._request, self._answer = request, None
        self.run(lambda: self._answer is not None)
        return self._answer

    def run(self, done):
        """Go on until something is so."""
        for _ in range(PATIENCE):
            if done():
                return
            self._simulator.advance()
        raise AssertionError("the simulated design hangs")

    def send(self, data):
        size = self._size
        parts = [data[k : k + size] for k in range(0, len(data), size)]
        self._beats += [(part, part is parts[-1]) for part in parts]

    @property
    def sent(self):
        return not self._beats

    def receive(self, buffer):
        self._received, self._buffer = [], buffer

    @property
    def received(self):
        return self._buffer is None

    async def _streams(self, ctx):
        host = self._host
        while True:
            part, last = self._beats[0] if self._beats else (b"", False)
            ctx.set(host.s_axis_tvalid, bool(part))
            ctx.set(host.s_axis_tdata, int.from_bytes(part, "little"))
            ctx.set(host.s_axis_tkeep, (1 << len(part)) - 1)
            ctx.set(host.s_axis_tlast, last)
            ctx.set(host.m_axis_tready, self._buffer is not None)
            watched = (host.s_axis_tready, host.m_axis_tvalid, host.m_axis_tdata, host.m_axis_tlast)
            _, _, ready, valid, data, ends = await ctx.tick().sample(*watched)
            if part and ready:
                self._beats.popleft()
            if valid and self._buffer is not None:
                self._received.append(data)
                if ends:
                    self._buffer[:] = self._received
                    self._buffer = None

    async def _lite(self, ctx):
        host = self._host
        ctx.set(host.s_axi_bready, 1)
        ctx.set(host.s_axi_rready, 1)
        ctx.set(host.s_axi_wstrb, 15)
        while True:
            await ctx.tick()
            if self._request is None:
                continue
            offset, value = self._request
            self._request = None
            kind, done = ("ar", host.s_axi_rvalid) if value is None else ("aw", host.s_axi_bvalid)
            ctx.set(getattr(host, f"s_axi_{kind}addr"), offset)
            ctx.set(host.s_axi_wdata, value or 0)
            ctx.set(getattr(host, f"s_axi_{kind}valid"), 1)
            ctx.set(host.s_axi_wvalid, value is not None)
            await ctx.tick()
            ctx.set(getattr(host, f"s_axi_{kind}valid"), 0)
            ctx.set(host.s_axi_wvalid, 0)
            (self._answer,) = await ctx.tick().sample(host.s_axi_rdata).until(done)


class _Sending:
    def __init__(self, fabric):
        self._fabric = fabric

    def transfer(self, buffer):
        self._fabric.send(bytes(buffer))

    def wait(self):
        self._fabric.run(lambda: self._fabric.sent)


class _Receiving:
    def __init__(self, fabric):
        self._fabric = fabric

    def transfer(self, buffer):
        self._fabric.receive(buffer)

    def wait(self):
        self._fabric.run(lambda: self._fabric.received)


def allocate(shape, dtype):
    return np.zeros(shape, dtype)
