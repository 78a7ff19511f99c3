"""The zeros beside an input whose level 0 is not worth 0."""

from spikefold.importers.grid import Grid
from spikefold.nn import Input
from spikefold.nn.kinds import KINDS

Pair = tuple[int, int]


def padded_input(grid: Grid, padding: Pair) -> tuple[Input, Pair, float]:
    """The input layer under a convolution with zero padding.

    Where level 0 is worth 0, zeros are silence, and the convolution keeps its padding. Elsewhere the input is
    framed by the levels nearest to 0 instead.

    Returns
    -------
    The layer, the padding that is left to the convolution, and how far the frame's worth is from 0 at most.
    """
    layer = grid.layer()
    if padding == (0, 0) or bool((layer.shift == 0).all()):
        return layer, padding, 0.0
    framed = Input(**(KINDS["input"].config(layer) | {"pad": padding}))
    scale, shift = (values.flatten().expand(layer.shape[0]) for values in (layer.scale, layer.shift))
    worth = scale.new_tensor(framed.pad_levels) * scale + shift
    return framed, (0, 0), float(worth.abs().max())
