"""The way to integers: how weights are rounded, which bits are chosen, and what is said about losses."""

import logging

import numpy as np
import pytest
import torch
from cli_case import CLASSES, FEATURES, features, tiny_model

import spikefold
from spikefold import nn
from spikefold.bit_search import weights_of
from spikefold.errors import InputError, ModelError
from spikefold.fold import fold
from spikefold.train import fake_quantized


def learnt(epochs=40, bits=None):
    """The tiny network, trained on its task; with bits the weights are rounded meanwhile."""
    model = tiny_model().train()
    x, y = (torch.from_numpy(part) for part in features(300, seed=50))
    optimizer = torch.optim.AdamW(model.parameters(), 0.02)

    def train():
        for _ in range(epochs):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

    if bits is None:
        train()
    else:
        with fake_quantized(model, bits):
            train()
    return model.eval()


@pytest.fixture(scope="module")
def plain():
    return learnt()


@pytest.fixture(scope="module")
def rounded():
    return learnt(bits=2)


def noisy(model):
    """A network whose classes hang on small differences: few bits lose much."""
    with torch.no_grad():
        layer = next(module for module in model.modules() if isinstance(module, nn.Dense))
        layer.weight[:, 0] *= 40  # one large weight a channel, on a feature that is mostly 0
    return model


@pytest.fixture
def data():
    return features(200, seed=51)


def method_of(design):
    return design.info["rounding"]["method"]


def test_weights_are_fitted_where_there_are_samples(plain, data):
    assert method_of(spikefold.compile(plain)) == "max"
    assert method_of(spikefold.compile(plain, data=data)) == "fit"
    assert method_of(spikefold.compile(plain, calibration=data[0][:100])) == "fit"
    assert method_of(spikefold.compile(plain, calibration=data[0][:99])) == "max"  # too few to do it unasked
    assert method_of(spikefold.compile(plain, calibration=data[0][:99], method="fit")) == "fit"
    assert method_of(spikefold.compile(plain, data=data, method="max")) == "max"


def test_a_model_is_rounded_as_it_was_trained(rounded, data, tmp_path):
    nn.save(rounded, tmp_path / "m")
    for model in (rounded, nn.load(tmp_path / "m")):
        found = spikefold.compile(model, data=data).info["rounding"]
        assert found == {"method": "mse", "weight_bits": {"layer0": 2, "readout": 2}, "trained": True}
        assert spikefold.compile(model, weight_bits=5).info["rounding"]["weight_bits"]["layer0"] == 5
    with torch.no_grad(), fake_quantized(rounded, 2):
        guessed = rounded(torch.from_numpy(data[0])).argmax(1).numpy()
    assert (spikefold.compile(rounded).golden(data[0]).classes == guessed).all()


def test_a_loss_is_told_with_its_layer_and_its_cure(data, caplog):
    model = noisy(learnt())
    x = data[0].copy()
    x[:, 0] = 0
    with caplog.at_level(logging.WARNING, "spikefold"):
        design = spikefold.compile(model, data=(x, data[1]), weight_bits=3, method="max")
    loss = design.info["loss"]
    assert loss["measure"] == "accuracy"
    assert loss["wanted"] - loss["reached"] > 1
    assert loss["reached"] == design.info["accuracy_integer"]
    assert loss["layers"][0]["name"] == "layer0"
    alone = spikefold.compile(model, data=(x, data[1]), weight_bits={"layer0": 8, "readout": 3}, method="max")
    assert loss["layers"][0]["accuracy_exact"] == pytest.approx(alone.info["accuracy_integer"], abs=0.6)
    (record,) = caplog.records
    text = record.getMessage()
    assert text.startswith(f"Integer accuracy of {loss['reached']:.2f} % is ")
    assert "layer0 loses most of it: " in text
    assert "--weight-bits layer0=8,readout=3" in text
    assert loss["mends"][0] == "weights fitted to calibration data (--method fit)"


def test_without_labels_classes_are_compared(data, caplog):
    x = data[0].copy()
    x[:, 0] = 0
    loss = spikefold.compile(noisy(learnt()), calibration=x, weight_bits=3, method="max").info["loss"]
    assert loss["measure"] == "agreement"
    assert loss["wanted"] == 100
    assert "gives another class than the float network for" in caplog.text
    few = spikefold.compile(noisy(learnt()), calibration=x[:99], weight_bits=3, method="max")
    assert few.info["loss"] is None


