"""The same traffic on every simulator: same beats, same cycles; faults are found and named."""

import dataclasses

import numpy as np
import pytest
from sim_toy import (
    DROP,
    DUPLICATE,
    FAULTY,
    FLAGS,
    FORMAT,
    HANG,
    LOADABLE,
    MARK,
    PORTS,
    RANGE,
    SAMPLE,
    SHAPE,
    UNSTABLE,
    WRONG,
    ToyTop,
    contents,
    golden,
    random_levels,
    toy_verilog,
)

from spikefold.errors import InputError, ToolError
from spikefold.flow.artefact import Artefact
from spikefold.flow.ports import BEAT, Ports, Probe
from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_sim.amaranth_engine import AmaranthEngine
from spikefold_sim.beats import StreamShape, decode_beats, encode_beats
from spikefold_sim.cocotb_engine import CocotbEngine
from spikefold_sim.native_engine import NativeEngine
from spikefold_sim.observation import HangError, ProtocolError, UnknownValueError
from spikefold_sim.scoreboard import Mismatch, compare
from spikefold_sim.stalls import Stalls

LEVELS = random_levels(30)
SHAPES = {"hidden": SHAPE}
STALLS = [Stalls(), Stalls(0.3, 0.6, seed=5), Stalls(0.9, 0.0, seed=1), Stalls(0.0, 0.9, seed=2)]
ENGINES = ["native", "verilator", pytest.param("icarus", marks=pytest.mark.icarus), "amaranth"]
FEWER_BUILDS = ["native", pytest.param("verilator", marks=pytest.mark.slow), *ENGINES[2:]]
FEWEST_BUILDS = [pytest.param("native", marks=pytest.mark.slow), *FEWER_BUILDS[1:]]


@pytest.fixture(params=ENGINES)
def engine(request, toy, cache):
    return make_engine(request.param, toy, cache)


def make_engine(name, artefact, cache, progress=None):
    if name == "native":
        return NativeEngine(artefact, cache, progress)
    if name == "amaranth":
        top = ToyTop(artefact.ports.load)
        return AmaranthEngine(top, {"hidden": top.layer0.o}, artefact.ports, progress)
    return CocotbEngine(artefact, name, cache, progress)


def faulty(fault, sample=3, step=1, row=1):
    """Levels with an event that causes a fault, and one after it that carries the mark."""
    levels = LEVELS.copy()
    levels[sample, step, [FAULTY, 2], row, 0] = fault, 1
    return levels


@pytest.mark.parametrize("stalls", STALLS)
def test_values_hold_under_stalls_and_every_engine_sees_the_same(engine, stalls):
    observation = engine.run(encode_beats(LEVELS, SHAPE), stalls)
    hidden, logits = golden(LEVELS)
    assert compare(observation, {"hidden": hidden}, logits, SHAPES).first is None
    assert (decode_beats(observation.events["hidden"].beats, SHAPE) == hidden).all()
    assert (observation.logits == logits).all()
    assert (observation.winners == logits.argmax(axis=1)).all()
    top = ToyTop()
    reference = AmaranthEngine(top, {"hidden": top.layer0.o}, PORTS).run(encode_beats(LEVELS, SHAPE), stalls)
    assert contents(observation) == contents(reference)


def test_cycles_and_counters(engine):
    """One register: a bare mark goes in at cycle 0, is summed at 1, its results come at 2, 3 and 4."""
    observation = engine.run(np.array([(0, 0, 1, 1, 1, 0)] * 2, BEAT), tail=4)
    assert observation.start_cycles.tolist() == [0, 1]
    assert observation.events["hidden"].cycles.tolist() == [1, 5]
    assert observation.result_beat_cycles.tolist() == [2, 3, 4, 6, 7, 8]
    assert observation.result_cycles.tolist() == [4, 8]
    assert observation.cycles == 8 + 4 + 1
    assert observation.counters == {"cycles": 8 + 4 + 2, "events": 0}


@pytest.mark.parametrize("fault", [DROP, DUPLICATE, WRONG, RANGE])
def test_the_scoreboard_names_an_injected_fault(toy, cache, fault):
    levels = faulty(fault)
    observation = NativeEngine(toy, cache).run(encode_beats(levels, SHAPE))
    hidden, logits = golden(levels)
    got = {DROP: 0, DUPLICATE: DUPLICATE, WRONG: WRONG ^ 1, RANGE: 0}[fault]
    reason = "channels must ascend" if fault == DUPLICATE else "level differs"
    assert compare(observation, {"hidden": hidden}, logits, SHAPES).first == Mismatch(
        3, "hidden", FAULTY, 1, fault, got, reason, (1, 0)
    )


