"""Cells as streams carry them: what one position sends at one time step."""


def random_levels(rng, largest, shape):
    """Levels of any shape, each map or row along the last axis from empty to full."""
    return rng.integers(0, largest + 1, shape) * (rng.random(shape) < rng.random((*shape[:-1], 1)))


def cell_beats(levels, end_step, end_sample):
    """What a stage sends for a cell with these levels (channels,); the mark comes with the last channel."""
    last = len(levels) - 1
    flags = {"end_position": 1, "end_step": int(end_step), "end_sample": int(end_sample)}
    return [
        {"index": c, "level": int(level)} | {name: flag * (c == last) for name, flag in flags.items()}
        for c, level in enumerate(levels)
        if level or c == last
    ]


def window_beats(under, style="bare"):
    """Events of a window's positions one after another; the mark by itself, or on the last event."""
    beats = [{"index": int(c), "level": int(p[c])} for p in under for c in p.nonzero()[0]]
    if style == "bare" or not beats:
        beats.append({"index": 0, "level": 0})
    beats[-1]["end_position"] = 1
    return beats
