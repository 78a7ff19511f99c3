"""The face of an architecture: all that the rest of the house knows of one."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from amaranth.lib import wiring

from spikefold.ir import Network
from spikefold_hw.calibration import Levels
from spikefold_hw.cost import Cost
from spikefold_hw.cycles import Cycles
from spikefold_hw.emit.description import Description
from spikefold_hw.interface import Interface
from spikefold_hw.memory_choice import MemoryChoice
from spikefold_hw.parts.images import Image
from spikefold_hw.parts.memory import Contents


class AnyPlan(Protocol):
    """A plan: a frozen value that says everything the Verilog depends on.

    Attributes: `architecture`, the name of its architecture; `name`, that of the design.
    """

    architecture: ClassVar[str]

    @property
    def name(self) -> str: ...


P = TypeVar("P", bound=AnyPlan)
C = TypeVar("C")


class Architecture(ABC, Generic[P, C]):
    """One way to build a network in hardware.

    `P` is its plan, `C` its frozen configuration: the user's choices, of which `compile` and the command
    line make their options.

    Attributes
    ----------
    name
        As `compile(architecture=..)` and the manifest name it.
    config
        The class of the configuration; every field has a default, and `help` in its metadata.
    """

    name: ClassVar[str]
    config: type[C]

    @abstractmethod
    def plan(self, network: Network, config: C, levels: Levels) -> P:
        """Make every choice that the configuration leaves open.

        Parameters
        ----------
        levels
            What the network does on calibration data.

        Raises
        ------
        InputError
            If a choice does not fit the network, or a goal is out of reach.
        """

    @abstractmethod
    def top(self, plan: P, contents: Contents | None = None) -> "wiring.Component[Any]":
        """The gateware; `contents` are rows of its memories, for Amaranth's own simulator."""

    @abstractmethod
    def probes(self, plan: P, top: Any) -> Mapping[str, Any]:
        """The streams of a top that `interface` calls probed, by name."""

    @abstractmethod
    def interface(self, plan: P) -> Interface:
        """What the top looks like from outside."""

    @abstractmethod
    def images(self, plan: P, network: Network) -> dict[str, Image]:
        """Contents of every memory image by name, in the order in which a host loads them."""

    @abstractmethod
    def predict(self, plan: P, levels: Levels) -> Cycles:
        """Exact timing at full load."""

    @abstractmethod
    def calibrated(self, plan: P, levels: Levels) -> Cycles:
        """Timing of calibration data at full load, with as many results as a steady pace needs."""

    @abstractmethod
    def cost(self, plan: P) -> Cost:
        """Memory and estimated LUTs."""

    @abstractmethod
    def check_fit(self, plan: P, network: Network) -> None:
        """Raise ModelError, which names what differs, unless the network runs on the plan's Verilog."""

    @abstractmethod
    def fractions(self, plan: P) -> Mapping[str, int]:
        """`F` of every population, for a network that is to fit."""

    @abstractmethod
    def summary(self, plan: P) -> dict[str, Any]:
        """What the plan chose: plain JSON values.

        Keys: `steps`; `widths` (bits by name of every number), `latencies`, `lanes`, `units`, `repeats` (time
        steps that one current serves) and `reads`, all by layer; `coding` by source; `order`; `weights`. What
        an architecture has none of is empty.
        """

    @abstractmethod
    def explain(self, plan: P, config: C | None, levels: Levels, cycles: Cycles) -> dict[str, Any]:
        """What every stage takes and what limits the design: plain JSON values.

        Keys: `stages`, a row for each with `stage`, `kind`, `map`, `lanes`, `units`, `cycles`, `bound`,
        `lane_use`, `memory_bits`, `luts`, `slowest`; `total`; `limit` with a `text`; `order`; `order_reason`.
        """

    def memory_choices(self, plan: P) -> tuple[MemoryChoice, ...]:
        """The user's choices for memories of the top, by their names."""
        return ()

    def describe(self, plan: P) -> Description:
        """What the header of the Verilog tells."""
        text = json.dumps(self.to_json(plan), sort_keys=True)
        return Description(
            architecture=plan.architecture,
            plan=hashlib.sha256(text.encode()).hexdigest(),
            counters=self.interface(plan).counters,
        )

    @abstractmethod
    def to_json(self, plan: P) -> Any:
        """Plain JSON values; `from_json` reads them back."""

    @abstractmethod
    def from_json(self, data: object) -> P:
        """Inverse of `to_json`. Raises InputError if a field is missing, unknown or of the wrong type."""
