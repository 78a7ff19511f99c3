"""`spikefold.compile` and what a design answers without a simulator."""

import numpy as np
import pytest
import torch
from cli_case import CLASSES, FEATURES, features, tiny_model, tree
from conv_case import conv_network

import spikefold
from spikefold import nn
from spikefold.errors import InputError, ModelError


class Own(torch.nn.Module):
    """A user's own module of spikefold.nn layers, no Sequential."""

    def __init__(self, source):
        super().__init__()
        self.parts = torch.nn.ModuleList(source.children())

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x


@pytest.fixture(scope="module")
def data():
    return features(80, seed=9)


def test_own_module_gives_the_same_design(tmp_path, data):
    for name, model in (("a", tiny_model()), ("b", Own(tiny_model()).eval())):
        spikefold.compile(model, name="net", data=data).write(tmp_path / name)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_accuracies(data):
    design = spikefold.compile(tiny_model(), data=data)
    assert design.info["accuracy_integer"] == pytest.approx(
        100 * (design.golden(data[0]).classes == data[1]).mean()
    )
    assert design.info["accuracy_float"] == pytest.approx(100 * nn_accuracy(tiny_model(), *data), abs=1e-3)
    assert "accuracy_float" not in spikefold.compile(tiny_model()).info


def nn_accuracy(model, x, y):
    with torch.no_grad():
        return (model(torch.from_numpy(x)).argmax(1).numpy() == y).mean()


def test_calibration_is_on_the_given_samples(data):
    x = np.zeros((5, FEATURES), np.float32)
    x[:, 0] = 16.0
    found = spikefold.compile(tiny_model(), calibration=x).info["calibration"]
    assert found["samples"] == 5
    assert found["firing"]["input"] == pytest.approx(1 / FEATURES, abs=1e-4)
    assert found["levels"]["input"][16] == 5


def test_integer_network_in(data):
    network = spikefold.compile(tiny_model(), weight_bits=3).network
    design = spikefold.compile(network, data=data)
    assert design.network is network
    assert design.summary["accuracy_float"] is None
    assert design.summary["accuracy_integer"] is not None
    assert design.summary["quantization"] is None


def test_input_levels_leave_the_model_alone(data):
    model = tiny_model()
    design = spikefold.compile(model, input_levels=5)
    assert design.plan.input.levels == 5
    assert model.input.levels == 16


@pytest.mark.parametrize("steps", [1, 3])
def test_steps(steps, data):
    design = spikefold.compile(tiny_model(steps=steps), lanes=3)
    assert design.summary["steps"] == steps
    assert design.golden(data[0]).logits.shape == (len(data[0]), CLASSES)
    cycles = design.cycles(data[0])
    assert len(cycles.results) == len(data[0])


def test_integers_are_levels_already(data):
    design = spikefold.compile(tiny_model())
    levels = data[0].astype(np.uint8)
    np.testing.assert_array_equal(design.golden(levels).logits, design.golden(data[0]).logits)


def test_options_shape_the_hardware():
    design = spikefold.compile(
        conv_network(steps=2),
        lanes={"layer1": 8},
        units={"layer1": 4},
        order="step-major",
        weights="loaded",
        coding="naf",
    )
    layer = next(layer for layer in design.plan.layers if layer.name == "layer1")
    assert (layer.lanes, layer.units) == (8, 4)
    assert (design.plan.time.order, design.plan.loaded) == ("step_major", True)
    assert set(design.plan.coding.values()) == {"naf"}
    assert spikefold.compile(conv_network(steps=2)).plan.time.order == "position_major"
    assert spikefold.compile(conv_network(steps=2, static=False)).plan.time.order == "step_major"
    assert spikefold.compile(conv_network(steps=2), order="step_major").plan.time.order == "step_major"
    for name in (None, "layer1"):
        counted = spikefold.compile(conv_network(), units=1 if name is None else {name: 1}).plan.layers
        assert all(layer.units == 1 for layer in counted if name in (None, layer.name))


def test_rates_and_budgets_reach_the_choice():
    network = conv_network()
    design = spikefold.compile(network)
    pipeline = design.info["calibration"]["pipeline"]
    luts, bits = pipeline["total"]["luts"], pipeline["total"]["memory_bits"]
    slow = spikefold.compile(network, fps=1000, clock_mhz=20).info["calibration"]
    assert slow["cycles_interval"] <= 20000
    assert slow["pipeline"]["total"]["luts"] < luts
    small = spikefold.compile(network, lut_budget=luts - 200, memory_budget=bits).info["calibration"][
        "pipeline"
    ]
    assert small["total"]["luts"] <= luts - 200
    assert small["total"]["memory_bits"] <= bits


