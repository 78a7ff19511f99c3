"""What the numbers of a sample file are taken as."""

import numpy as np
import pytest
from cli_case import features, fields, invoke, model_file, refused

import spikefold
from spikefold.cli.samples import read_understood
from spikefold.errors import InputError

AMARANTH = ("--samples", "2", "--simulator", "amaranth", "--json")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    model = model_file(folder)
    assert invoke("compile", model, "-o", folder / "build", "--input-levels", 8, "-q").exit_code == 0
    return folder / "build"


def read(folder, x, levels, build):
    np.save(folder / "x.npy", x)
    return read_understood(folder / "x.npy", levels, spikefold.load(build).network)


def test_types_say_what_they_are(tmp_path, build):
    design, (x, _) = spikefold.load(build), features(20)
    x = np.minimum(x, 8)
    for numbers, levels, what in (
        (x, None, "float32 as features, 0..16 become levels 0..8"),
        (x.astype(np.uint8), None, "uint8 as input levels 0..8"),
        (x.astype(np.uint8), False, "uint8 as features, 0..16 become levels 0..8"),
        (x, True, "int64 as input levels 0..8"),
    ):
        taken, understood = read(tmp_path, numbers, levels, build)
        assert understood == what
        expected = x.astype(int) if "as input levels" in what else x
        np.testing.assert_array_equal(design.encode(taken), design.encode(expected))


def test_what_is_no_level(tmp_path, build):
    for bad in (0.5, np.nan, np.inf):
        with pytest.raises(InputError, match=r"^Sample file '.*' must hold whole numbers to be levels"):
            read(tmp_path, np.full((2, 12), bad), True, build)
    x, _ = read(tmp_path, np.full((2, 12), 1e30), True, build)
    with pytest.raises(InputError, match=r"^Integer samples must be levels 0\.\.8, not 256"):
        spikefold.load(build).encode(x)


def test_verify_says_it(tmp_path, build):
    x = np.minimum(features(2)[0], 8).astype(np.int64)
    np.save(tmp_path / "x.npy", x)
    result = invoke("verify", build, "--input", tmp_path / "x.npy", *AMARANTH)
    assert fields(result)["input"] == "int64 as input levels 0..8"
    assert f"Samples: 2, {tmp_path / 'x.npy'}: int64 as input levels 0..8" in result.stderr
    result = invoke("verify", build, "--input", tmp_path / "x.npy", "--features", *AMARANTH)
    assert fields(result)["input"] == "int64 as features, 0..16 become levels 0..8"
    np.save(tmp_path / "x.npy", x + 9)
    refused(invoke("verify", build, "--input", tmp_path / "x.npy", *AMARANTH), 3, r"Integer samples must be ")
