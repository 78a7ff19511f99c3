"""Networks of QB-LIF and ReverB neurons through the command line: file, build, report, proof."""

import re

import numpy as np
import pytest
import torch
from cli_case import CLASSES, FEATURES, data_file, features, fields, invoke, recipe_meta

import spikefold
from spikefold import nn

NEURONS = {
    "qblif": lambda channels: nn.QBLIF(channels, 20, 2, 0.5, reset_factor=0.7, init="three_sigma"),
    "reverb": lambda channels: nn.ReverB(channels, 4, 2, threshold=0.1, alpha="channel"),
}


def model_of(neuron):
    torch.manual_seed(0)
    make, binary = NEURONS[neuron], neuron == "reverb"
    model = nn.Sequential(
        nn.Input(FEATURES, 16, maximum=16.0, steps=2),
        nn.Dense(FEATURES, 10),
        nn.BatchNorm(10, momentum=None),
        make(10),
        nn.BinaryDense(10, 8, alpha="input") if binary else nn.Dense(10, 8),
        nn.BatchNorm(8, momentum=None),
        make(8),
        nn.Dense(8, CLASSES),
        nn.Readout(),
    )
    model.train()
    with torch.no_grad():
        for seed in range(3):
            model(torch.from_numpy(features(32, seed)[0]))
        for norm in (model[2], model[5]):
            norm.bias += 0.3
    return model.eval()


@pytest.fixture(params=NEURONS)
def neuron(request):
    return request.param


@pytest.fixture
def built(neuron, tmp_path):
    meta = recipe_meta(data_file(tmp_path))
    nn.save(model_of(neuron), tmp_path / "model.safetensors", meta)
    result = invoke(
        "compile", tmp_path / "model.safetensors", "-o", tmp_path / "build", "--json", "--lanes", 4
    )
    return fields(result), tmp_path / "build"


def test_from_model_file_to_proof(built, neuron):
    found, folder = built
    assert {"accuracy_float", "accuracy_integer"} <= found.keys()
    proof = fields(invoke("verify", folder, "--samples", 6, "--simulator", "amaranth", "--json"))
    assert (proof["mismatches"], proof["passed"], proof["cycle_exact"]) == (0, True, True)
    assert proof["events"] > 20
    layer = found["quantization"]["layers"][1]
    assert layer["factor"] == (pytest.approx(0.3) if neuron == "qblif" else None)
    assert layer["weight_bits"] == (4 if neuron == "qblif" else 1)


def test_build_loads_and_reports(built, neuron):
    _, folder = built
    design = spikefold.load(folder)
    x, _ = features(20, seed=5)
    run = design.golden(x)
    assert np.ptp(run.logits) > 0
    hidden = design.network.populations[0].neuron
    assert (hidden.reset, hidden.levels) == (("scale", 20) if neuron == "qblif" else ("zero", 15))
    page = (folder / "report.html").read_text()
    row = re.search(r"<h2>Quantization</h2>.*?<tr><td>layer0</td>(.*?)</tr>", page, re.DOTALL)[1]
    cells = re.findall(r"<td>(.*?)</td>", row)
    assert cells[-2:] == (["0.5", f"0.3 → {hidden.factor.value:g}"] if neuron == "qblif" else ["0.25", "–"])


@pytest.mark.parametrize("order", ["position_major", "step-major"])
def test_images_of_another_training_fit_the_same_verilog(neuron, order):
    x, _ = features(20)
    first = spikefold.compile(model_of(neuron), lanes=4, order=order, calibration=x)
    again = model_of(neuron)
    with torch.no_grad():
        again[1].weight *= 0.9
    second = spikefold.compile(again, calibration=x, fit_to=first)
    assert second.plan == first.plan
    assert (second.golden(x).logits != first.golden(x).logits).any()


@pytest.mark.parametrize("build", ["lenet", "vgg", "preact", "sew", "resnet20"])
@pytest.mark.parametrize("neuron", ["qblif", "reverb"])
def test_builders_compile(build, neuron):
    """The convolutional and residual networks of the builders, ReverB's with binary weights."""
    common = {"neuron": neuron, "steps": 2}
    shape = (2, 8, 8)
    torch.manual_seed(0)
    model = {
        "lenet": lambda: nn.models.lenet((2, 16, 16), 3, width=2, **common),
        "vgg": lambda: nn.models.vgg11((2, 32, 32), 3, width=1, **common),
        "preact": lambda: nn.models.preact_resnet(shape, 3, (1, 1), (2, 3), **common),
        "sew": lambda: nn.models.sew_resnet(shape, 3, (1, 1), (2, 3), tie=False, **common),
        "resnet20": lambda: nn.models.resnet20(shape, 3, width=1, **common),
    }[build]()
    x = torch.rand(4, *(model.input.shape))
    model.train()
    with torch.no_grad():
        model(x)
    design = spikefold.compile(model.eval(), calibration=x.numpy())
    run = design.golden(x.numpy(), record=True)
    assert run.logits.shape == (4, 3)
    bits = [p.bits for population in design.network.populations for p in population.projections]
    assert (1 in bits) == (neuron == "reverb")
