"""Zero padding of an input whose zero is no level."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from spikefold.importers.grid import Grid
from spikefold.importers.imported import Note
from spikefold.importers.padding import padded_input
from spikefold.nn import Conv2d, Node
from spikefold.nn.kinds import KINDS

_WHOLE = 1e-9  # of a level: the fold takes such a zero for a level itself


def framed(nodes: Sequence[Node], grid: Grid) -> tuple[list[Node], tuple[Note, ...]]:
    """Let the input pad itself by the levels nearest 0 where a convolution pads it with zeros.

    Only where zero is no level, and nothing but that convolution reads the input: elsewhere the fold does it
    exactly, or says why it cannot. The first node is the input.
    """
    readers = [node for node in nodes if nodes[0].name in node.inputs]
    if len(readers) != 1 or readers[0].kind != "conv":
        return list(nodes), ()
    reader = readers[0]
    conv = cast(Conv2d, reader.module)
    entrance, padding, error = padded_input(grid, conv.padding)
    if padding == conv.padding or error <= _WHOLE * float(entrance.scale.max()):
        return list(nodes), ()
    plain = Conv2d(**(KINDS["conv"].config(conv) | {"padding": padding}))
    plain.to(conv.weight.dtype).load_state_dict(conv.state_dict())
    changed = {nodes[0].name: entrance.to(conv.weight.dtype), reader.name: plain.eval()}
    text = f"its padding of zeros became that of the nearest levels, {error:.3g} from 0 at most"
    new = [replace(node, module=changed.get(node.name, node.module)) for node in nodes]
    return new, (Note(reader.name, text, error),)
