"""The driver against the gateware, bit by bit on a simulated wire: every answer is the golden model's."""

import os
import time

import numpy as np
import pytest
from bad_wire import BadWire
from cli_case import FEATURES, features, tiny_model

import spikefold
from spikefold.attached import Device
from spikefold.attached.board import link_check, simulated
from spikefold.errors import InputError, LinkError
from spikefold_hw.host.uart.protocol import END, Command, command


def samples(count, seed=3):
    return features(count, seed)[0]


def test_every_logit_is_that_of_the_golden_model(design, board):
    x = samples(60)
    with Device(board, design) as device:
        seen = []
        found = device.simulate(x, progress=lambda done, total: seen.append((done, total)))
        golden = design.golden(x)
        assert (found.logits == golden.logits).all()
        assert (found.classes == golden.classes).all()
        assert (device.classify(x) == golden.classes).all()
        assert device.verify(x).passed
        assert seen == [(k, 60) for k in range(1, 61)]
        assert found.mended.damaged == found.mended.restarts == found.mended.repeated == 0


def test_a_wrong_answer_is_counted(design, board, monkeypatch):
    x = samples(20)
    with Device(board, design) as device:
        wrong = design.golden(x[::-1])
        monkeypatch.setattr(device, "golden", lambda _: wrong)
        found = device.verify(x)
        assert not found.passed
        assert found.wrong == (design.golden(x).logits != wrong.logits).any(1).sum() > 5


def test_counters_are_read_by_name(design, board):
    with Device(board, design) as device:
        device.reset()
        assert device.counters()["samples"] == 0
        device.classify(samples(7))
        found = device.counters()
        assert found["samples"] == 7
        assert found["violations"] == found["link_damaged"] == 0
        assert found["cycles"] > 0
        assert set(found) == {c.name for c in design.interface.counters} | {"link_damaged", "link_refused"}


def test_without_a_design_samples_are_levels(design, board):
    x = design.encode(samples(9))
    with Device(board) as device:
        assert (device.classify(x.reshape(9, FEATURES)) == design.golden(samples(9)).classes).all()
        assert device.hello.register("classes") == 3
        assert device.counters()["counter_1"] > 0
        with pytest.raises(InputError, match=r"^Device must be given its design for this"):
            device.golden(x)
        for wrong in (
            x.reshape(9, FEATURES) * 1.0,
            x.reshape(9, FEATURES)[:, 1:],
            np.full((2, FEATURES), 17),
        ):
            with pytest.raises(InputError, match=r"^Samples for a device without its design must be integer"):
                device.classify(wrong)


@pytest.mark.parametrize("kind", BadWire.KINDS)
def test_no_answer_is_wrong_on_a_bad_wire(design, board, kind):
    x = samples(40)
    with Device(board, design) as device:
        device._port._serial = BadWire(device._port._serial, 0.01, (kind,))
        found = device.simulate(x)
        assert found.differ_from(design.golden(x)) == 0
        assert device.mended.damaged + device.mended.resent > 0
        device._port._serial = device._port._serial._serial
        assert device.verify(x).passed


def test_a_thousandth_of_noise_in_the_wire_itself(design):
    found = link_check(design, samples(100), noise=0.01, seed=2)
    assert found["link_samples"] == 100
    assert found["link_wrong"] == 0
    assert found["link_resent"] > 0


def test_random_bytes_between_frames_harm_nobody(design, board):
    rng, x = np.random.default_rng(4), samples(10)
    with Device(board, design) as device:
        for _ in range(8):
            device._port.send(rng.integers(0, 256, int(rng.integers(1, 300))).astype(np.uint8).tobytes())
            assert device.verify(x).passed
        assert device.counters()["link_damaged"] > 8


def test_a_reset_in_mid_frame_loses_no_sample(design, board):
    x = samples(60)
    with Device(board, design) as device:
        progress = _at(
            {10, 30, 31}, lambda: device._port.send(b"\x07\x01\x02" + END + command(Command.RESET))
        )
        found = device.simulate(x, progress=progress)
        assert found.differ_from(design.golden(x)) == 0
        assert found.mended.restarts >= 2


