"""What a pipeline shows to the outside beside its streams, and how much is under way in it."""

from spikefold_hw.parts.admission import PlainInput
from spikefold_hw.parts.counters import Counter
from spikefold_hw.parts.input_check import InputCheck
from spikefold_hw.parts.input_rules import CAUSES
from spikefold_hw.parts.ledger import MARGIN
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.stage import Stage

_VIOLATION_BITS = 16
_STAGE_SAMPLES = 5
"""Samples that a stage of single positions holds beside its pipelines and level buffers: in two banks of
events, in the lanes, in the drain's hold registers and on the way to the next stage."""


def counters_of(plan: Plan) -> tuple[Counter, ...]:
    """The counters, in the order of `counter_select`."""
    found = [
        Counter("cycles", "clock cycles since the first beat of the input"),
        Counter("samples", "results that have left"),
    ]
    found += [Counter(f"events_{name}", f"events of {name!r}, no bare marks") for name in plan.sources]
    found += [
        Counter(
            f"saturations_{layer.name}",
            f"membranes of {layer.name!r} that were clipped",
            step_bits=layer.units.bit_length(),
        )
        for layer in plan.layers
        if layer.saturates
    ]
    return (*found, *_violations()) if plan.checks else tuple(found)


def _violations() -> list[Counter]:
    bits = ", ".join(f"bit {bit} {cause}" for bit, cause in enumerate(CAUSES))
    found = [Counter("violations", f"causes so far: {bits}", len(CAUSES), "sticks", len(CAUSES))]
    for cause, text in CAUSES.items():
        meaning = f"broken samples whose first wrong beat has {text}"
        found.append(Counter(f"violations_{cause}", meaning, _VIOLATION_BITS, "saturates"))
    return found


def input_latency(plan: Plan) -> int:
    """Cycles from a beat's handshake with the host to its handshake with the first stage, at least."""
    return InputCheck.latency if plan.checks else PlainInput.latency


def samples_under_way(plan: Plan) -> int:
    """Rows, a power of two, of a ledger that all samples on their way do not fill."""
    bound = sum(map(_held, plan.stages)) + MARGIN
    return 1 << bound.bit_length()


def _held(stage: Stage) -> int:
    """Samples that a stage holds at most."""
    cells = stage.map.positions * stage.time.steps
    words = cells * (1 if stage.blocks is None else stage.blocks.words)
    buffers = [buffer.depth for buffer in stage.buffers] + [window.depth for window in stage.windows]
    pipelines = sum(stage.latencies().values())
    return _STAGE_SAMPLES + -(-pipelines // words) + sum(-(-depth // cells) for depth in buffers)
