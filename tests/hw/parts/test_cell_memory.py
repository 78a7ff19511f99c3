"""CellMemory and its RowGather: what is read is what was put into the same cell."""

import numpy as np
import pytest
from stream_bench import simulate

from spikefold_hw.parts.cell_memory import CellMemory, CellRows
from spikefold_hw.parts.row_gather import RowGather


def random_puts(rng, cell):
    """`(row, place, value)` of a cell, ascending, each place at most once."""
    chosen = np.flatnonzero(rng.random(cell.rows * cell.values) < rng.choice([0.1, 0.6, 1]))
    values = rng.integers(1, 1 << cell.bits, len(chosen))
    return [
        (int(k) // cell.values, int(k) % cell.values, int(v)) for k, v in zip(chosen, values, strict=True)
    ]


def rows_of(cell, puts):
    """Words of the rows that were written, by row."""
    words = {}
    for row, place, value in puts:
        words[row] = words.get(row, 0) | value << place * cell.bits
    return words


async def put_cell(ctx, memory, rng, puts, riding):
    """Put values with pauses; the end comes with the last one or by itself."""
    for k, (row, place, value) in enumerate(puts):
        if rng.random() < 0.5:
            await ctx.tick()
        ctx.set(memory.put, 1)
        ctx.set(memory.row, row)
        ctx.set(memory.place, place)
        ctx.set(memory.value, value)
        ctx.set(memory.end, riding and k == len(puts) - 1)
        await ctx.tick()
        ctx.set(memory.put, 0)
        ctx.set(memory.end, 0)
    if not (riding and puts):
        ctx.set(memory.end, 1)
        await ctx.tick()
        ctx.set(memory.end, 0)


async def read_cell(ctx, memory, rng, rows):
    """Words of all rows, in any order of reading."""
    words = {}
    for row in rng.permutation(rows):
        ctx.set(memory.read, 1)
        ctx.set(memory.read_row, int(row))
        await ctx.tick()
        ctx.set(memory.read, 0)
        # It stays until the next fetch.
        if rng.random() < 0.5:
            await ctx.tick()
        words[int(row)] = ctx.get(memory.read_data)
    ctx.set(memory.read_end, 1)
    await ctx.tick()
    ctx.set(memory.read_end, 0)
    return words


@pytest.mark.parametrize("riding", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(
    "cell", [CellRows(1, 1, 1), CellRows(4, 1, 3), CellRows(3, 4, 2), CellRows(2, 5, 8), CellRows(5, 32, 1)]
)
def test_rows_hold_the_values_of_their_cell(cell, depth, riding):
    rng, memory = np.random.default_rng(depth), CellMemory(cell, depth)

    async def bench(ctx):
        kept = [{} for _ in range(depth)]  # what each place of the ring holds: rows without values stay
        for start in range(0, 4 * depth + 1, depth):
            for place in range(start, start + depth):
                puts = random_puts(rng, cell)
                await put_cell(ctx, memory, rng, puts, riding)
                kept[place % depth] |= rows_of(cell, puts)
            for place in range(start, start + depth):
                words = await read_cell(ctx, memory, rng, cell.rows)
                assert {row: words[row] for row in kept[place % depth]} == kept[place % depth]

    simulate(memory, bench)


@pytest.mark.parametrize("riding", [False, True])
@pytest.mark.parametrize("count", [1, 5, 16])
def test_a_row_that_is_written_at_the_end(count, riding):
    cell, rng = CellRows(1, count, 1), np.random.default_rng(count)
    memory = CellMemory(cell, 2, at_end=True)

    async def bench(ctx):
        for k in range(12):
            puts = random_puts(rng, cell) if k % 3 else []
            await put_cell(ctx, memory, rng, puts, riding)
            words = await read_cell(ctx, memory, rng, 1)
            assert words[0] == rows_of(cell, puts).get(0, 0)

    simulate(memory, bench)


def test_word_in_every_cycle():
    """The word holds the value that comes, and those put before under the same row since the last clear."""
    rng, gather, rows, count = np.random.default_rng(0), RowGather(3, 4, 2), 3, 4

    async def bench(ctx):
        kept, last = [0] * count, None
        for _ in range(400):
            put, clear, empty = (int(rng.random() < rate) for rate in (0.6, 0.1, 0.2))
            row, place, value = (int(rng.integers(n)) for n in (rows, count, 4))
            for name, number in locals().items():
                if name in ("put", "clear", "empty", "row", "place", "value"):
                    ctx.set(getattr(gather, name), number)
            word = list(kept) if row == last else [0] * count
            if not empty:
                word[place] = value
            assert ctx.get(gather.word) == sum(v << 2 * k for k, v in enumerate(word))
            await ctx.tick()
            if put:
                kept, last = word, row
            if clear:
                kept = [0] * count

    simulate(gather, bench)