def test_nothing_is_said_where_nothing_is_lost(plain, data, caplog):
    design = spikefold.compile(plain, data=data, weight_bits=8)
    assert design.info["loss"] is None
    assert not caplog.records


def test_bits_are_chosen_for_a_loss_and_a_budget():
    """The share of equal classes decides, as nothing is labelled; the readout is random."""
    model, (x, _) = tiny_model(), features(300, seed=52)
    found = {loss: auto(model, x, max_loss=loss) for loss in (1.0, 5.0, 100.0)}
    bits = {loss: design.info["rounding"]["weight_bits"] for loss, design in found.items()}
    assert bits[100.0] == {"layer0": 2, "readout": 2}
    sizes = weights_of(fold(model))
    assert sizes == {"layer0": FEATURES * 10, "readout": 10 * CLASSES}
    totals = {loss: sum(sizes[name] * most for name, most in own.items()) for loss, own in bits.items()}
    assert totals[100.0] < totals[5.0] < totals[1.0] < 8 * sum(sizes.values())
    for loss, design in found.items():
        assert 100 * np.mean(design.golden(x).classes != _classes(model, x)) <= loss
    message = r"^Weight budget must be at least 300 bits, 2 for each weight, not 9$"
    with pytest.raises(InputError, match=message):
        auto(model, x, max_loss=1, weight_budget=9)
    most = totals[1.0]
    message = rf"^Weight budget must be at least {most} bits to lose at most 1 points, not {most - 1}, with "
    with pytest.raises(InputError, match=message):
        auto(model, x, max_loss=1, weight_budget=most - 1)
    assert auto(model, x, max_loss=1, weight_budget=most).info["rounding"]["weight_bits"] == bits[1.0]


def auto(model, samples, **choices):
    return spikefold.compile(model, calibration=samples, weight_bits="auto", **choices)


def _classes(model, x):
    with torch.no_grad():
        return model(torch.from_numpy(x)).argmax(1).numpy()


def test_fitted_weights_give_way_to_hardware_that_exists(data, caplog, monkeypatch):
    hardware = spikefold.compile(tiny_model(), data=data, method="max")
    assert method_of(spikefold.compile(tiny_model(), data=data, fit_to=hardware)) == "fit"
    (weight,) = (p.weight for p in hardware.network.by_name["layer0"].projections)

    def only_the_nearest(plan, network):
        (found,) = (p.weight for p in network.by_name["layer0"].projections)
        if not np.array_equal(found, weight):
            raise ModelError("Bias of 'layer0' must fit 5 bits, but needs 6")

    monkeypatch.setattr(hardware.architecture, "check_fit", only_the_nearest)
    with caplog.at_level(logging.INFO, "spikefold"):
        design = spikefold.compile(tiny_model(), data=data, fit_to=hardware)
    assert method_of(design) == "max"
    assert "Weights are rounded to the nearest, since fitted ones do not fit: Bias of 'layer0'" in caplog.text
    with pytest.raises(ModelError, match=r"^Bias of 'layer0' must fit 5 bits, but needs 6$"):
        spikefold.compile(tiny_model(), data=data, fit_to=hardware, method="fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_bits": "auto"}, r"^Weight bits 'auto' must have samples to choose by: "),
        ({"method": "fit"}, r"^Quantization method 'fit' must have samples to fit to: "),
        ({"method": "best"}, r"^Quantization method must be one of 'auto', 'max', 'mse', 'fit', not 'best'$"),
        ({"max_loss": 0.5}, r"^Max loss must go with weight bits 'auto', not None$"),
        ({"weight_budget": 5, "weight_bits": 4}, r"^Weight budget must go with weight bits 'auto', not 4$"),
        (
            {"weight_bits": "auto", "max_loss": -1, "calibration": features(9)},
            r"^Max loss must be a number of at least 0, not -1$",
        ),
        (
            {"weight_bits": "auto", "calibration": np.zeros((3, FEATURES), int)},
            r"^Weight bits 'auto' must have features in floating point to choose by, not int64$",
        ),
        (
            {"calibration": (np.zeros((3, FEATURES)), [0, 1])},
            r"^Labels must be integers of shape \(3,\), not ",
        ),
        (
            {"data": (features(9)[0], np.full(9, 7))},
            r"^Labels must be 0\.\.2, one of the network's classes",
        ),
    ],
)
def test_refusals(options, message):
    with pytest.raises(InputError, match=message):
        spikefold.compile(tiny_model(), **options)