@pytest.mark.parametrize("fault", [FLAGS, MARK, SAMPLE])
def test_wrong_flags_of_an_inner_stream_are_found(toy, cache, fault):
    levels = faulty(fault, step=0)
    observation = NativeEngine(toy, cache).run(encode_beats(levels, SHAPE), watchdog=1000)
    hidden, logits = golden(levels)
    first = compare(observation, {"hidden": hidden}, logits, SHAPES).first
    assert (first.sample, first.layer, first.step, first.position) == (3, "hidden", 0, (1, 0))
    assert first.reason == ("level differs" if fault == MARK else "wrong end flags")


def test_a_changed_payload_under_stall_is_a_protocol_error(engine):
    levels = faulty(UNSTABLE, sample=1, step=0, row=0)  # waits while the readout sends the sample before
    with pytest.raises(
        ProtocolError, match=r"^Stream must hold valid and payload until ready, but 'hidden' "
    ) as info:
        engine.run(encode_beats(levels, SHAPE), Stalls(0.0, 0.9, seed=3), watchdog=1000)
    assert len(info.value.observation.results) < 3 * len(levels)


def test_the_watchdog_says_where_it_hangs(engine):
    levels = faulty(HANG)
    message = (
        r"^Design must move within 300 cycles, but nothing did until cycle \d+ \(\d+ of \d+ beats accepted, "
        r"3 of 30 results seen\): input valid, not ready; result not valid, ready; hidden not valid, ready\."
    )
    with pytest.raises(HangError, match=message) as info:
        engine.run(encode_beats(levels, SHAPE), watchdog=300)
    seen = info.value.observation
    hidden, logits = golden(levels)
    assert seen.cycles - seen.events["hidden"].cycles[-1] > 300
    assert compare(seen, {"hidden": hidden}, logits, SHAPES).first.sample == 3


def test_the_watchdog_counts_from_the_last_handshake(engine):
    with pytest.raises(HangError, match=r"until cycle 300 \(1 of \d+ beats accepted, 0 of 30") as info:
        engine.run(encode_beats(faulty(HANG, sample=0, step=0, row=0), SHAPE), watchdog=300)
    assert info.value.observation.cycles == 301


@pytest.mark.parametrize("order", ["position_major", "step_major"])
def test_streams_of_other_shapes_pass(engine, order):
    shape = StreamShape(Map(15, 3, 1), Time(3, order))
    levels = random_levels(6, shape, seed=4)
    observation = engine.run(encode_beats(levels, shape), Stalls(0.2, 0.5, seed=3))
    hidden, logits = golden(levels)
    assert compare(observation, {"hidden": hidden}, logits, {"hidden": shape}).mismatches == 0
    other = StreamShape(
        Map(15, 1, 3), Time(3, "step_major" if order == "position_major" else "position_major")
    )
    swapped = {"hidden": hidden.swapaxes(3, 4)}
    assert compare(observation, swapped, logits, {"hidden": other}).mismatches > 0


BIASES = (100, -100, 7)
BYTES = bytes(value % 256 for value in BIASES)


@pytest.fixture(params=FEWER_BUILDS)
def loading(request, loadable, cache):
    return make_engine(request.param, loadable, cache)


@pytest.mark.parametrize("stalls", STALLS)
def test_bytes_are_loaded_before_the_samples(loading, stalls):
    observation = loading.run(encode_beats(LEVELS, SHAPE), stalls, load=BYTES)
    hidden, logits = golden(LEVELS, BIASES)
    assert compare(observation, {"hidden": hidden}, logits, SHAPES).first is None
    top = ToyTop(load=True)
    reference = AmaranthEngine(top, {"hidden": top.layer0.o}, LOADABLE)
    assert contents(observation) == contents(reference.run(encode_beats(LEVELS, SHAPE), stalls, load=BYTES))
    if stalls == Stalls():
        assert observation.start_cycles[0] == len(BYTES)


def test_loading_that_never_ends_is_a_hang(loading):
    message = (
        r"^Design must move within 100 cycles, but nothing did until cycle 101 \(2 of 2 bytes loaded, "
        r"0 of \d+ beats accepted, 0 of 30 results seen\): input valid, not ready; load not valid, ready; "
    )
    with pytest.raises(HangError, match=message):
        loading.run(encode_beats(LEVELS, SHAPE), load=BYTES[:2], watchdog=100)


def test_bytes_that_are_left_over_are_a_protocol_error(loading):
    message = r"^Design must take all 4 bytes of its memories, but took 3$"
    with pytest.raises(ProtocolError, match=message) as info:
        loading.run(encode_beats(LEVELS, SHAPE), load=BYTES + b"x")
    assert info.value.observation.logits.tolist() == golden(LEVELS, BIASES)[1].tolist()


