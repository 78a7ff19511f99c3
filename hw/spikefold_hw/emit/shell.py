"""What a top module is called, and its clock and reset."""

from dataclasses import dataclass

_TOP = "_top"


def top_name(name: str) -> str:
    """Name of the top module of a design."""
    return name + _TOP


@dataclass(frozen=True)
class Shell:
    """What a top module is called, and its clock and reset.

    Attributes
    ----------
    top
        Name of the module.
    clock, reset
        Names of the ports.
    active_low
        Whether a reset is a 0.
    """

    top: str
    clock: str = "clk"
    reset: str = "rst"
    active_low: bool = False

    @property
    def meanings(self) -> dict[str, str]:
        """Meanings of the two ports."""
        level = "low" if self.active_low else "high"
        return {
            self.clock: "clock; everything happens at its rising edge",
            self.reset: f"synchronous reset, active {level}",
        }

    @property
    def core(self) -> str:
        """Name of the module that the top holds."""
        return f"{self.top.removesuffix(_TOP)}_core"


def shell_of(name: str) -> Shell:
    """That of a block."""
    return Shell(top_name(name))
