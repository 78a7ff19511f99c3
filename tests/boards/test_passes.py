"""The scripts for yosys."""

import pytest

from spikefold.flow.artefact import Artefact
from spikefold_boards.fpgas import find_fpga
from spikefold_boards.passes import elaboration, mapping


def test_images_reach_the_top_module_as_a_binary_constant(counter: Artefact, product: Artefact) -> None:
    assert f" -chparam MEM_DIR 24'b{0x6D656D:024b}" in " ".join(elaboration(counter))
    assert "chparam" not in " ".join(elaboration(product))


@pytest.mark.parametrize(("device", "variant"), [("ice40-up5k", "-device u"), ("ice40-hx8k", "-device hx")])
def test_members_of_a_family_differ_in_the_variant_alone(device: str, variant: str) -> None:
    script = "\n".join(mapping("top", find_fpga(device), harness=False))
    assert script.count(f" {variant} -run ") == 2


def test_a_harness_is_read_and_becomes_the_top() -> None:
    script = mapping("wide_harness", find_fpga("xc7"), harness=True)
    assert script[:3] == ["read_rtlil design.il", "setattr -mod -unset top *", "read_verilog harness.v"]
    assert "synth_xilinx -top wide_harness -family xc7 -flatten" in script