def test_bytes_and_load_stream_go_together(toy, loadable, cache):
    message = r"^Bytes to load must be given for a design with a load stream, not 0 bytes$"
    with pytest.raises(InputError, match=message):
        NativeEngine(loadable, cache).run(encode_beats(LEVELS, SHAPE))
    message = r"^Bytes to load must go to a design with a load stream, not 3 bytes$"
    with pytest.raises(InputError, match=message):
        NativeEngine(toy, cache).run(encode_beats(LEVELS, SHAPE), load=BYTES)


@pytest.mark.parametrize("name", FEWEST_BUILDS)
def test_an_input_that_is_ready_too_early_is_a_protocol_error(tmp_path, cache, name):
    (tmp_path / "x.v").write_text(toy_verilog(load=True, early=True))
    early = Artefact((tmp_path / "x.v",), "loadable_top", ports=LOADABLE)
    message = (
        r"^Input must not be ready before the memories are loaded, but was before cycle 1 \(2 of 3 bytes"
    )
    if name == "amaranth":
        top = ToyTop(load=True, early=True)
        engine = AmaranthEngine(top, {"hidden": top.layer0.o}, LOADABLE)
    else:
        engine = make_engine(name, early, cache)
    with pytest.raises(ProtocolError, match=message):
        engine.run(encode_beats(LEVELS, SHAPE), load=BYTES)


MANY = [("native", 40), *((name, 130) for name in ("native", "verilator", "icarus", "amaranth"))]


@pytest.fixture(
    params=[
        MANY[0],
        *(pytest.param(each, marks=pytest.mark.slow) for each in MANY[1:3]),
        pytest.param(MANY[3], marks=pytest.mark.icarus),
        MANY[4],
    ],
    ids=str,
)
def many(request, toy, cache):
    """The toy with more probes than half a word, or a word, has bits: their names, and a run."""
    name, count = request.param
    names = [f"p{k}" for k in range(count)]
    ports = dataclasses.replace(PORTS, probes=tuple(Probe(p, "core.probe_hidden", FORMAT) for p in names))

    def run(levels, *args, **options):
        if name == "amaranth":  # serves one run
            top = ToyTop()
            engine = AmaranthEngine(top, dict.fromkeys(names, top.layer0.o), ports)
        else:
            engine = make_engine(name, dataclasses.replace(toy, ports=ports), cache)
        return engine.run(encode_beats(levels, SHAPE), *args, **options)

    return names, run


def test_many_probes(many):
    names, run = many
    levels = random_levels(6)
    observation = run(levels, Stalls(0.2, 0.5))
    hidden, logits = golden(levels)
    found = compare(observation, dict.fromkeys(names, hidden), logits, dict.fromkeys(names, SHAPE))
    assert (found.mismatches, list(observation.events)) == (0, names)


def test_faults_of_many_streams_are_named(many):
    names, run = many
    message = rf"^Stream must hold valid and payload until ready, but '{', '.join(names)}' changed"
    with pytest.raises(ProtocolError, match=message):
        run(faulty(UNSTABLE, sample=1, step=0, row=0), Stalls(0.0, 0.9, seed=3))
    waiting = "; ".join(f"{name} not valid, ready" for name in names)
    message = rf": input valid, not ready; result not valid, ready; {waiting}\. "
    with pytest.raises(HangError, match=message):
        run(faulty(HANG), watchdog=300)


UNDRIVEN = """
module toy_top(input clk, input rst, input i__valid, output i__ready, input [3:0] i__payload__index,
  input [2:0] i__payload__level, input i__payload__end_position, input i__payload__end_step,
  input i__payload__end_sample, output o__valid, input o__ready, output [11:0] o__payload__logit,
  output [1:0] o__payload__index, output [1:0] o__payload__winner, output o__payload__last);
  {declare}
  reg [11:0] logit; reg [1:0] index; reg full;
  assign i__ready = ~full;
  assign o__valid = full;
  assign o__payload__logit = logit;
  assign o__payload__index = index;
  assign o__payload__winner = 0;
  assign o__payload__last = index == 2;
  always @(posedge clk) begin
    if ({reset}) full <= 0;
    else if (i__valid & ~full) begin full <= i__payload__end_sample; index <= 0; {load} end
    else if (full & o__ready) begin index <= index + 1; full <= index != 2; end
  end
endmodule
"""
BARE = Ports(PORTS.stimulus, PORTS.result)
ONES = StreamShape(Map(3), Time(1, "position_major"))


def undriven(folder, **parts):
    (folder / "x.v").write_text(UNDRIVEN.format(**{"declare": "", "reset": "rst", "load": "", **parts}))
    return Artefact((folder / "x.v",), "toy_top", ports=BARE)


