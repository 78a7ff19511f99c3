"""How much of something is taken."""

from amaranth.hdl import Module, Signal, Value


class Occupancy:
    """A count from 0 to `limit`, and registers that say whether it is at an end.

    `up` and `down` may come late in a cycle: nothing but enables depends on them. The two together
    change nothing; neither may go beyond its end.

    Parameters
    ----------
    m
        Module the registers go into.
    name
        What is counted.
    limit
        The largest count.
    up, down
        Strobes.

    Attributes
    ----------
    some, full
        The count is not 0; it is `limit`.
    """

    def __init__(self, m: Module, name: str, limit: int, up: Value, down: Value):
        count = Signal(range(limit + 1), name=f"{name}_count")
        self.some, self.full = Signal(name=f"{name}_some"), Signal(name=f"{name}_full")
        with m.If(up & ~down):
            m.d.sync += [count.eq(count + 1), self.some.eq(1), self.full.eq(count == limit - 1)]
        with m.Elif(down & ~up):
            m.d.sync += [count.eq(count - 1), self.some.eq(count != 1), self.full.eq(0)]
