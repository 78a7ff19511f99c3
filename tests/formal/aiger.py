"""And-inverter graphs in the binary AIGER format: what yosys writes and ABC proves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Aig:
    """A sequential circuit of two-input ANDs; a literal is twice a variable, plus one where inverted.

    Attributes
    ----------
    inputs
        How many: variables 1 and up.
    latches
        The next value of each latch as a literal; variables after the inputs, all 0 at first.
    outputs
        Literals.
    gates
        The ANDs as they stand in the file; variables after the latches.
    """

    inputs: int
    latches: tuple[int, ...]
    outputs: tuple[int, ...]
    gates: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Aig":
        """Read a file without symbols and comments."""
        header, rest = data.split(b"\n", 1)
        kind, _, inputs, latches, outputs, _ = header.split()
        assert kind == b"aig", f"not a binary AIGER file: {header!r}"
        *lines, gates = rest.split(b"\n", int(latches) + int(outputs))
        literals = [int(line) for line in lines]
        return cls(int(inputs), tuple(literals[: int(latches)]), tuple(literals[int(latches) :]), gates)

    def only(self, output: int) -> "Aig":
        """The same with one output."""
        return replace(self, outputs=(self.outputs[output],))

    def text(self) -> bytes:
        """The file."""
        gates = len(list(self._ands()))
        last = self.inputs + len(self.latches) + gates
        header = f"aig {last} {self.inputs} {len(self.latches)} {len(self.outputs)} {gates}"
        lines = [header, *map(str, (*self.latches, *self.outputs)), ""]
        return "\n".join(lines).encode() + self.gates

    def _ands(self) -> Iterator[tuple[int, int, int]]:
        """Variable and both inputs of every gate."""
        numbers, variable = _numbers(self.gates), self.inputs + len(self.latches)
        for first in numbers:
            variable += 1
            a = 2 * variable - first
            yield variable, a, a - next(numbers)

    def run(self, frames: Sequence[Sequence[int]]) -> list[list[int]]:
        """Values of the outputs in every frame, for those of the inputs."""
        gates, state, seen = list(self._ands()), [0] * len(self.latches), []
        for frame in frames:
            values = [0, *frame, *state]
            for _, a, b in gates:
                values.append((values[a >> 1] ^ (a & 1)) & (values[b >> 1] ^ (b & 1)))
            seen.append([values[literal >> 1] ^ (literal & 1) for literal in self.outputs])
            state = [values[literal >> 1] ^ (literal & 1) for literal in self.latches]
        return seen


def _numbers(data: bytes) -> Iterator[int]:
    """Numbers of seven bits a byte, the lowest first; a set top bit says that more follow."""
    value = place = 0
    for byte in data:
        value |= (byte & 127) << place
        place += 7
        if byte < 128:
            yield value
            value = place = 0
