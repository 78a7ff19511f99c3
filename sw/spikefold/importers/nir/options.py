"""What a NIR file does not say, and its reader has to."""

from dataclasses import dataclass
from typing import Any

from spikefold.errors import ImportRefusal
from spikefold.importers.nir.graph import metadata_of
from spikefold.importers.rules import Precision
from spikefold.nn import checks

RESETS = ("zero", "subtract")
FIRES = ("above", "at")
METHODS = ("euler", "exponential")
READOUTS = ("last", "mean")


@dataclass(frozen=True)
class Options:
    """How the differential equations of a graph become steps.

    Attributes
    ----------
    dt
        The time step, in the unit of the graph's time constants.
    reset
        "zero" as NIR defines it (to `v_reset` = 0), or "subtract" (by the threshold), which most exporters
        mean and NIR cannot say. None takes it from the metadata `reset` of the node or graph.
    fires
        When the source's neurons fire: "above" the threshold, as NIR defines it, or "at" it too, as those of
        SpikingJelly and sinabs do and the hardware does.
    method
        "euler", the forward difference with which NIR's equations are commonly written and exported, or
        "exponential", their exact solution for a current that is constant during a step.
    readout
        Of an I or LI before the Output: the "last" value of its membrane, or its "mean" over the steps.
    leak_terms, leak_error
        Most shifts that a leak is the sum of, and how far it may be off then.
    """

    dt: float | None = None
    reset: str | None = None
    fires: str = "above"
    method: str = "euler"
    readout: str | None = None
    leak_terms: int = 3
    leak_error: float = 1 / 64

    def __post_init__(self) -> None:
        if self.dt is not None:
            checks.positive("NIR time step (dt)", self.dt)
        for subject, value, allowed in (("reset", self.reset, RESETS), ("readout", self.readout, READOUTS)):
            if value is not None:
                checks.choice(f"NIR {subject}", value, allowed)
        checks.choice("NIR fires", self.fires, FIRES)
        checks.choice("NIR method", self.method, METHODS)

    @property
    def precision(self) -> Precision:
        """How near a leak must come."""
        return Precision(self.leak_terms, self.leak_error)

    def step(self, name: str) -> float:
        """The time step; raises ImportRefusal, naming the node that needs it, if it was not given."""
        if self.dt is None:
            raise ImportRefusal(
                name,
                "its equation is continuous in time, and a NIR file has no time step",
                "the option dt, the time step in the unit of its time constants: 1e-4 by default of "
                "snnTorch's and SpikingJelly's exporters, 1e-3 of Norse's, 1 of sinabs'",
            )
        return float(self.dt)

    def reset_of(self, name: str, node: Any, graph: dict[str, Any]) -> str:
        """How a neuron is reset; raises ImportRefusal if nobody says it, or metadata and option differ."""
        told = metadata_of(node).get("reset", graph.get("reset"))
        if isinstance(told, bytes):
            told = told.decode("utf-8", "replace")
        if told is not None and told not in RESETS:
            raise ImportRefusal(name, f"its metadata names the reset {told!r}", " or ".join(RESETS))
        if told is not None and self.reset not in (None, told):
            raise ImportRefusal(
                name, f"its metadata names the reset {told!r}, the option {self.reset!r}", "one of the two"
            )
        if (reset := self.reset or told) is None:
            raise ImportRefusal(
                name,
                "NIR writes every reset as one to v_reset, also where a network was trained with soft reset",
                "the option reset: 'subtract' (soft) or 'zero' (hard, as NIR defines it), as it was trained",
            )
        return str(reset)

    def readout_of(self, name: str) -> str:
        """How a leaky integrator is read; raises ImportRefusal if it was not said."""
        if self.readout is None:
            raise ImportRefusal(
                name,
                "its membrane is the result, at every step, and nothing says how it is read",
                "the option readout: 'last' (at the last step) or 'mean' (over all steps)",
            )
        return self.readout
