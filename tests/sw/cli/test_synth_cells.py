import pytest
from cli_case import fields, invoke, model_file, refused

pytestmark = pytest.mark.cells


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    options = ("-o", folder / "build", "-q", "--lanes", 2)
    assert invoke("compile", model_file(folder), *options).exit_code == 0
    return folder / "build"


def test_area_and_timing(build, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = fields(invoke("synth", build, "--cells", "nangate45", "--json"))
    assert found["cells"] == "nangate45"
    assert found["multipliers"] == 0
    assert 0 < found["sequential_area_um2"] < found["area_um2"]
    assert found["gate_equivalents"] == round(found["area_um2"] / 0.798)
    assert found["gates"] > found["flip_flops"] > 100
    assert found["fmax_mhz"] > 300
    assert found["critical_path"][0].startswith("from DFF_X1 core.")
    assert found["memory_bits"] == sum(each["bits"] for each in found["memories"]) > 0
    assert found["memories"][0]["name"].startswith("core.")
    assert found["energy"] is None
    again = invoke("synth", build, "--cells", "nangate45", "-q")
    assert "(cached)" in again.stdout
    assert "not in the area" in again.stdout


@pytest.mark.slow
def test_small_memories_become_flip_flops_and_logic(build):
    boxed, flops = (
        fields(invoke("synth", build, "--cells", "nangate45", "--small-memories-as-flops", bits, "--json"))
        for bits in (0, 600)
    )
    small = [each for each in boxed["memories"] if each["bits"] <= 600]
    assert small
    assert flops["memory_bits"] == boxed["memory_bits"] - sum(each["bits"] for each in small)
    assert flops["area_um2"] > boxed["area_um2"]


def test_sky130_has_area_and_timing_but_no_energy(build):
    found = fields(invoke("synth", build, "--cells", "sky130", "--period", 5, "--json"))
    assert found["period_ns"] == 5
    assert found["fmax_mhz"] > 50
    assert found["area_um2"] > 10000
    pattern = r"Cell library must have power figures for energy to be measured, and 'sky130' has none; take "
    refused(invoke("synth", build, "--cells", "sky130", "--energy", 1), 3, pattern)


@pytest.mark.slow
def test_energy(build):
    found = fields(invoke("synth", build, "--cells", "nangate45", "--energy", 5, "--json"))["energy"]
    assert found["samples"] == 5
    assert found["nets"] > 1000
    parts = [found[f"{name}_pj"] for name in ("sequential", "combinational", "leakage")]
    assert all(part > 0 for part in parts)
    assert found["logic_pj"] == pytest.approx(sum(parts))
    assert found["memory_pj"] == pytest.approx(10 / 64 * sum(each["bits"] for each in found["accesses"]))
    assert found["coded_additions"] <= found["additions"]
    assert invoke("synth", build, "--cells", "nangate45", "--energy", 5).stdout.count("pJ") == 6


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (["--cells", "tsmc"], r"Cell library must be nangate45 or sky130, not 'tsmc'$"),
        (["--cells", "sky130", "--period", "0"], r"Clock period must be a positive number, not 0\.0$"),
        (
            ["--cells", "sky130", "--small-memories-as-flops", "-1"],
            r"Bits of memories that become flip-flops must be 0 or more, not -1$",
        ),
        (["--cells", "nangate45", "--energy", "0"], r"Number of samples must be a positive integer, not 0$"),
    ],
)
def test_bad_option(build, options, pattern):
    refused(invoke("synth", build, *options), 3, pattern)


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ([], "Missing option '--device' or '--cells'"),
        (["--cells", "sky130", "--device", "xc7"], "--cells goes without --device, --speed"),
        (["--device", "xc7", "--energy", "3"], "--energy need --cells"),
    ],
)
def test_options_that_do_not_go_together(build, options, pattern):
    result = invoke("synth", build, *options)
    assert result.exit_code == 2
    assert pattern in result.stderr
