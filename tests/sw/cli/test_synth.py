import importlib.util

import pytest
from cli_case import fields, invoke, model_file, refused


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth")
    options = ("-o", folder / "build", "-q", "--lanes", 2)
    assert invoke("compile", model_file(folder), *options).exit_code == 0
    return folder / "build"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_fields_without_place_and_route(build):
    found = fields(invoke("synth", build, "--device", "xc7", "--json"))
    assert found["device"] == "xc7"
    assert found["fits"] is True
    assert found["lut"] > 0
    assert found["ff"] > 0
    assert found["dsp"] == found["multipliers"] == 0
    assert found["bram"] >= 0
    assert found["fmax_mhz"] is None
    again = invoke("synth", build, "--device", "xc7", "-q")
    assert "not known" in again.stdout
    assert "(cached)" in again.stdout
    assert again.stderr == ""


@pytest.mark.slow
def test_fields_with_place_and_route(build):
    found = fields(invoke("synth", build, "--device", "ice40-up5k", "--json", "--no-cache"))
    assert found["fits"] is True
    assert found["fmax_mhz"] > 1
    assert found["dsp"] == found["multipliers"] == 0


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (
            ["--device", "ecp5"],
            r"Device must be one of ecp5-85k, .*, ice40-hx8k, gowin-9k, gowin-20k, xc7, not 'ecp5'$",
        ),
        (
            ["--device", "xc7", "--timeout", "0"],
            r"Limit of time must be a positive number of seconds, not 0\.0$",
        ),
        (["--device", "ecp5-85k", "--speed", "9"], r"Speed grade of ecp5-85k must be 6 or 7 or 8, not 9$"),
        (["--device", "xc7", "--seeds", "0"], r"Number of seeds must be a positive integer, not 0$"),
    ],
)
def test_bad_option(build, options, pattern):
    refused(invoke("synth", build, *options), 3, pattern)


def test_missing_tool(build, tmp_path, monkeypatch):
    find = importlib.util.find_spec

    def hidden(name, *rest):
        return None if name.startswith(("yowasp", "pyosys")) else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    monkeypatch.setenv("PATH", str(tmp_path))
    result = invoke("synth", build, "--device", "xc7", "--json")
    assert fields(result, code=4)["kind"] == "MissingToolError"
    refused(result, 4, r'Yosys must be installed, .*: pip install "spikefold\[synth\]"$')
