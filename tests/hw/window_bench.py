"""A line buffer in the bench: maps whose windows are gathered, and the windows that leave."""

from stream_bench import stream_run

from spikefold.ir.maps import Map
from spikefold_hw.streaming.window.line_buffer import LineBuffer

SHAPES = [
    (Map(2, 4, 5), (3, 3), (1, 1), (1, 1), 1),
    (Map(1, 5, 4), (2, 3), (1, 2), (0, 1), 1),
    (Map(3, 4, 4), (1, 1), (2, 2), (0, 0), 1),
    (Map(4, 5, 5), (3, 3), (2, 2), (1, 1), 2),
    (Map(3, 3, 4), (3, 3), (1, 1), (2, 2), 3),
    (Map(6, 3, 3), (2, 2), (1, 1), (1, 0), 2),
    (Map(5, 1, 1), (3, 3), (1, 1), (1, 1), 1),
    (Map(2, 3, 3), (3, 3), (1, 1), (0, 0), 1),
    (Map(2, 6, 6), (2, 2), (3, 3), (0, 0), 1),
    (Map(1, 1, 7), (1, 3), (1, 2), (0, 1), 1),
    (Map(2, 7, 7), (3, 3), (3, 2), (2, 1), 1),
]
"""Map, kernel, stride, padding and groups of windows of every kind."""


def random_maps(rng, window, maps):
    """Levels (maps, positions, steps, channels), the first map half full, the last half silent."""
    shape = (maps, window.map.positions, window.steps, window.map.channels)
    levels = rng.integers(0, window.levels + 1, shape)
    levels *= rng.random(shape) < rng.random((maps, window.map.positions, 1, 1))
    levels[0, ::2] = window.levels
    levels[-1, 1::2] = 0
    return levels


def map_beats(levels, style="riding"):
    """Beats of cells (.., channels) in stream order, marks on the last event or by themselves."""
    beats = []
    for cell in levels.reshape(-1, levels.shape[-1]):
        events = [{"index": int(k), "level": int(cell[k])} for k in cell.nonzero()[0]]
        if style == "bare" or not events:
            events.append({"index": 0, "level": 0})
        events[-1]["end_position"] = 1
        beats += events
    return beats


def windows_of(record):
    """`(index, level)` of every window that left."""
    windows, current = [], []
    for beat in record.beats:
        if beat["level"]:
            current.append((beat["index"], beat["level"]))
        if beat["end_position"]:
            windows.append(current)
            current = []
    assert not current
    return windows


def levels_by_step(window, maps):
    """Levels (maps, positions, steps, channels) as clocks take them: (maps, steps, *shape)."""
    count, _, steps, channels = maps.shape
    shape = (count, window.map.height, window.map.width, steps, channels)
    return maps.reshape(shape).transpose(0, 3, 4, 1, 2)


def run_window(window, levels, style="riding", taps=True, **options):
    """Run levels of `random_maps` through a line buffer, and hold it to its model."""
    dut = LineBuffer(window, taps)
    expected = dut.model(levels)
    beats = count_beats(dut, window, levels)
    record = stream_run(dut, map_beats(levels, style), beats, **options)
    assert windows_of(record) == expected
    return record


def count_beats(dut, window, levels):
    """Events of every window, and a bare mark where its last tap is silent or outside."""
    geometry, beats = window.geometry, 0
    for cells in levels:
        for y in range(geometry.height):
            for x in range(geometry.width):
                for step in range(window.steps):
                    for group in range(window.groups):
                        beats += len(dut._gathered(cells[:, step], y, x, group))
                        row = y * window.stride[0] - window.padding[0] + window.kernel[0] - 1
                        column = x * window.stride[1] - window.padding[1] + window.kernel[1] - 1
                        channels = slice(group * window.channels, (group + 1) * window.channels)
                        inside = row < window.map.height and column < window.map.width
                        if not inside or not cells[row * window.map.width + column, step, channels].any():
                            beats += 1
    return beats
