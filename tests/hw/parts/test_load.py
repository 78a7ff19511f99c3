"""Memories written by a stream of bytes: every row arrives, whatever the sizes and the pauses."""

import subprocess

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from stream_bench import simulate

from spikefold.errors import InputError
from spikefold.ir import Conv, Dense, Identity, Input, Network, Neuron, Population
from spikefold_hw.emit import emit
from spikefold_hw.memory_choice import MemoryChoice
from spikefold_hw.parts.images import Image, ImageSize
from spikefold_hw.parts.load import Loadable, LoadChain, image_memory
from spikefold_hw.parts.memory import Rom
from spikefold_hw.streaming.planning import plan_of


class Memories(wiring.Component):
    """A chain and its memories, all read at one address."""

    def __init__(self, sizes):
        self.sizes = sizes
        self.chain = LoadChain(sizes)
        self.clear = Signal()
        depth = max(size.depth for size in sizes)
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "restart": In(1),
                "full": Out(1),
                "address": In(range(max(depth, 2))),
                **{size.name: Out(size.width) for size in sizes},
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.chain = self.chain
        m.d.comb += [
            self.i.ready.eq(1),
            self.chain.i.valid.eq(self.i.valid),
            self.chain.i.payload.eq(self.i.payload),
        ]
        m.d.comb += [self.full.eq(self.chain.full), self.chain.restart.eq(self.restart)]
        for size in self.sizes:
            memory = image_memory(size.name, size.width, size.depth, self.chain)
            # Deep in the hierarchy, as in a network.
            m.submodules[f"{size.name}_layer"] = layer = Module()
            layer.submodules.memory = memory
            read = memory.read_port()
            m.d.comb += [
                read.en.eq(1),
                read.addr.eq(self.address),
                getattr(self, size.name).eq(read.data),
            ]
        return m


def random_image(rng, size):
    """An image of that size, as the compiler packs it: a column per bit."""
    bits = rng.integers(0, 2, (size.width, size.depth))
    return Image.of([(column, 1) for column in bits])


async def load(ctx, dut, payload, pause, rng):
    """Send bytes and go on until `full`; returns the cycles it took."""
    sent, cycle = 0, 0
    while not ctx.get(dut.full):
        assert cycle < 40 * len(payload) + 1000, f"stuck after {sent} bytes"
        valid = sent < len(payload) and rng.random() >= pause
        ctx.set(dut.i.valid, valid)
        ctx.set(dut.i.payload, payload[sent] if valid else int(rng.integers(256)))
        await ctx.tick()
        sent += valid
        cycle += 1
    assert sent == len(payload)
    ctx.set(dut.i.valid, 0)
    return cycle


async def rows_of(ctx, dut):
    """Rows of every memory, by name."""
    rows = {size.name: [] for size in dut.sizes}
    for address in range(max(size.depth for size in dut.sizes)):
        ctx.set(dut.address, address)
        await ctx.tick()
        for size in dut.sizes:
            if address < size.depth:
                rows[size.name].append(ctx.get(getattr(dut, size.name)))
    return rows


def check_load(sizes, pause=0.0, seed=0, loads=1, between="clear"):
    """Load `loads` times with a reset, or a restart, in between; returns the cycles of the last."""
    rng = np.random.default_rng(seed)
    dut, took = Memories(sizes), []

    async def bench(ctx):
        for _ in range(loads):
            images = {size.name: random_image(rng, size) for size in sizes}
            payload = b"".join(image.data.tobytes() for image in images.values())
            took.append(await load(ctx, dut, payload, pause, rng))
            # Bytes after the last change nothing.
            ctx.set(dut.i.valid, 1)
            await ctx.tick().repeat(2 * len(sizes))
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(len(sizes))
            assert await rows_of(ctx, dut) == {name: image.words for name, image in images.items()}
            ctx.set(getattr(dut, between), 1)
            await ctx.tick()
            ctx.set(getattr(dut, between), 0)
            assert not ctx.get(dut.full)

    simulate(ResetInserter(dut.clear)(dut), bench)
    return took[-1]


def residual_network(steps):
    """A layer of one window, one of two windows and a skip, and a dense readout."""
    rng = np.random.default_rng(0)

    def weight(bits, *shape):
        return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)

    def neuron(sets):
        return Neuron(5, rng.integers(1, 50, (sets, 4)))

    first = Conv("input", weight(4, 1, 4, 2, 3, 3), 4)
    second = (
        Conv("first", weight(3, 1, 4, 4, 3, 3), 3, padding=(1, 1)),
        Identity("first", weight(8, 1, 4), 8),
        Conv("input", weight(5, steps, 4, 2, 3, 3), 5),
    )
    bias = rng.integers(-20, 20, (1, 4))
    return Network(
        Input((2, 5, 6), 3),
        steps,
        (
            Population("first", (first,), bias, 0, neuron(1)),
            Population("second", second, bias, 1, neuron(steps)),
            Population("readout", (Dense("second", weight(6, 1, 3, 48), 6),), bias[:, :3]),
        ),
    )


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("lanes", [1, 3, 4])
def test_sizes_are_those_of_the_images_in_their_order(lanes, steps):
    network = residual_network(steps)
    units = {"first": 1 if lanes % 2 else 2}
    plan = plan_of(network, dict.fromkeys(("first", "second", "readout"), lanes), units=units)
    images = [item for stage in plan.stages for item in stage.images(network).items()]
    sizes = [ImageSize(name, image.width, len(image.data)) for name, image in images]
    assert [size for stage in plan.stages for size in stage.image_sizes()] == sizes
    assert len(LoadChain(sizes).ports) == len(sizes) >= 7