def test_another_program_in_between_is_noticed(design, board):
    """Its session ends this one; all samples still get their own results."""
    x = samples(40)
    with Device(board, design) as device:
        progress = _at({8}, lambda: device._port.send(END + command(Command.START, 1, 0)))
        found = device.simulate(x, progress=progress)
        assert found.differ_from(design.golden(x)) == 0


def test_a_host_that_stops_reading_and_comes_back_finds_a_working_device(design, board):
    """It floods the device with samples and commands, and goes in the middle of one."""
    with Device(board, design) as device:
        stream = device._session.stream
        for _ in range(40):
            stream._sent = 0
            stream.push(lambda: bytes(40))
            device._port.send(command(Command.READ, 16) * 20)
    with Device(board, design) as device:
        assert device.verify(samples(20)).passed


def test_a_host_that_goes_in_mid_sample_leaves_nothing_behind(design, board):
    for cut in (1, 3, 7):
        with Device(board, design) as device:
            session = device._session
            parts = [bytes([0xFF] * cut)]
            session.stream.push(lambda parts=parts: parts.pop() if parts else b"")
        with Device(board, design) as device:
            assert device.verify(samples(5)).passed


def test_a_device_that_is_unplugged_is_told(design):
    board = simulated(design)
    port = board.__enter__()
    with Device(port, design, timeout=1.0) as device:
        unplug = _at({5}, lambda: board.__exit__(None, None, None))
        with pytest.raises(
            LinkError, match=r"^(Port '.*' must stay open, but is gone|Device on .* must answer)"
        ):
            device.simulate(samples(50), progress=unplug)


def test_a_device_that_does_not_answer_is_told():
    ours, theirs = os.openpty()
    began = time.monotonic()
    with pytest.raises(
        LinkError, match=r"^Device on '/dev/.*' must answer within 0\.5 s, but does not; look"
    ):
        Device(os.ttyname(theirs), timeout=0.5)
    assert time.monotonic() - began < 5
    os.close(ours)
    os.close(theirs)


def test_a_port_that_is_not_there_is_told():
    with pytest.raises(LinkError, match=r"^Port '/dev/nowhere' must be one that opens at 1000000 baud: "):
        Device("/dev/nowhere")


def test_another_network_is_told(board):
    other = spikefold.compile(tiny_model(seed=1), name="other", calibration=samples(60))
    with pytest.raises(
        LinkError, match=r"^Device on .* must hold network [0-9a-f]{8} of design 'other', but"
    ):
        Device(board, other)


@pytest.mark.slow
def test_loaded_weights_are_loaded_when_they_are_missing(loadable):
    x = samples(30)
    with simulated(loadable, noise=0.005, seed=1) as port:
        with Device(port, loadable) as device:
            assert device.verify(x).passed
            found = device.simulate(x, progress=_at({10}, lambda: device._port.send(command(Command.RESET))))
            assert found.differ_from(loadable.golden(x)) == 0
            assert found.mended.restarts >= 1
            device.load()
            assert device.verify(x).passed
        with Device(port) as device:
            device.reset()
            with pytest.raises(InputError, match=r"^Device must be given a frame to load, or its design$"):
                device.load()
            with pytest.raises(LinkError, match=r"^Device on .* must have its weights before samples: load"):
                device.classify(loadable.encode(x))


def test_weights_of_a_bitstream_are_not_loaded(design, board):
    with Device(board, design) as device:
        with pytest.raises(InputError, match=r"^Device must have memories to load"):
            device.load(b"frame")
        with pytest.raises(InputError, match=r"^Samples must be at least one, not 0$"):
            device.classify(samples(1)[:0])


def _at(places, action):
    """A progress function that acts when so many samples are done, each time once."""
    left = set(places)

    def progress(done, total):
        if done in left:
            left.remove(done)
            action()

    return progress
