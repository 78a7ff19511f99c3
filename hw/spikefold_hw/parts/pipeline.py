"""A rigid pipeline: named values that move from register to register on one enable."""

from amaranth.hdl import Module, Signal, Value, ValueLike


class Pipeline:
    """Builds the registers of a pipeline stage by stage.

    `p.stage(x=expression)` registers every carried value, with `x` replaced or added; afterwards
    `p.x` is its register. `valid` is always carried and is the only value that is reset. What is
    no longer used is dropped by synthesis.

    Parameters
    ----------
    m
        Module the registers go into.
    advance
        Enable of every stage.
    valid
        Whether a value enters.
    """

    def __init__(self, m: Module, advance: ValueLike, valid: ValueLike):
        self._m = m
        self._advance = advance
        self._values: dict[str, Value] = {"valid": Value.cast(valid)}
        self._depth = 0

    def __getattr__(self, name: str) -> Value:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def let(self, **values: ValueLike) -> None:
        """Add or replace values without a register."""
        self._values |= {name: Value.cast(value) for name, value in values.items()}

    def stage(self, **updates: ValueLike) -> None:
        """Add one register stage."""
        self._depth += 1
        self.let(**updates)
        with self._m.If(self._advance):
            for name, value in self._values.items():
                register = Signal(value.shape(), name=f"{name}_{self._depth}", reset_less=name != "valid")
                self._m.d.sync += register.eq(value)
                self._values[name] = register
