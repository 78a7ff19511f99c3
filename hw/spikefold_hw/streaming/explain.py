"""A pipeline as a table, and what limits it: plain JSON values."""

from dataclasses import replace
from typing import Any

from spikefold_hw.calibration import Levels
from spikefold_hw.cost import bits_of
from spikefold_hw.cycles import Cycles
from spikefold_hw.order import ORDERS, Order, Time
from spikefold_hw.streaming.choose.cost import memories_of
from spikefold_hw.streaming.choose.goal import Chosen, cost_of, slowest
from spikefold_hw.streaming.choose.options import Option, options_of, remedy
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.report import limit_text, order_reason


def as_built(plan: Plan, levels: Levels) -> Chosen:
    """The stages of a plan as options."""
    lanes = {layer.name: layer.lanes for layer in plan.layers}
    units = {layer.name: layer.units for layer in plan.layers}
    return {name: option for name, (option,) in options_of(plan, levels, lanes, units).items()}


def explain(plan: Plan, levels: Levels, cycles: Cycles, wanted: Order | None) -> dict[str, Any]:
    """Describe a design on calibration data.

    Parameters
    ----------
    cycles
        Its exact timing.
    wanted
        The order of time the user asked for, or None.

    Returns
    -------
    dict
        `stages`, a row for each, the input first; `total`; `limit`, the slowest stage and why; `order`
        and `order_reason`. Cycles are means of a sample.
    """
    chosen = as_built(plan, levels)
    use = {layer.name: round(layer.lane_use, 4) for layer in cycles.layers}
    limit = slowest(chosen)
    stage, pace = chosen[limit].stage, chosen[limit].pace
    better = None if stage is None else remedy(plan, stage, levels)
    luts, bits = cost_of(chosen)
    memory = {order: membrane_bits(in_order(plan, order)) for order in ORDERS}
    return {
        "stages": [
            {**_row(plan, option), "stage": name, "lane_use": use.get(name), "slowest": name == limit}
            for name, option in chosen.items()
        ],
        "total": {"cycles": round(cycles.interval, 3), "memory_bits": bits, "luts": luts},
        "limit": {
            "stage": limit,
            "bound": pace.bound,
            "cycles": round(pace.cycles, 3),
            "text": limit_text(chosen, limit, better, cycles.interval),
        },
        "order": plan.time.order,
        "order_reason": order_reason(plan.time, memory, wanted),
    }


def _row(plan: Plan, option: Option) -> dict[str, Any]:
    stage, blocks = option.stage, option.blocks
    return {
        "kind": "input" if stage is None else stage.kind,
        "map": list(plan.input.map if stage is None else stage.map),
        "lanes": None if blocks is None else blocks.lanes,
        "units": None if blocks is None else blocks.units,
        "cycles": round(option.pace.cycles, 3),
        "bound": option.pace.bound,
        "memory_bits": option.bits,
        "luts": option.luts,
    }


def in_order(plan: Plan, order: Order) -> Plan:
    """The same stages in another order of time; their buffers stay as they are."""
    time = Time(plan.time.steps, order)
    return replace(plan, stages=tuple(replace(stage, time=time) for stage in plan.stages))  # type: ignore[type-var]


def membrane_bits(plan: Plan) -> int:
    """Bits of all membrane memories."""
    memories = {name: size for stage in plan.stages for name, size in memories_of(stage).items()}
    return bits_of({name: size for name, size in memories.items() if name.endswith("_state")})
