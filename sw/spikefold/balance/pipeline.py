"""The pipeline as a table, what limits it, and why time runs as it does: plain JSON values."""

from dataclasses import replace
from typing import Any

from spikefold.balance.calibrate import Levels
from spikefold.balance.goal import Chosen, cost_of, number, slowest
from spikefold.balance.options import ABOUT, helped, options_of
from spikefold.balance.pace import Pace
from spikefold.ir.profile import ORDERS, AddProfile, LayerProfile, Order, PoolProfile, Profile
from spikefold_hw.cycles import Cycles
from spikefold_hw.geometry import bits_of, memory_sizes

_KINDS: dict[type, str] = {type(None): "input", LayerProfile: "layer", PoolProfile: "pool", AddProfile: "sum"}


def as_built(profile: Profile, levels: Levels) -> Chosen:
    """The stages of a profile as options."""
    lanes = {layer.name: layer.lanes for layer in profile.layers}
    drain = {layer.name: layer.drain for layer in profile.layers}
    return {name: option for name, (option,) in options_of(profile, levels, lanes, drain).items()}


def pipeline(
    profile: Profile, chosen: Chosen, levels: Levels, cycles: Cycles, wanted: Order | None
) -> dict[str, Any]:
    """Describe a design on calibration data.

    Parameters
    ----------
    chosen
        Its stages.
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
    use = {layer.name: round(layer.lane_use, 4) for layer in cycles.layers}
    limit = slowest(chosen)
    luts, bits = cost_of(chosen)
    return {
        "stages": [
            {
                "stage": name,
                "kind": _KINDS[type(option.stage)],
                "map": list(profile.input.map if option.stage is None else option.stage.map),
                "lanes": option.stage.lanes if isinstance(option.stage, LayerProfile) else None,
                "drain": option.stage.drain if isinstance(option.stage, LayerProfile) else None,
                "cycles": round(option.pace.cycles, 3),
                "bound": option.pace.bound,
                "lane_use": use.get(name),
                "memory_bits": option.bits,
                "luts": option.luts,
                "slowest": name == limit,
            }
            for name, option in chosen.items()
        ],
        "total": {"cycles": round(cycles.interval, 3), "memory_bits": bits, "luts": luts},
        "limit": {
            "stage": limit,
            "bound": chosen[limit].pace.bound,
            "cycles": round(chosen[limit].pace.cycles, 3),
            "text": limit_text(profile, chosen, levels)
            + _waiting(chosen[limit].pace.cycles, cycles.interval),
        },
        "order": profile.order,
        "order_reason": order_reason(profile, wanted),
    }


def limit_text(profile: Profile, chosen: Chosen, levels: Levels) -> str:
    """What sets the pace, and what would help."""
    name = slowest(chosen)
    stage, pace = chosen[name].stage, chosen[name].pace
    return f"{name} sets the pace with {number(pace.cycles)} cycles a sample: " + (
        f"{_layer_reason(stage, pace)}; {_help(profile, stage, chosen, levels)}."
        if isinstance(stage, LayerProfile)
        else f"{_SLOW[pace.bound]}; more lanes do not help."
    )


_SLOW = {
    "input": "its events take that long, one a cycle",
    "gather": "gathering its windows takes that long, one event a cycle",
    "scan": "sending its cells takes that long, one channel a cycle",
}


def _layer_reason(layer: LayerProfile, pace: Pace) -> str:
    if pace.bound == "lanes":
        lanes = f"{layer.lanes} lanes are" if layer.lanes > 1 else "lane is"
        return f"its {lanes} busy {100 * pace.parts['lanes'] / pace.cycles:.0f} %"
    if pace.bound == "drain":
        return f"draining its sums takes that long, {layer.drain} a cycle and block after block"
    return _SLOW[pace.bound]


def _help(profile: Profile, layer: LayerProfile, chosen: Chosen, levels: Levels) -> str:
    found = helped(profile, layer, levels)
    if found is None and layer.lanes == layer.group_channels:
        return "all channels are computed at once already"
    if found is None:
        return "neither more lanes nor a larger drain help"
    what, pace = found
    subject = {"lanes": "twice the lanes", "drain": "a larger drain"}[what]
    others = {name: option for name, option in chosen.items() if name != layer.name}
    second = slowest(others)
    then = ""
    if others[second].pace.cycles > pace.cycles:
        then = f", and {second} the slowest with {number(others[second].pace.cycles)}"
    return f"{subject} would make it {number(pace.cycles)}{then}"


def _waiting(pace: float, interval: float) -> str:
    if interval <= ABOUT * pace:
        return ""
    return f" As stages wait for each other, results come every {number(interval)} cycles."


def order_reason(profile: Profile, wanted: Order | None) -> str:
    """Why time runs as it does, with the membrane memory of both orders."""
    if profile.steps == 1:
        return "With one time step there is no order to choose."
    asked = "As asked, " if wanted is not None else ""
    innermost, step_major = (membrane_bits(replace(profile, order=order)) for order in ORDERS)
    if innermost == step_major:
        reason = "every stage has one position, so both orders need the same memory"
    elif profile.order == "innermost":
        reason = (
            f"all {profile.steps} time steps of a position follow each other, so membranes are kept for one "
            f"position only: {number(innermost)} bits; step-major would need {number(step_major)}"
        )
    else:
        reason = (
            f"one whole time step follows the other, so the membranes of all positions are kept: "
            f"{number(step_major)} bits; innermost would need {number(innermost)}, and all steps at once"
        )
    source = "Static input: " if profile.order == "innermost" else "Input step by step: "
    return f"{asked or source}{reason}."


def membrane_bits(profile: Profile) -> int:
    """Bits of all membrane memories."""
    return bits_of({name: size for name, size in memory_sizes(profile).items() if name.endswith("_state")})