def sizes_of(*sizes):
    return [ImageSize(f"m{k}", *size) for k, size in enumerate(sizes)]


@pytest.mark.parametrize("pause", [0.0, 0.6])
@pytest.mark.parametrize("width", [1, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 70])
def test_rows_of_any_width(width, pause):
    check_load(sizes_of((width, 5), (width, 5), (width, 1)), pause, seed=width)


def test_rows_of_every_width_in_one_chain():
    sizes = sizes_of(*[(width, 1 + width % 4) for width in range(1, 71)])
    check_load(sizes, seed=3)


@pytest.mark.parametrize("pause", [0.0, 0.5])
@pytest.mark.parametrize("depth", [1, 2, 3, 16, 17])
@pytest.mark.parametrize("count", [1, 3])
def test_memories_of_any_depth(count, depth, pause):
    check_load(sizes_of(*[(12, depth)] * count), pause, seed=depth)


def test_one_row_of_one_bit():
    check_load(sizes_of((1, 1)), loads=3)


@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_many_memories_share_segments(pause):
    """More of one size than a segment takes, then others, then that size again."""
    sizes = sizes_of(*[(4, 2)] * 70, (4, 3), (5, 3), *[(4, 2)] * 33)
    check_load(sizes, pause, seed=1)


@pytest.mark.parametrize("between", ["clear", "restart"])
def test_second_load_after_a_reset_or_a_restart(between):
    check_load(sizes_of((9, 4), (3, 4), (3, 4), (20, 2)), 0.3, loads=3, between=between)


def test_a_byte_is_taken_every_cycle():
    """Each segment adds one cycle at the end."""
    assert check_load(sizes_of((16, 10), (16, 10), (4, 7))) == 47 + 2


def test_full_waits_for_the_last_byte():
    dut = Memories(sizes_of((8, 2), (24, 1)))

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(4):
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.full)
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.full)

    simulate(dut, bench)


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([], "Loaded memories must be at least one, but there is none"),
        ([ImageSize("a", 3, 2)] * 2, "Loaded memories must have different names, but 'a' comes twice"),
        (
            [ImageSize("a", 0, 2)],
            r"Loaded memory 'a' must have bits and rows, not ImageSize\(name='a', width=0, depth=2\)",
        ),
    ],
)
def test_chain_refuses(sizes, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        LoadChain(sizes)


@pytest.mark.usefixtures("not_elaborated")
def test_memory_of_an_image_without_a_chain_is_read_from_its_file():
    for contents in (None, {"a": [3, 1]}):
        memory = image_memory("a", 2, 3, contents)
        assert (type(memory), memory.file) == (Rom, "a.mem")
    assert list(memory.init) == [3, 1, 0]


BENCH = """\
module bench;
  reg clk = 0, rst = 1, valid = 0;
  reg [7:0] bytes [0:{count} - 1];
  reg [2:0] address = 0;
  wire ready, full;
  wire [8:0] m0, m1;
  wire [0:0] m2;
  integer sent = 0, cycle = 0;
  always #5 clk = ~clk;
  memories_top dut (
    .clk(clk), .rst(rst), .i__valid(valid), .i__ready(ready), .i__payload(bytes[sent]), .full(full),
    .restart(1'b0),
    .address(address), .m0(m0), .m1(m1), .m2(m2));
  initial begin $readmemh("bytes.hex", bytes); #22 rst = 0; end
  always @(posedge clk) if (!rst) begin
    cycle <= cycle + 1;
    if (valid && ready) sent <= sent + 1;
    if (full) address <= address + 1;
    if (full && address > 0) $display("%b %b %b", m0, m1, m2);
    if (address == 5) $finish;
    if (cycle > 200) $finish;
  end
  always @(negedge clk) valid <= !rst && sent < {count} && cycle % 3 != 1;
endmodule
"""


@pytest.mark.icarus
@pytest.mark.parametrize("single", [(), ("m1",), ("m0", "m1", "m2")])
def test_rows_arrive_in_the_verilog(tmp_path, single):
    """Whether a memory has one port or two."""
    sizes = sizes_of((9, 5), (9, 5), (1, 5))
    images = [random_image(np.random.default_rng(1), size) for size in sizes]
    payload = b"".join(image.data.tobytes() for image in images)
    choices = [MemoryChoice(name, single=True) for name in single]
    verilog = emit(Memories(sizes), "memories", memories=choices).verilog
    shapes = {(size.width, size.depth) for size in sizes if size.name in single}
    assert {name for name in verilog if "_ram1_" in name} == {f"spikefold_ram1_{w}x{d}.v" for w, d in shapes}
    files = {**verilog, "bench.v": BENCH.format(count=len(payload))}
    for name, text in (files | {"bytes.hex": payload.hex("\n")}).items():
        (tmp_path / name).write_text(text)
    subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", "bench", *files], cwd=tmp_path, check=True)
    result = subprocess.run(["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True)
    rows = zip(*(image.words for image in images), strict=True)
    expected = [f"{a:09b} {b:09b} {c:01b}" for a, b, c in rows]
    assert [line for line in result.stdout.splitlines() if line[0] in "01x"] == expected


@pytest.mark.usefixtures("not_elaborated")
def test_memory_refuses_a_chain_that_does_not_load_it():
    chain = LoadChain(sizes_of((4, 2)))
    for name, size in (("m0", (4, 3)), ("m0", (5, 2))):
        message = rf"^Memory '{name}' must be loaded with its size \({size[0]}, {size[1]}\), not \(4, 2\)$"
        with pytest.raises(InputError, match=message):
            Loadable(name, *size, chain)
    with pytest.raises(InputError, match=r"^Memory 'other' must be loaded with its size \(4, 2\), not None$"):
        Loadable("other", 4, 2, chain)
