"""Careless callers: any argument to any entry point gives a documented error, or works."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_case import FEATURES, features, invoke, tiny_model
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from properties import EXAMPLES, LEAVES, NUMBERS, VALUES, documented, holds

import spikefold
from spikefold import limits, nn
from spikefold.errors import InputError, SpikefoldError

SAMPLES = st.one_of(
    VALUES,
    st.builds(torch.rand, st.integers(0, 3), st.just(FEATURES), requires_grad=st.booleans()),
    hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=13)),
    hnp.arrays(
        st.sampled_from(["f4", "f8", ">f4", "i8", "u1", "f2"]),
        st.tuples(st.integers(0, 3), st.just(FEATURES)),
        elements=st.integers(0, 16),
    ),
)

TENSORS = ("dense1.weight", "norm1.weight", "neuron1.log_scale", "dense2.weight", "dense2.bias")


@pytest.mark.parametrize("examples", EXAMPLES)
def test_samples_of_any_kind(tiny: spikefold.Design, examples: int) -> None:
    def check(x: Any) -> None:
        for use in (tiny.encode, tiny.golden, tiny.cycles):
            assert documented(lambda use=use: use(x))

    holds(examples, SAMPLES, check)


GIVEN = {
    "name": LEAVES,
    "architecture": LEAVES,
    "device": LEAVES,
    "data": st.tuples(SAMPLES, SAMPLES) | VALUES,
    "calibration": SAMPLES,
    "fit_to": LEAVES,
    "weight_bits": VALUES | st.dictionaries(st.sampled_from(["layer0", "readout", "x"]), NUMBERS),
    "identity_bits": LEAVES,
    "input_levels": LEAVES,
    "membrane_bits": LEAVES,
    "method": LEAVES,
    "leak_terms": LEAVES,
    "pooling": LEAVES,
    "lanes": VALUES | st.dictionaries(st.sampled_from(["layer0", "readout", "x"]), NUMBERS),
    "units": VALUES,
    "coding": LEAVES,
    "order": LEAVES,
    "weights": LEAVES,
    "memories": VALUES,
    "macro": VALUES,
    "fps": NUMBERS,
    "clock_mhz": NUMBERS,
    "lut_budget": NUMBERS,
    "memory_budget": NUMBERS,
    "colour": LEAVES,
}


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("name", GIVEN)
def test_compile_with_any_argument(name: str, examples: int) -> None:
    model = tiny_model()

    def check(value: Any) -> None:
        assert documented(lambda: spikefold.compile(model, **{name: value}))

    holds(max(6, examples // 20), GIVEN[name], check)


@pytest.mark.parametrize("value", [None, 3, "m.safetensors", [], tiny_model, torch.zeros(3)])
def test_compile_of_no_model(value: object) -> None:
    with pytest.raises(InputError, match=r"^Model must be a module of spikefold\.nn layers or a spik"):
        spikefold.compile(value)


def test_mistakes_have_names(tiny: spikefold.Design) -> None:
    x, y = features(4)
    none, long = (x[:0], y[:0]), "a" * 300
    cases = {
        "Data must hold at least one sample, not 0": lambda: spikefold.compile(tiny_model(), data=none),
        "Samples must be at least one, not 0": lambda: tiny.cycles(x[:0]),
        "Samples must be an array of numbers of one shape, not [[1], 2]": lambda: tiny.encode([[1], 2]),
        "Network name must have at most 64 letters, not 300": lambda: spikefold.compile(
            tiny_model(), name=long
        ),
        "Trace file must be a path, not 3": lambda: tiny.simulate(x, trace=3),
        "Trace file must end in .fst, .vcd or .saif, not 'wave.txt'": lambda: tiny.simulate(
            x, trace="wave.txt"
        ),
        "Build directory must be a path, not None": lambda: spikefold.load(None),
        "Memory limit must be a positive number of bytes, not 'x'": lambda: limits.memory("x").__enter__(),
    }
    for message, call in cases.items():
        with pytest.raises(InputError, match=f"^{re.escape(message)}"):
            call()


def test_a_tensor_with_gradient_is_as_good_as_any(tiny: spikefold.Design) -> None:
    x = features(4)[0]
    tensor = torch.from_numpy(x).requires_grad_()
    assert np.array_equal(tiny.golden(tensor).logits, tiny.golden(x).logits)
    assert np.array_equal(tiny.encode(x.astype(">f4")), tiny.encode(x))
    assert np.array_equal(tiny.encode(x.astype(np.longdouble)), tiny.encode(x))


@pytest.mark.parametrize("examples", EXAMPLES)
def test_layers_with_any_parameters(examples: int) -> None:
    kinds = (
        *(nn.Dense, nn.BatchNorm, nn.PIT, nn.ILIF, nn.LIF, nn.QBLIF, nn.ReverB, nn.Input, nn.Dropout),
        *(nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d, nn.BinaryDense, nn.BinaryConv2d),
        *(nn.models.mlp, nn.models.cnn),
    )

    def check(given: tuple[Any, list[Any]]) -> None:
        kind, arguments = given
        try:
            kind(*arguments)
        except (
            SpikefoldError,
            TypeError,
        ):  # the latter where arguments are missing
            return

    small = NUMBERS | st.tuples(NUMBERS, NUMBERS)
    holds(examples, st.tuples(st.sampled_from(kinds), st.lists(small, min_size=1, max_size=4)), check)


@pytest.mark.parametrize("number", [1e15, 1e30, -1e30, 3e38, 1e-40, float("nan"), float("inf")])
@pytest.mark.parametrize("name", [*TENSORS, "norm1.running_var", "norm1.running_mean"])
def test_absurd_weights_are_refused_by_name_or_compile(tmp_path: Path, name: str, number: float) -> None:
    model = tiny_model()
    with torch.no_grad():
        model.state_dict()[name].reshape(-1)[0] = number
    assert documented(lambda: spikefold.compile(model))
    if not abs(number) <= 2**60:
        with pytest.raises(SpikefoldError, match=rf"^Tensor '{name}' must "):
            nn.save(model, tmp_path / "m")


@pytest.mark.parametrize("examples", EXAMPLES)
def test_the_command_line_ends_well_whatever_it_is_given(tmp_path: Path, examples: int) -> None:
    """Any options to any command: an exit code with a meaning, and one line for an error."""
    nn.save(tiny_model(), tmp_path / "m.safetensors")
    np.save(tmp_path / "x.npy", features(3)[0])
    files = [tmp_path / name for name in ("m.safetensors", "x.npy", "", "new", "a\nb")]
    options = ("--json", "-q", "--lanes", "--weight-bits", "-o", "--input", "--fps", "--device", "--name")
    values = ("1", "0", "-1", "nan", "1e9", "9" * 5000, "a" * 300, "", "\udcff", "layer0=x", "4G", "npz:x")
    more = ("--memory-limit", "--stall", "--seed", "--data", "--debug", "digits")
    words = st.sampled_from([*options, *more, *values, *map(str, files)])

    def check(arguments: list[str]) -> None:
        result = invoke(*arguments)
        assert result.exit_code in range(7), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == (result.exit_code not in (0, 2)), result.output
        assert "Unexpected" not in result.stderr, result.stderr

    commands = st.sampled_from(["compile", "verify", "simulate", "synth", "analyze", "train"])
    holds(examples, st.tuples(commands, st.lists(words, max_size=7)).map(lambda x: [x[0], *x[1]]), check)
