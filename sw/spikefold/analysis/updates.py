"""Operations of a neuron's update as the hardware does it: shifts, additions and comparisons, no
multiplication.

Per neuron and time step (the update rule of docs/numerics.md):

* the bias is added, and half a threshold where levels are rounded half up;
* the ladder has one rung per bit of D: a subtraction and a comparison each;
* with several time steps the leak is a sum of shifted membranes that is added to the current, with one
  addition more to round it; QB-LIF's reset factor is such a sum too; reset by subtraction takes the half
  threshold off again; resets to zero and "none" add nothing;
* ReverB's fire floor is one comparison.

With one time step there is no membrane to keep, hence neither leak nor reset.
"""

from dataclasses import dataclass

from spikefold.ir import ShiftSum


@dataclass(frozen=True)
class Update:
    """Operations of one update."""

    shifts: int
    additions: int
    comparisons: int

    def __add__(self, other: "Update") -> "Update":
        return Update(
            self.shifts + other.shifts,
            self.additions + other.additions,
            self.comparisons + other.comparisons,
        )


def update_of(
    levels: int,
    rounding: str,
    reset: str,
    leak: ShiftSum,
    factor: ShiftSum | None,
    fire_floor: bool,
    steps: int,
) -> Update:
    """Return the operations of a neuron per time step; parameters as `spikefold.ir.Neuron`."""
    rungs, half = levels.bit_length(), int(rounding == "half_up")
    update = Update(0, 1 + half + rungs, rungs + int(fire_floor))
    if steps == 1:
        return update
    update += _sum(leak) + Update(0, int(bool(leak.terms)), 0)
    if factor is not None:
        update += _sum(factor)
    if reset == "subtract":
        update += Update(0, half, 0)
    return update


def _sum(factor: ShiftSum) -> Update:
    """Operations of a shift sum: its terms are shifted, added, rounded and shifted back."""
    rounds = int(factor.precision > 0)
    shifts = sum(shift < factor.precision for _, shift in factor.terms) + rounds
    return Update(shifts, max(0, len(factor.terms) - 1) + rounds, 0)