@pytest.mark.icarus
def test_icarus_finds_a_register_that_nothing_drives(tmp_path, cache):
    beats = encode_beats(np.ones((2, 1, 3), int), ONES)
    design = undriven(tmp_path)
    with pytest.raises(
        UnknownValueError, match=r"^Signal must be 0 or 1 after reset, but result payload is '.*X"
    ):
        CocotbEngine(design, "icarus", cache).run(beats)
    design = undriven(tmp_path, reset="1'b0", load="logit <= 0;")
    with pytest.raises(
        UnknownValueError, match=r"^Signal must be 0 or 1 after reset, but ready of 'input' is 'X'"
    ):
        CocotbEngine(design, "icarus", cache).run(beats)
    design = undriven(tmp_path, load="logit <= 7;")
    assert CocotbEngine(design, "icarus", cache).run(beats).logits.tolist() == [[7] * 3] * 2


def test_a_run_leaves_nothing_in_the_design_folder(engine, toy):
    engine.run(encode_beats(LEVELS, SHAPE))
    assert [path.name for path in toy.rtl[0].parent.iterdir()] == ["toy_top.v"]


def test_progress_is_told(toy, cache):
    """Amaranth's simulator reports every sample; the others every half second, so only in long runs."""
    calls = []
    make_engine("amaranth", toy, cache, lambda done, total: calls.append((done, total))).run(
        encode_beats(LEVELS, SHAPE)
    )
    assert calls == [(k + 1, 30) for k in range(30)]
    calls.clear()
    long = np.tile(encode_beats(LEVELS, SHAPE), 500)
    make_engine("verilator", toy, cache, lambda done, total: calls.append((done, total))).run(long)
    assert calls
    assert all(0 < done <= total == 15_000 for done, total in calls)


@pytest.mark.parametrize("name", ["native", pytest.param("icarus", marks=pytest.mark.icarus)])
def test_verilog_that_does_not_compile_is_a_tool_error(tmp_path, cache, name):
    (tmp_path / "x.v").write_text("module toy_top(input nothing); endmodule\n")
    design = Artefact((tmp_path / "x.v",), "toy_top", ports=PORTS)
    with pytest.raises(ToolError, match=r"^Program '\w+' must end without an error, but ended with code"):
        make_engine(name, design, cache).run(encode_beats(LEVELS, SHAPE))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("icarus", marks=pytest.mark.icarus),
        *(pytest.param(k, marks=pytest.mark.slow) for k in ENGINES[:2]),
    ],
)
def test_a_missing_memory_image_is_a_tool_error(tmp_path, cache, name):
    rom = 'reg [11:0] rom [0:3]; initial $readmemh("mem/rom.mem", rom);'
    design = undriven(tmp_path, declare=rom, load="logit <= rom[1];")
    beats = encode_beats(np.ones((1, 1, 3), int), ONES)
    message = r"^Memory image must be in the folder of images, not be missing: 'mem/rom\.mem'$"
    with pytest.raises(ToolError, match=message):
        make_engine(name, design, cache).run(beats)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "rom.mem").write_text("1\n2\n3\n4\n")
    design = dataclasses.replace(design, mem=tmp_path / "images")
    assert make_engine(name, design, cache).run(beats).logits.tolist() == [[2] * 3]


def test_bad_stimuli_are_refused(toy, cache):
    engine = NativeEngine(toy, cache)
    with pytest.raises(InputError, match=r"^Stimulus must end with end_sample, not False$"):
        engine.run(encode_beats(LEVELS, SHAPE)[:-1])
    with pytest.raises(InputError, match=r"^Stimulus must be a vector of ports\.BEAT, not "):
        engine.run(np.zeros((3, 3)))
    with pytest.raises(InputError, match=r"^Stimulus level must fit in 4 bits, not 16$"):
        engine.run(encode_beats(np.full((1, 1, 3), 16), ONES))
    with pytest.raises(InputError, match=r"^Watchdog must be a positive number of cycles, not 0$"):
        engine.run(encode_beats(LEVELS, SHAPE), watchdog=0)


def test_an_unknown_simulator_is_refused(toy):
    with pytest.raises(InputError, match=r"^cocotb simulator must be 'verilator' or 'icarus', not 'vcs'$"):
        CocotbEngine(toy, "vcs")


def test_a_simulation_needs_ports(toy, cache):
    with pytest.raises(InputError, match=r"^Ports of 'toy_top' must be known to simulate it, not None$"):
        NativeEngine(dataclasses.replace(toy, ports=None), cache).run(encode_beats(LEVELS, SHAPE))
