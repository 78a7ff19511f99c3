"""`spikefold infer` and `spikefold serve-sim`, in two processes as users have them."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from cli_case import FEATURES, features, fields, invoke, refused
from PIL import Image

import spikefold
from spikefold import nn


def test_infer_checks_every_answer(design, board, tmp_path):
    x = features(12, seed=5)[0]
    design.write(tmp_path / "build")
    np.save(tmp_path / "x.npy", x)
    given = ("infer", tmp_path / "x.npy", "--port", board, "--build", tmp_path / "build")
    found = fields(invoke(*given, "--check", "--output", tmp_path / "y.npy", "--json"))
    assert found["classes"] == design.golden(x).classes.tolist()
    assert found["wrong"] == 0
    assert found["mended"] == {"resent": 0, "repeated": 0, "damaged": 0, "restarts": 0}
    assert found["counters"]["samples"] >= 12
    assert (np.load(tmp_path / "y.npy") == design.golden(x).logits).all()
    shown = invoke(*given, "-q")
    assert shown.exit_code == 0
    assert "samples per second" in shown.stdout


def test_infer_without_a_build_takes_levels(design, board, tmp_path):
    levels = design.encode(features(5, seed=5)[0]).reshape(5, FEATURES)
    np.save(tmp_path / "levels.npy", levels)
    found = fields(invoke("infer", tmp_path / "levels.npy", "--port", board, "--json"))
    assert found["classes"] == design.golden(levels).classes.tolist()
    assert found["wrong"] is None


def test_infer_refuses_what_it_cannot_do(design, board, tmp_path):
    np.save(tmp_path / "x.npy", features(2)[0])
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "x.png")
    x, png, port = tmp_path / "x.npy", tmp_path / "x.png", ("--port", board)
    refused(invoke("infer", x, *port, "--check"), 3, r"Option --check needs the network: give the build")
    refused(invoke("infer", png, *port), 3, r"Image '.*x\.png' needs the network's input: give the build")
    refused(invoke("infer", x, *port), 3, r"Samples for a device without its design must be integer levels")
    refused(invoke("infer", x, "--port", "/dev/nowhere"), 7, r"Port '/dev/nowhere' must be one that opens at")
    design.write(tmp_path / "build")
    refused(
        invoke("infer", png, *port, "--build", tmp_path / "build"), 3, r"Image '.*' needs an input of 1 or"
    )


def test_an_image_becomes_features(tmp_path):
    from spikefold.cli.samples import read_picture

    design = spikefold.compile(nn.models.mlp(16, [4], 2, maximum=16.0), name="square")
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    found = read_picture(tmp_path / "grey.png", design.network)
    assert found.shape == (1, 16)
    assert np.allclose(found[0], pixels.ravel() / 255 * 16)


@pytest.mark.slow
def test_a_board_is_served_until_it_is_told_to_end(design, tmp_path):
    design.write(tmp_path / "build")
    command = [sys.executable, "-c", "from spikefold.cli import main; main()", "serve-sim", "build"]
    with subprocess.Popen(
        [*command, "--link", "board", "--noise", "0.002", "--json", "-q"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        while not (tmp_path / "board").exists():
            assert process.poll() is None
            time.sleep(0.1)
        x = features(30, seed=6)[0]
        with spikefold.Device(str(tmp_path / "board"), design) as device:
            assert device.verify(x).passed
        process.send_signal(2)
        told = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert told["port"].startswith("/dev/")
    assert told["baud"] == 1_000_000
    assert not os.path.lexists(tmp_path / "board")


def test_serving_refuses_what_does_not_fit(design, tmp_path):
    design.write(tmp_path / "build")
    (tmp_path / "there").touch()
    serve = ("serve-sim", tmp_path / "build", "-q")
    refused(invoke(*serve, "--link", tmp_path / "there"), 3, r"Link must be a path where nothing is, but '")
    refused(invoke(*serve, "--noise", "2"), 3, r"Noise must be a chance from 0 to 1, not 2\.0$")
    refused(
        invoke(*serve, "--baud", "5000000"), 3, r"A bit must take 4 to 65536 cycles, so a clock of 12000000"
    )
