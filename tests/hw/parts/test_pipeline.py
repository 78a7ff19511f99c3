"""Pipeline: what enters leaves so many moves later, with all that was carried."""

import numpy as np
import pytest
from amaranth.hdl import Const, Module, ResetInserter, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from stream_bench import STALLS, simulate, stream_run

from spikefold_hw.parts.pipeline import Pipeline


class Steps(wiring.Component):
    """`(x + y)·2 - 5`, beside x as it came, in three stages."""

    latency = 3

    def __init__(self):
        operands = data.StructLayout({"x": signed(8), "y": signed(8)})
        super().__init__(
            {
                "i": In(stream.Signature(operands)),
                "o": Out(stream.Signature(data.StructLayout({"x": signed(8), "result": signed(11)}))),
            }
        )

    def model(self, x, y):
        return {"x": x, "result": 2 * (x + y) - 5}

    def elaborate(self, platform):
        m = Module()
        advance = ~self.o.valid | self.o.ready
        p = Pipeline(m, advance, self.i.valid)
        p.stage(x=self.i.payload.x, sum=self.i.payload.x + self.i.payload.y)
        p.let(twice=p.sum << 1)
        p.stage()
        p.stage(result=p.twice - 5)
        m.d.comb += [
            self.i.ready.eq(advance),
            self.o.valid.eq(p.valid),
            self.o.payload.x.eq(p.x),
            self.o.payload.result.eq(p.result),
        ]
        return m


def random_operands(rng, count):
    operands = rng.integers(-128, 128, (count, 2))
    operands[:4] = [[-128, -128], [127, 127], [-128, 127], [0, 0]]
    return [{"x": int(x), "y": int(y)} for x, y in operands]


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("eager", [True, False])
def test_values_move_together(eager, stalls):
    dut, beats = Steps(), random_operands(np.random.default_rng(0), 60)
    record = stream_run(dut, beats, len(beats), stalls=stalls, eager=eager)
    assert record.beats == [dut.model(**beat) for beat in beats]
    if eager and stalls[1] == 0:
        assert record.left == [cycle + dut.latency for cycle in record.taken]


def test_a_reset_empties_it():
    clear = Signal()
    dut = Steps()

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        await ctx.tick().repeat(Steps.latency)
        assert ctx.get(dut.o.valid)
        ctx.set(clear, 1)
        await ctx.tick()
        ctx.set(clear, 0)
        ctx.set(dut.i.valid, 0)
        for _ in range(2 * Steps.latency):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()

    simulate(ResetInserter(clear)(dut), bench)


@pytest.mark.usefixtures("not_elaborated")
def test_registers_keep_shapes_and_have_names():
    p = Pipeline(Module(), Const(1), Const(1))
    p.stage(total=Const(-3, signed(5)))
    p.stage()
    assert p.total.shape() == signed(5)
    assert (p.total.name, p.valid.name) == ("total_2", "valid_2")


@pytest.mark.usefixtures("not_elaborated")
def test_a_value_that_is_not_carried():
    p = Pipeline(Module(), Const(1), Const(1))
    with pytest.raises(AttributeError, match=r"^level$"):
        p.level  # noqa: B018