def test_device_is_compared(data):
    found = spikefold.compile(tiny_model(), data=data, device="ice40-up5k").info["calibration"]["device"]
    assert found["fits"]
    assert found["reason"] is None
    assert spikefold.compile(tiny_model()).info["calibration"]["device"] is None


def test_progress_is_told(data):
    said = []
    spikefold.compile(tiny_model(), data=data, progress=said.append)
    assert said[0] == "folding and quantizing"
    assert "choosing lanes" in said


def test_fitted_network_has_a_pipeline_too():
    hardware = spikefold.compile(tiny_model(), lanes={"layer0": 3})
    fitted = spikefold.compile(tiny_model(), fit_to=hardware, lanes="auto")
    rows = fitted.info["calibration"]["pipeline"]["stages"]
    assert [row["lanes"] for row in rows] == [None, 3, hardware.plan.layers[1].lanes]


BAD_HARDWARE = {
    "order": (
        {"order": "outermost"},
        r"^Order of time must be auto, position-major or step-major, not 'outermost'$",
    ),
    "weights": ({"weights": "flash"}, r"^Weights must be rom or loaded, not 'flash'$"),
    "units": (
        {"units": {"layer0": 3}},
        r"^Units of 'layer0' must divide the 10 channels of a group, not be 3$",
    ),
    "units zero": ({"units": 0}, r"^Unit count of 'layer0' must be a positive integer, not 0$"),
    "units layer": ({"units": {"x": 1}}, r"^Units must name one of layer0, readout, not 'x'$"),
    "pooling": ({"pooling": "max"}, r"^Pooling must be auto, unit or compose, not 'max'$"),
    "identity bits": ({"identity_bits": 9}, r"^Identity bits must be 1\.\.8, not 9$"),
    "device": ({"device": "virtex"}, r"^Device must be one of ecp5-85k, .*, not 'virtex'$"),
    "fps": ({"fps": -1}, r"^Frames per second must be a positive number, not -1$"),
    "clock": ({"clock_mhz": 0}, r"^Clock in MHz must be a positive number, not 0$"),
    "fps too high": ({"fps": 1e9}, r"^Frames per second must be at most [\d.]+ at 100 MHz, not 1e\+09: "),
    "luts": ({"lut_budget": 5}, r"^LUT budget must be at least [\d ]+, not 5: the smallest design needs "),
    "memory": (
        {"memory_budget": 5},
        r"^Memory budget must be at least [\d ]+ bits, not 5: the smallest design ",
    ),
}


@pytest.mark.parametrize("case", BAD_HARDWARE)
def test_bad_hardware(case):
    options, pattern = BAD_HARDWARE[case]
    with pytest.raises(InputError, match=pattern):
        spikefold.compile(tiny_model(), **options)


BAD_SAMPLES = {
    "shape": (np.zeros((4, FEATURES + 1)), r"^Samples must have shape \(samples, 12\), not \(4, 13\)$"),
    "one sample bare": (np.zeros(FEATURES), r"^Samples must have shape \(samples, 12\), not \(12,\)$"),
    "dtype": (np.zeros((4, FEATURES), complex), r"^Samples must be floating-point .*, not complex128$"),
    "bool": (np.zeros((4, FEATURES), bool), r"^Samples must be floating-point .*, not bool$"),
    "too large": (np.full((4, FEATURES), 17), r"^Integer samples must be levels 0\.\.16, not 17\.\.17; pass"),
    "negative": (np.full((4, FEATURES), -1), r"^Integer samples must be levels 0\.\.16, not -1\.\.-1; pass"),
    "NaN": (np.full((4, FEATURES), np.nan), r"^Samples must be finite, but hold NaN or infinity$"),
    "none": (np.zeros((0, FEATURES)), r"^Samples must be at least one, not 0$"),
}


@pytest.mark.parametrize("case", BAD_SAMPLES)
def test_bad_samples(case):
    x, pattern = BAD_SAMPLES[case]
    design = spikefold.compile(tiny_model())
    for run in (design.simulate, lambda x: design.verify(x, simulator="amaranth")):
        with pytest.raises(InputError, match=pattern):
            run(x)


