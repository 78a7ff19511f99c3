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
        Both inputs of each AND as literals, the larger first; variables after the latches.
    """

    inputs: int
    latches: tuple[int, ...]
    outputs: tuple[int, ...]
    gates: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, data: bytes) -> "Aig":
        """Read a file; names and comments at its end are left out."""
        header, rest = data.split(b"\n", 1)
        kind, _, *counts = header.split()
        assert kind == b"aig", f"not a binary AIGER file: {header!r}"
        inputs, latches, outputs, ands = map(int, counts)
        *lines, rest = rest.split(b"\n", latches + outputs)
        literals = tuple(map(int, lines))
        numbers, gates = _decoded(rest), []
        for variable in range(1 + inputs + latches, 1 + inputs + latches + ands):
            larger = 2 * variable - next(numbers)
            gates.append((larger, larger - next(numbers)))
        return cls(inputs, literals[:latches], literals[latches:], tuple(gates))

    def only(self, output: int) -> "Aig":
        """The same with one output."""
        return replace(self, outputs=(self.outputs[output],))

    def data(self) -> bytes:
        """The file."""
        first, count = 1 + self.inputs + len(self.latches), len(self.gates)
        header = f"aig {first + count - 1} {self.inputs} {len(self.latches)} {len(self.outputs)} {count}"
        lines = "\n".join([header, *map(str, (*self.latches, *self.outputs)), ""])
        coded = bytearray()
        for variable, (larger, smaller) in enumerate(self.gates, first):
            coded += _coded(2 * variable - larger) + _coded(larger - smaller)
        return lines.encode() + coded

    def run(self, frames: Sequence[Sequence[int]]) -> list[list[int]]:
        """Values of the outputs in every frame, for those of the inputs."""
        state, seen = [0] * len(self.latches), []
        for frame in frames:
            values = [0, *frame, *state]
            for a, b in self.gates:
                values.append((values[a >> 1] ^ (a & 1)) & (values[b >> 1] ^ (b & 1)))
            seen.append([values[literal >> 1] ^ (literal & 1) for literal in self.outputs])
            state = [values[literal >> 1] ^ (literal & 1) for literal in self.latches]
        return seen


def _decoded(data: bytes) -> Iterator[int]:
    """Numbers of seven bits a byte, the lowest first; a set top bit says that more follow."""
    value = place = 0
    for byte in data:
        value |= (byte & 127) << place
        place += 7
        if byte < 128:
            yield value
            value = place = 0


def _coded(value: int) -> bytes:
    """The inverse, of one number."""
    coded = bytearray()
    while value > 127:
        coded.append(128 | value & 127)
        value >>= 7
    return bytes([*coded, value])
