"""A scalar reading of docs/numerics.md, "The neuron": one sample, neuron by neuron in Python integers.

It shares no code with the package: plain loops, and sizes of maps by counting where a window fits.
"""

from fractions import Fraction
from math import floor

from spikefold.ir import Add, Conv, Dense, Identity, Pool


def scalar_run(network, sample):
    """Return (levels, membranes, potentials, logits) of a sample of input levels.

    By name, [step][channel], or [step][channel][row][column] of a map; potentials are `u` before it is
    first saturated. Levels of the readout are 0.
    """
    steps = range(network.steps)
    sample = sample if sample.ndim == 4 else sample.reshape(len(sample), -1)
    emitted = {"input": [sample[t if len(sample) > 1 else 0].tolist() for t in steps]}
    membranes, potentials = {}, {}
    for stage in network.stages:
        if isinstance(stage, Pool):
            emitted[stage.name] = [_pool(stage, _as_map(emitted[stage.source][t])) for t in steps]
        elif isinstance(stage, Add):
            a, b = stage.sources
            emitted[stage.name] = [_plus(_as_map(emitted[a][t]), _as_map(emitted[b][t])) for t in steps]
        else:
            results = _population(network, stage, emitted)
            emitted[stage.name], membranes[stage.name], potentials[stage.name] = results
    flat = {
        s.name for s in network.stages if any(isinstance(p, Dense) for p in getattr(s, "projections", ()))
    }
    for found in (emitted, membranes, potentials):
        for name in flat & set(found):
            found[name] = [[rows[0][0] for rows in maps] for maps in found[name]]
    return emitted, membranes, potentials, membranes[network.stages[-1].name][-1]


def _as_map(levels):
    """[channel][row][column] of [channel], which has one position, or of a map."""
    return levels if isinstance(levels[0], list) else [[[n]] for n in levels]


def _places(size, kernel, stride, padding):
    """Where windows begin along one axis, before the padding is taken off."""
    return [place for place in range(0, size + 2 * padding, stride) if place + kernel <= size + 2 * padding]


def _under(rows, kernel, stride, padding):
    """[row][column] of windows; each a list of ((i, j), level) of the positions inside the map."""
    height, width = len(rows), len(rows[0])
    return [
        [
            [
                ((i, j), rows[y + i - padding[0]][x + j - padding[1]])
                for i in range(kernel[0])
                for j in range(kernel[1])
                if 0 <= y + i - padding[0] < height and 0 <= x + j - padding[1] < width
            ]
            for x in _places(width, kernel[1], stride[1], padding[1])
        ]
        for y in _places(height, kernel[0], stride[0], padding[0])
    ]


def _pool(pool, maps):
    combine = {"sum": sum, "max": max}[pool.pooling]
    return [
        [
            [combine(n for _, n in seen) for seen in row]
            for row in _under(rows, pool.kernel, pool.stride, pool.padding)
        ]
        for rows in maps
    ]


def _plus(a, b):
    return [
        [[m + n for m, n in zip(p, q, strict=True)] for p, q in zip(r, s, strict=True)]
        for r, s in zip(a, b, strict=True)
    ]


def _row(array, t):
    return array[t] if len(array) > 1 else array[0]


def _product(projection, t, maps):
    """Sums [channel][row][column] of one projection at one step."""
    weight = _row(projection.weight, t).tolist()
    if isinstance(projection, Dense):
        levels = [n for rows in maps for row in rows for n in row]
        return [[[sum(w * n for w, n in zip(column, levels, strict=True))]] for column in weight]
    if isinstance(projection, Identity):
        return [[[w * n for n in row] for row in rows] for w, rows in zip(weight, maps, strict=True)]
    assert isinstance(projection, Conv)
    kernel = len(weight[0][0]), len(weight[0][0][0])
    seen = [_under(rows, kernel, projection.stride, projection.padding) for rows in maps]
    share, targets = len(maps) // projection.groups, len(weight) // projection.groups
    sums = []
    for c, filters in enumerate(weight):
        first = c // targets * share
        sources = list(zip(filters, seen[first : first + share], strict=True))
        sums.append(
            [
                [
                    sum(f[i][j] * n for f, s in sources for (i, j), n in s[y][x])
                    for x in range(len(seen[0][0]))
                ]
                for y in range(len(seen[0]))
            ]
        )
    return sums


def scalar_sums(projections, t, emitted):
    """`Σ A` of projections at one step, [channel][row][column]; `emitted` is scalar_run's first result."""
    total = None
    for projection in projections:
        sums = _product(projection, t, _as_map(emitted[projection.source][t]))
        total = sums if total is None else _plus(total, sums)
    return total


def _population(network, p, emitted):
    """Levels, membranes and potentials, each [step][channel][row][column]."""
    totals = [scalar_sums(p.projections, t, emitted) for t in range(network.steps)]
    channels, height, width = len(totals[0]), len(totals[0][0]), len(totals[0][0][0])
    results = [
        [[[[0] * width for _ in range(height)] for _ in range(channels)] for _ in totals] for _ in range(3)
    ]
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                found = _neuron(p, c, [total[c][y][x] for total in totals])
                for result, values in zip(results, found, strict=True):
                    for t, value in enumerate(values):
                        result[t][c][y][x] = value
    return results


def _neuron(p, c, totals):
    v, fired = 0, False
    levels, membranes, potentials = [], [], []
    for t, total in enumerate(totals):
        current = total * 2**p.fraction + int(_row(p.bias, t)[c])
        if p.neuron is None:
            v += current
            n, u = 0, v
        else:
            n, v, fired, u = _update(p.neuron, t, c, current, v, fired)
        levels.append(n)
        membranes.append(v)
        potentials.append(u)
    return levels, membranes, potentials


def _leaked(leak, c, v):
    """With the precision of all channels, where they have a leak each."""
    sums = getattr(leak, "channels", (leak,))
    largest = max((e for each in sums for _, e in each.terms), default=0)
    return _shifts(sums[c % len(sums)].terms, v, largest)


def _shifts(terms, v, largest=None):
    if largest is None:
        largest = max((e for _, e in terms), default=0)
    total = 0
    for sign, e in terms:
        total += sign * v * 2 ** (largest - e)
    return floor_div(total + (2 ** (largest - 1) if largest else 0), 2**largest)


def floor_div(a, b):
    """Floor of a / b, from truncation, so that it does not lean on `//`."""
    quotient = abs(a) // b
    return quotient if a >= 0 else -quotient - (1 if abs(a) % b else 0)


def _clip(v, low, high):
    return low if v < low else high if v > high else v


def _update(neuron, t, c, current, v, fired):
    def cap(value):
        if neuron.membrane_bits is None:
            return value
        top = 2 ** (neuron.membrane_bits - 1)
        return _clip(value, -top, top - 1)

    theta = int(_row(neuron.threshold, t)[c])
    u = _leaked(neuron.leak, c, v) + current
    if neuron.reset == "scale" and fired:
        u = _shifts(neuron.factor.terms, u)
    free = u
    u = cap(u)
    if neuron.rounding == "half_even":
        n = round(Fraction(u, theta))  # Python rounds half to even
    else:
        n = floor_div(u + (floor(theta / 2) if neuron.rounding == "half_up" else 0), theta)
    n = _clip(n, 0, neuron.levels)
    if neuron.fire_floor is None:
        fired = n > 0
    else:
        fired = u >= int(neuron.fire_floor[c])
        n = n if fired else 0
    if neuron.reset == "subtract":
        v = u - n * theta
    elif neuron.reset == "zero":
        v = 0 if fired else u
    else:
        v = u
    return n, cap(v), fired, free
