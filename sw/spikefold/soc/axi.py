"""A design on AXI as files: the block as it was verified, the host around it, and its register map."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from spikefold.contents import image_files
from spikefold.design import Design
from spikefold.files import sha256
from spikefold.flow.artefact import MEMORY_FOLDER
from spikefold.flow.work import work_folder
from spikefold.ir import save_network
from spikefold_hw.emit import LINT, Description, Emission, Shell
from spikefold_hw.host.axi.config import DEFAULT, AxiConfig, AxiFormat
from spikefold_hw.host.axi.host import REGISTERS, RESULTS, SAMPLES, AxiHost
from spikefold_hw.host.axi.registers import axi_map
from spikefold_hw.host.emission import check_apart, emit_host, identification_image
from spikefold_hw.host.register_bank import IDENTIFICATION
from spikefold_hw.host.registers import RegisterMap, network_id

CLOCK, RESET = "aclk", "aresetn"


@dataclass(frozen=True)
class AxiDesign:
    """A design between AXI4-Stream packets and AXI4-Lite registers.

    Attributes
    ----------
    design
        The block.
    config
        How samples and results lie in packets.

    Raises
    ------
    InputError
        From every property, if the design does not fit what was chosen, or does not check its input.
    """

    design: Design
    config: AxiConfig = DEFAULT

    @property
    def top(self) -> str:
        """Name of the top module."""
        return f"{self.design.name}_axi"

    @property
    def format(self) -> AxiFormat:
        """How samples and results lie in packets."""
        return AxiFormat.of(self.design.interface, self.config)

    @cached_property
    def registers(self) -> RegisterMap:
        """The registers, with the number of the design's network."""
        return axi_map(self.design.interface, network_of(self.design), self.config)

    @cached_property
    def verilog(self) -> Mapping[str, str]:
        """All Verilog files by name: those of the block, which stay as they are, and the host's."""
        block, host = self.design.verilog(), self._emission.verilog
        check_apart(block, host)
        return {**block, **host}

    @property
    def lint(self) -> str:
        """Verilator's waivers."""
        return self.design.lint() + self._emission.lint

    @property
    def images(self) -> Mapping[str, bytes]:
        """The memory images by name: the block's, and the constants of the register map."""
        found = image_files(self.design.images, self.design.interface.loaded)
        found |= {f"{MEMORY_FOLDER}/{IDENTIFICATION}.mem": identification_image(self.registers)}
        return {name.partition("/")[2]: data for name, data in found.items()}

    @property
    def files(self) -> dict[str, bytes]:
        """What simulators and synthesis read, by path: `rtl/`, `mem/` and the waivers."""
        found = {f"rtl/{name}": text.encode() for name, text in self.verilog.items()}
        found |= {f"{MEMORY_FOLDER}/{name}": data for name, data in self.images.items()}
        return found | {LINT: self.lint.encode()}

    @cached_property
    def _emission(self) -> Emission:
        shell = Shell(self.top, CLOCK, RESET, active_low=True)
        component = AxiHost(self.design.interface, self.config)
        return emit_host(component, shell, self._description)

    @property
    def _description(self) -> Description:
        plan = self.design.architecture.describe(self.design.plan)
        ports = {
            f"{SAMPLES}_tdata": "AXI4-Stream, samples: a packet each",
            f"{RESULTS}_tdata": "AXI4-Stream, results: a packet each",
            f"{REGISTERS}_awaddr": "AXI4-Lite, registers",
        }
        summary = f"the block {self.design.name}_top on AXI4-Stream and AXI4-Lite."
        return Description(summary, plan.architecture, plan.plan, ports)


def network_of(design: Design) -> int:
    """Number of a design's network in register maps."""
    with work_folder() as folder:
        save_network(design.network, folder / "network.npz")
        return network_id(sha256(folder / "network.npz"))
