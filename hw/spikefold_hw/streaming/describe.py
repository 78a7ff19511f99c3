"""What the header of a pipeline's Verilog tells: the block in sentences, and the meaning of its ports."""

from spikefold_hw.streaming.plan import Plan

_FLAGS = {
    "end_position": "1 on the last beat of a position; that may be a bare mark of level 0",
    "end_step": "1 with end_position on the last position of a time step",
    "end_sample": "1 with end_step on the last time step of a sample",
}


def summary(plan: Plan) -> str:
    """The block in sentences."""
    shape, steps = plan.input.map, plan.time.steps
    kinds = [stage.kind for stage in plan.stages]
    counts = ", ".join(_many(kinds.count(kind), kind) for kind in dict.fromkeys(kinds))
    weights = "loaded through the port load after a reset" if plan.loaded else "read from memory images"
    return (
        f"a spiking neural network from {shape.channels}x{shape.height}x{shape.width} inputs to "
        f"{plan.readout.channels} classes in {_many(steps, 'time step')}; {counts}, all working at once; "
        f"weights {weights}. Levels go in as events, one at a time, logits come out."
    )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def port_meanings(plan: Plan) -> dict[str, str]:
    """Meaning and unit of every port by name."""
    first, readout = plan.input, plan.readout
    order = plan.time.order.replace("_", "-")
    classes = f"class, 0..{readout.channels - 1}"
    return {
        "i__valid": f"input events, {order}: the channels of one position after another",
        "i__payload__index": f"channel, 0..{first.map.channels - 1}, ascending within a position",
        "i__payload__level": f"integer level, 1..{first.levels}; 0 in a bare mark only",
        **{f"i__payload__{name}": text for name, text in _FLAGS.items()},
        "o__valid": f"results: {readout.channels} beats a sample, one a class",
        "o__payload__logit": f"score of the class, two's complement, {readout.fraction} binary places",
        "o__payload__index": f"{classes}, ascending",
        "o__payload__winner": f"{classes}, with the largest logit; valid on the last beat",
        "o__payload__last": "1 on the last beat of a sample",
        "counter_select": "number of a counter, see above",
        "i__payload__tag": "any number; that of the beat with end_sample leaves with the result",
        "o__payload__error": "1 if the sample was broken; its logits mean nothing then",
        "o__payload__tag": "the sample's tag",
        "counter_value": "its value one cycle later",
        "load__valid": "bytes that fill the memories, in a frame (mem/load.bin)",
        "load__payload": "a byte",
        "loaded": "1 when the memories hold what a whole frame brought; no sample begins before",
        "load_error": "1 when bytes were no frame, or a frame was damaged; until another begins",
    }
