"""The shipped driver against the simulated design: PYNQ's registers and DMA are played by a simulator."""

import importlib
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from random_designs import random_design, random_graph_design
from simulated_fabric import Fabric, allocate

from spikefold.contents import load_frame
from spikefold.soc import AxiDesign
from spikefold.soc.package import write_package
from spikefold_hw.host.axi.config import AxiConfig
from spikefold_hw.host.registers import MAGIC

LOADED = next(k for k in range(40) if random_graph_design(k)[0].plan.loaded)
MADE = {
    "chain": (random_design, 5, AxiConfig(bytes=8, result="logits")),
    "map": (random_graph_design, 0, AxiConfig()),
    "loaded": (random_graph_design, LOADED, AxiConfig(result="logits")),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function of a name: the design on AXI, samples, and the driver's module out of its package."""

    @cache
    def make_one(name):
        make, seed, config = MADE[name]
        design, x = make(seed)
        axi = AxiDesign(replace(design, network=replace(design.network, name=f"{name}{seed}")), config)
        axi.design.plan = replace(axi.design.plan, name=f"{name}{seed}")
        folder = tmp_path_factory.mktemp(name)
        write_package(axi, folder)
        sys.path.insert(0, str(folder / "software"))
        try:
            return axi, x, importlib.import_module(f"{axi.top}.driver")
        finally:
            sys.path.pop(0)

    return make_one


@pytest.mark.parametrize("name", MADE)
def test_the_driver_gets_golden_results(name, made):
    axi, x, driver = made(name)
    fabric = Fabric(axi)
    device = driver.Accelerator(fabric.control, fabric.dma, allocate)
    if axi.design.interface.loaded:
        assert not device.status()["loaded"]
        device.load(load_frame(axi.design.images))
    x = x[:4]
    found = device.infer(axi.design.encode(x))
    golden = axi.design.golden(x).logits
    assert found.classes.tolist() == golden.argmax(axis=1).tolist()
    assert not found.errors.any()
    if axi.config.result == "logits":
        assert (found.logits == golden).all()
    assert device.status() == {"loaded": True, "load_error": False, "busy": False}
    assert device.counters()["samples"] == len(x)
    device.reset()
    assert device.counters()["samples"] == 0


def test_a_wrong_frame_is_told(made):
    axi, _, driver = made("loaded")
    fabric = Fabric(axi)
    device = driver.Accelerator(fabric.control, fabric.dma, allocate)
    frame = bytearray(load_frame(axi.design.images))
    frame[20] ^= 1
    with pytest.raises(driver.DeviceError, match=r"^Load frame must be whole, but"):
        device.load(bytes(frame))
    device.load(load_frame(axi.design.images))


def test_a_packet_too_short_is_an_error_and_spoils_nothing_else(made):
    axi, x, driver = made("chain")
    fabric = Fabric(axi)
    device = driver.Accelerator(fabric.control, fabric.dma, allocate)
    cut = allocate((7,), np.uint32)[: axi.format.result_words]
    fabric.recvchannel.transfer(cut)
    fabric.sendchannel.transfer(b"\x01\x02\x03\x01")
    fabric.recvchannel.wait()
    assert cut[-1] >> 16 == 1
    assert device.infer(axi.design.encode(x[:1])).classes == axi.design.golden(x[:1]).logits.argmax()
    assert device.counters()["packets_short"] == 1


def test_another_device_is_refused(made):
    _, _, driver = made("chain")

    class Other:
        def read(self, offset):
            return MAGIC if offset == 0 else 1 if offset == 4 else 7

    with pytest.raises(
        driver.DeviceError, match=r"^Register 'network' of chain5_axi must hold \d+, not 7; is"
    ):
        driver.Accelerator(Other(), None, allocate)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            np.zeros((2, 3, 20), int),
            r"^Samples must have the shape \(samples, 2, 20, 1, 1\), not \(2, 3, 20\)$",
        ),
        (np.zeros((2, 2, 19), int), r"^Samples must have the shape"),
        (np.full((2, 2, 20), 4), r"^Levels must be 0 to 3, not 4\.\.4$"),
        (np.full((2, 2, 20), -1), r"^Levels must be 0 to 3, not -1\.\.-1$"),
    ],
)
def test_samples_that_do_not_fit_are_refused(samples, message, made):
    _, _, driver = made("chain")
    with pytest.raises(driver.DeviceError, match=message):
        driver.in_order(samples)
