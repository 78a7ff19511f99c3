"""The graph and the input encoding: what is refused, and levels as the trained model sees them."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.ir import Input, Network, Neuron, Population, Projection


def test_needs_neither_torch_nor_amaranth():
    code = "import sys, spikefold.ir; print({'torch', 'amaranth'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


@pytest.mark.parametrize("levels", [1, 15, 16, 255])
@pytest.mark.parametrize("span", [(0.0, 1.0), (0.0, 255.0), (-1.7, 0.3), (0.1, 0.7)])
def test_levels_are_those_of_training(levels, span):
    low, high = span
    rng = np.random.default_rng(levels)
    edges = low + (np.arange(levels + 1) - 0.5) * ((high - low) / levels)
    x = np.concatenate(
        [rng.uniform(low - 1, high + 1, 3000), edges, np.nextafter(edges, -9), np.nextafter(edges, 9)]
    )
    for dtype in (np.float32, np.float64):
        sample = x.astype(dtype)[None]
        trained = nn.Input(x.size, levels, low, high).encode(torch.tensor(sample)).numpy()
        np.testing.assert_array_equal(
            Input((x.size,), levels, True, low, high).encode(sample, 1)[:, 0], trained
        )
        assert trained.min() == 0
        assert trained.max() == levels


@pytest.mark.parametrize("static", [True, False])
def test_samples_become_rows_of_levels(static):
    source = Input((2, 3), 16, static)
    x = np.random.default_rng(0).random((7, 2, 3) if static else (7, 4, 2, 3))
    levels = source.encode(x, 4)
    assert levels.shape == ((7, 1, 6) if static else (7, 4, 6))
    assert levels.dtype == np.int64
    np.testing.assert_array_equal(levels, np.floor(x * 16 + 0.5).reshape(levels.shape))
    np.testing.assert_array_equal(source.encode(levels.reshape(x.shape).astype(np.uint8), 4), levels)
    assert source.encode(x[:0], 4).shape == (0, *levels.shape[1:])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((7, 3)), r"^Samples must have shape \(samples, 2, 3\), not \(7, 3\)$"),
        (np.zeros((2, 3)), r"^Samples must have shape \(samples, 2, 3\), not \(2, 3\)$"),
        (np.zeros((7, 2, 3), bool), r"^Samples must be floating-point features or integer levels, not bool$"),
        (np.zeros((7, 2, 3), complex), r"^Samples must be .*, not complex128$"),
        (np.full((7, 2, 3), np.nan), r"^Samples must be finite, but hold NaN or infinity$"),
        (np.full((7, 2, 3), np.inf), r"^Samples must be finite, but hold NaN or infinity$"),
        (
            np.full((7, 2, 3), 17),
            r"^Integer samples must be levels 0\.\.16, not 17\.\.17; pass floating-point",
        ),
        (np.full((7, 2, 3), -1), r"^Integer samples must be levels 0\.\.16, not -1\.\.-1; "),
    ],
)
def test_wrong_samples_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        Input((2, 3), 16).encode(x, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 16), r"^Input shape must be positive integers, not \(\)$"),
        (((3, 0), 16), r"^Input shape must be positive integers, not \(3, 0\)$"),
        (((3.0,), 16), r"^Input shape must be positive integers, not \(3\.0,\)$"),
        (((3,), 0), r"^Input levels must be 1\.\.255, not 0$"),
        (((3,), 256), r"^Input levels must be 1\.\.255, not 256$"),
        (((3,), 4.5), r"^Input levels must be 1\.\.255, not 4\.5$"),
        (((3,), 4, True, 1.0, 1.0), r"^Input range must be finite and increasing, not 1\.0\.\.1\.0$"),
        (((3,), 4, True, 0.0, np.inf), r"^Input range must be finite and increasing, not 0\.0\.\.inf$"),
    ],
)
def test_wrong_inputs_are_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        Input(*arguments)


@pytest.mark.parametrize(
    ("weight", "bits", "message"),
    [
        (np.zeros((1, 2, 3), int), 0, r"^Weight bits must be 1\.\.8, not 0$"),
        (np.zeros((1, 2, 3), int), 9, r"^Weight bits must be 1\.\.8, not 9$"),
        (np.zeros((1, 2, 3), int), 4.0, r"^Weight bits must be 1\.\.8, not 4\.0$"),
        (np.zeros((2, 3), int), 4, r"^Weight must have 3 dimensions, not shape \(2, 3\)$"),
        (np.zeros((1, 2, 3)), 4, r"^Weight must hold integers, not float64$"),
        (np.zeros((1, 0, 3), int), 4, r"^Weight must not be empty, but has shape \(1, 0, 3\)$"),
        (np.full((1, 2, 3), 8), 4, r"^Weights of 4 bits must be -8\.\.7, not 8\.\.8$"),
        (np.full((1, 2, 3), -9), 4, r"^Weights of 4 bits must be -8\.\.7, not -9\.\.-9$"),
        (np.zeros((1, 2, 3), int), 1, r"^One-bit weights must be -1 or \+1$"),
    ],
)
def test_wrong_weights_are_refused(weight, bits, message):
    with pytest.raises(ModelError, match=message):
        Projection("input", weight, bits)


def test_the_whole_range_of_weights_is_taken():
    for bits in range(2, 9):
        weight = np.array([[[-(1 << (bits - 1)), (1 << (bits - 1)) - 1]]])
        assert Projection("input", weight, bits).weight.tolist() == weight.tolist()


def spiking(name="hidden", source="input", size=3, channels=2, **changes):
    return Population(
        **{
            "name": name,
            "projections": (Projection(source, np.ones((1, channels, size), int), 4),),
            "bias": np.zeros((1, channels), int),
            "neuron": Neuron(4, np.full((1, channels), 9)),
        }
        | changes
    )


def readout(source="hidden", size=2, name="readout", **changes):
    return spiking(name, source, size, neuron=None, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "Hidden"},
            r"^Population name must be lower case letters, digits and underscores, not 'Hidden'$",
        ),
        ({"name": "input"}, r"^Population name must be .* not 'input'$"),
        ({"name": "a.b"}, r"^Population name must be .* not 'a\.b'$"),
        ({"fraction": 9}, r"^Fraction F of 'hidden' must be 0\.\.8, not 9$"),
        ({"fraction": 1.0}, r"^Fraction F of 'hidden' must be 0\.\.8, not 1\.0$"),
        ({"projections": ()}, r"^Population 'hidden' must have a projection, but has none$"),
        ({"bias": np.zeros((1, 5), int)}, r"^Weight of 'hidden' must have 5 rows, not 2$"),
        ({"bias": np.zeros((1, 2))}, r"^Bias of 'hidden' must hold integers, not float64$"),
        ({"bias": np.full((1, 2), -(1 << 62))}, r"^Bias of 'hidden' must fit 51 bits, not "),
        ({"neuron": Neuron(4, np.ones((1, 3), int))}, r"^Threshold of 'hidden' must have 2 channels, not 3$"),
        ({"scale": np.ones(3)}, r"^Scale of 'hidden' must have shape \(2,\), not \(3,\)$"),
    ],
)
def test_wrong_populations_are_refused(changes, message):
    with pytest.raises(ModelError, match=message):
        spiking(**changes)


@pytest.mark.parametrize(
    ("populations", "options", "message"),
    [
        ((), {}, r"^The last population must be a readout$"),
        ((spiking(),), {}, r"^The last population must be a readout$"),
        (
            (readout("input", 3), readout("input", 3, "two")),
            {},
            r"^Only the last population may be a readout, not 'readout'$",
        ),
        (
            (spiking(), spiking(), readout()),
            {},
            r"^Population names must be unique, but 'hidden' comes twice$",
        ),
        (
            (spiking(source="other"), readout()),
            {},
            r"^Source of 'hidden' must be the input or an earlier .* not 'other'$",
        ),
        ((spiking(source="hidden"), readout()), {}, r"^Source of 'hidden' must be .* not 'hidden'$"),
        (
            (spiking(size=4), readout()),
            {},
            r"^Weight of 'hidden' must have 3 columns, one per neuron of 'input', not 4$",
        ),
        ((spiking(), readout()), {"steps": 0}, r"^Time steps T must be 1\.\.1024, not 0$"),
        ((spiking(), readout()), {"steps": 1025}, r"^Time steps T must be 1\.\.1024, not 1025$"),
        ((spiking(), readout()), {"steps": 1.0}, r"^Time steps T must be 1\.\.1024, not 1\.0$"),
        (
            (spiking(), readout()),
            {"name": "9lives"},
            r"^Network name must be lower case letters, .* not '9lives'$",
        ),
        (
            (spiking(bias=np.zeros((2, 2), int)), readout()),
            {},
            r"^Bias of 'hidden' must come once or once per time step \(3\), not 2 times$",
        ),
        (
            (spiking(neuron=Neuron(4, np.ones((2, 2), int))), readout()),
            {},
            r"^Threshold of 'hidden' must come once or once per time step \(3\), not 2 times$",
        ),
        (
            (spiking(projections=(Projection("input", np.ones((2, 2, 3), int), 4),)), readout()),
            {},
            r"^Weight from 'input' of 'hidden' must come once or once per time step \(3\), not 2 times$",
        ),
    ],
)
def test_wrong_networks_are_refused(populations, options, message):
    with pytest.raises(ModelError, match=message):
        Network(Input((3,), 16), **{"steps": 3, "populations": populations} | options)


def test_a_readout_is_no_source():
    network = Network(Input((3,), 16), 1, (spiking(), readout()))
    assert network.levels_of("input") == 16
    assert network.levels_of("hidden") == 4
    with pytest.raises(ModelError, match=r"^A readout emits no levels, but 'readout' is used as a source$"):
        network.levels_of("readout")
