"""Weight memories with any contents, and the weights that they hold."""

from amaranth.hdl import Mux

from spikefold_hw.parts.weights import weight_lanes, weight_sizes


def any_weights(proof, shape):
    """Rows of all weight memories, and from them each window's weights, row by row and lane by lane."""
    memories, weights = {}, []
    for port, one in enumerate(shape.weights):
        rows = [[] for _ in range(shape.rows(port))]
        for size, lanes in zip(weight_sizes(shape, port), weight_lanes(shape, port), strict=True):
            words = [proof.constant(size.width, f"{size.name}_{k}") for k in range(size.depth)]
            memories[size.name] = words
            for row, word in zip(rows, words, strict=True):
                row += [_weight(word, k, one.bits) for k in range(len(lanes))]
        weights.append(rows)
    return memories, weights


def _weight(word, place, bits):
    weight = word[place * bits : (place + 1) * bits]
    return Mux(weight, 1, -1) if bits == 1 else weight.as_signed()
