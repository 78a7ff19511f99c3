"""Sentences about a pipeline: what sets its pace, what would help, why time runs as it does."""

from collections.abc import Mapping

from spikefold.numbers import number
from spikefold_hw.order import Order, Time
from spikefold_hw.parts.shapes import Blocks
from spikefold_hw.streaming.choose.goal import Chosen, slowest
from spikefold_hw.streaming.choose.options import ABOUT, Remedy
from spikefold_hw.streaming.pace import Pace

_SLOW = {
    "input": "its events take that long, one a cycle",
    "gather": "gathering its windows takes that long, one event a cycle",
    "scan": "sending its cells takes that long, one channel a cycle",
}


def limit_text(chosen: Chosen, name: str, remedy: Remedy | None, interval: float) -> str:
    """What sets the pace, and what would help.

    Parameters
    ----------
    name
        The slowest stage.
    remedy
        What would make it faster, if anything would.
    interval
        Cycles between two results, exactly.
    """
    pace, blocks = chosen[name].pace, chosen[name].blocks
    if blocks is None:
        why = f"{_SLOW[pace.bound]}; more lanes do not help."
    else:
        why = f"{_layer_reason(blocks, pace)}; {_help(chosen, name, blocks, remedy)}."
    text = f"{name} sets the pace with {number(pace.cycles)} cycles a sample: {why}"
    return text + _waiting(pace.cycles, interval)


def _layer_reason(blocks: Blocks, pace: Pace) -> str:
    if pace.bound == "lanes":
        lanes = f"{blocks.lanes} lanes" if blocks.lanes > 1 else "one lane"
        return f"adding in its {lanes} takes that long"
    if pace.bound == "drain":
        return f"draining its sums takes that long, {blocks.units} a cycle and block after block"
    return _SLOW[pace.bound]


def _help(chosen: Chosen, name: str, blocks: Blocks, remedy: Remedy | None) -> str:
    if remedy is None and blocks.lanes == blocks.group_channels:
        return "all channels are computed at once already"
    if remedy is None:
        return "neither more lanes nor more units help"
    subject = {"lanes": "twice the lanes", "units": "more units"}[remedy.what]
    others = {other: option for other, option in chosen.items() if other != name}
    second = slowest(others)
    then = ""
    if others[second].pace.cycles > remedy.pace.cycles:
        then = f", and {second} the slowest with {number(others[second].pace.cycles)}"
    return f"{subject} would make it {number(remedy.pace.cycles)}{then}"


def _waiting(pace: float, interval: float) -> str:
    if interval <= ABOUT * pace:
        return ""
    return f" As stages wait for each other, results come every {number(interval)} cycles."


def order_reason(time: Time, memory: Mapping[Order, int], wanted: Order | None) -> str:
    """Why time runs as it does, with the bits of membrane memory of both orders."""
    if time.steps == 1:
        return "With one time step there is no order to choose."
    position_major, step_major = memory["position_major"], memory["step_major"]
    if position_major == step_major:
        reason = "every stage has one position, so both orders need the same memory"
    elif time.order == "position_major":
        reason = (
            f"all {time.steps} time steps of a position follow each other, so membranes are kept for one "
            f"position only: {number(position_major)} bits; step-major would need {number(step_major)}"
        )
    else:
        reason = (
            f"one whole time step follows the other, so the membranes of all positions are kept: "
            f"{number(step_major)} bits; position-major would need {number(position_major)}, and all steps "
            "at once"
        )
    source = "Static input: " if time.order == "position_major" else "Input step by step: "
    return f"{'As asked, ' if wanted is not None else source}{reason}."
