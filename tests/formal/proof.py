"""A proof in the making: gateware, what may come at its ports, and what must hold."""

from amaranth.hdl import Cat, ClockDomain, Module, ResetInserter, Shape, ShapeLike, Signal, Value

STARTED = "started"
"""Name of the one register that has a value at the beginning."""


class Proof:
    """Collects gateware, assumptions and checks around it.

    All registers and memories begin with any value. The first cycle is a reset; checks count from the
    second on. So a proof says too that one cycle of `rst` recovers from any state.

    Attributes
    ----------
    m
        The module that the gateware is added to, statements and submodules.
    checks
        What must hold: a signal by its text.
    shown
        What is shown, cycle by cycle, where it does not.
    """

    def __init__(self) -> None:
        self.m = Module()
        self.checks: dict[str, Signal] = {}
        self.shown: list[Signal] = []
        self._inputs: list[Signal] = []
        self._assumed: list[Value] = []
        self._started = Signal(name=STARTED, reset_less=True)

    def free(self, shape: ShapeLike, name: str) -> Signal:
        """Any value, in every cycle another one."""
        value = Signal(shape, name=name)
        self._inputs.append(value if isinstance(value, Signal) else value.as_value())
        return value

    def constant(self, shape: ShapeLike, name: str) -> Signal:
        """Any value, in all cycles the same one."""
        given = self.free(Shape.cast(shape), f"any_{name}")
        kept = Signal(shape, name=f"{name}_", reset_less=True)
        with self.m.If(~self._started):
            self.m.d.sync += Value.cast(kept).eq(given)
        self.show(name, kept)
        return kept

    def assume(self, condition: Value) -> None:
        """Only what happens before this is broken counts."""
        self._assumed.append(Value.cast(condition).any())

    def check(self, text: str, condition: Value) -> None:
        """This must hold in every cycle."""
        holds = Signal(name=f"check{len(self.checks)}")
        self.m.d.comb += holds.eq(Value.cast(condition).any())
        assert text not in self.checks
        self.checks[text] = holds

    def show(self, name: str, value: Value) -> None:
        """Show a value where a check fails."""
        value = Value.cast(value)
        shown = Signal(value.shape(), name=name)
        self.m.d.comb += shown.eq(value)
        self.shown.append(shown)

    def top(self) -> tuple[Module, list[Signal]]:
        """The whole, and its ports: inputs, checks, what is shown, and whether something does not hold."""
        held, assumed, bad = Signal(init=1), Signal(), Signal(name="bad")
        self.m.d.comb += [
            assumed.eq(held & Cat(self._assumed).all()),
            bad.eq(self._started & assumed & ~Cat(self.checks.values()).all()),
        ]
        self.m.d.sync += held.eq(assumed)
        top = Module()
        top.domains.sync = ClockDomain(reset_less=True)
        top.submodules.proof = ResetInserter({"sync": ~self._started})(self.m)
        top.d.sync += self._started.eq(1)
        return top, [*self._inputs, *self.checks.values(), *self.shown, bad]