@pytest.mark.parametrize("value", [0, -3, 1.5, True, None, "x", {"layer0": 0}, {"other": 1}, {"layer0": 2.0}])
def test_bad_lanes(value):
    with pytest.raises(InputError, match=r"^(Lane count of 'layer0' must be|Lanes must name one of)"):
        spikefold.compile(tiny_model(), lanes=value)


@pytest.mark.parametrize("value", [0, 256, 1.5, True])
def test_bad_input_levels(value):
    with pytest.raises(InputError, match=r"^Input levels must be 1\.\.255, not "):
        spikefold.compile(tiny_model(), input_levels=value)


@pytest.mark.parametrize("value", [0, 9, 4.0, {"layer0": 0}])
def test_bad_weight_bits(value):
    with pytest.raises(InputError, match=r"^Weight bits of 'layer0' must be 1\.\.8, not "):
        spikefold.compile(tiny_model(), weight_bits=value)


@pytest.mark.parametrize("levels", [0, 256])
def test_bad_levels(levels):
    with pytest.raises(ModelError, match=r"levels \(D\) must be an integer from 1 to 255, not "):
        tiny_model(levels=levels)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(value):
    model = tiny_model()
    with torch.no_grad():
        model.dense1.weight[2, 3] = value
    with pytest.raises(ModelError, match=r"must be finite|NaN or infinity"):
        spikefold.compile(model)


def test_scale_that_is_not_positive():
    model = tiny_model()
    with torch.no_grad():
        model.neuron1.log_scale[0, 3] = -1000.0
    with pytest.raises(
        ModelError, match=r"PIT scale a must be finite and above 0, not 0\.0 \(step 0, channel 3\)"
    ):
        spikefold.compile(model)


def test_unknown_layer_and_neuron():
    for layer in (torch.nn.Conv3d(1, 1, 1), torch.nn.ReLU()):
        model = nn.Sequential(*tiny_model().children())
        model[3] = layer
        with pytest.raises(ModelError, match=rf"{type(layer).__name__}"):
            spikefold.compile(model)


def test_labels_that_do_not_fit(data):
    with pytest.raises(InputError, match=r"^Labels must be integers of shape"):
        spikefold.compile(spikefold.compile(tiny_model()).network, data=(data[0], data[1][:-1]))


def test_unknown_simulator_and_stall(data):
    design = spikefold.compile(tiny_model())
    with pytest.raises(
        InputError, match=r"^Simulator must be one of verilator, icarus, amaranth, native, not 'vcs'$"
    ):
        design.verify(data[0], simulator="vcs")
    for stall in (-0.1, 1.0):
        with pytest.raises(
            InputError, match=r"^Stall probability of the input must be at least 0 and below 1"
        ):
            design.verify(data[0], stall=stall, simulator="amaranth")


def test_verify_in_amaranth(data):
    design = spikefold.compile(tiny_model(steps=2), lanes={"layer0": 4})
    x = data[0][:6]
    plain = design.verify(x, simulator="amaranth")
    assert (plain.mismatches, plain.cycle_exact, plain.passed) == (0, True, True)
    assert plain.events == (design.golden(x, record=True).levels["layer0"] > 0).sum() > 20
    stalled = design.verify(x, stall=0.9, seed=5, simulator="amaranth")
    assert (stalled.mismatches, stalled.cycle_exact, stalled.passed) == (0, None, True)
    assert stalled.events == plain.events
    assert stalled.cycles_per_sample > plain.cycles_per_sample


def test_fitted_network_takes_the_fraction_of_the_hardware(data):
    """Smaller thresholds alone would ask for a larger F, and so for other Verilog."""
    hardware = spikefold.compile(tiny_model(), data=data, method="max")
    finer = tiny_model()
    with torch.no_grad():
        finer.neuron1.log_scale -= 2.0
        [m for m in finer.modules() if isinstance(m, nn.Dense)][-1].bias *= np.exp(-2.0)
    assert spikefold.compile(finer).network.by_name["layer0"].fraction > (
        hardware.network.by_name["layer0"].fraction
    )
    fitted = spikefold.compile(finer, fit_to=hardware)
    assert fitted.plan == hardware.plan
    assert fitted.network.by_name["layer0"].fraction == hardware.network.by_name["layer0"].fraction
