"""From an integer network to its plan, and whether a network fits a plan that exists."""

from collections.abc import Mapping

from spikefold.errors import InputError, ModelError
from spikefold.ir import Network
from spikefold.ir.coding import Coding
from spikefold.ir.stages import INPUT
from spikefold_hw.order import Order, Time
from spikefold_hw.streaming.kinds import KINDS
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.planner import Planner
from spikefold_hw.streaming.stage import check_same
from spikefold_hw.streams import EventStream


def plan_of(
    network: Network,
    lanes: Mapping[str, int],
    coding: Mapping[str, Coding] | None = None,
    order: Order | None = None,
    units: Mapping[str, int] | None = None,
    loaded: bool = False,
) -> Plan:
    """Derive the plan of a network from choices that are all made.

    Parameters
    ----------
    lanes
        Lanes by population name; 1..1024 and cut to the channels of a group.
    coding
        Digits of a source's levels by source name; "binary" where it is not named.
    order
        How time runs; by default position-major for a static input, else step-major.
    units
        Neurons drained per cycle by population name; 1 where not named. It must divide the lanes (after
        the cut) and the channels of a group.
    loaded
        Whether a host loads weights and parameters after a reset.

    Raises
    ------
    InputError
        If an option is missing, unknown or out of range.
    ModelError
        If the hardware cannot compute the network.
    """
    time = Time(network.steps, order or ("position_major" if network.input.static else "step_major"))
    planner = Planner(network, lanes, coding or {}, time, units or {})
    stages = tuple(KINDS[type(stage)].of(planner, stage) for stage in network.stages)
    presented = Time(planner.presented, time.order)
    return Plan(
        network.name, EventStream(network.maps[INPUT], network.input.levels, presented), stages, loaded
    )


def check_fit(network: Network, plan: Plan) -> None:
    """Check that a network runs on the Verilog of an existing plan.

    Raises
    ------
    ModelError
        Names the first shape that differs or bound that is broken.
    """
    names = [stage.name for stage in plan.stages]
    if list(network.by_name) != names:
        raise ModelError(f"Populations must be {', '.join(names)} to fit, not {', '.join(network.by_name)}")
    lanes = {layer.name: layer.lanes for layer in plan.layers}
    units = {layer.name: layer.units for layer in plan.layers}
    try:
        own = plan_of(network, lanes, plan.coding, plan.time.order, units, plan.loaded)
    except InputError as error:
        raise ModelError(f"Network must have the shape of the build to fit: {error}") from None
    check_same("Network name", own.name, plan.name)
    check_same("Network steps", own.time.steps, plan.time.steps)
    check_same("Network input", own.input, plan.input)
    for mine, built in zip(own.stages, plan.stages, strict=True):
        mine.check_fit(built)
