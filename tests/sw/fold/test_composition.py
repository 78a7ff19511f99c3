"""When an average pool and a window over it are one window: every small geometry, against the two in turn."""

from itertools import product

import torch
from torch.nn.functional import avg_pool2d, conv2d

from spikefold.fold.composition import _exact, composed
from spikefold.fold.mathematics import box, compose_kernels, spread
from spikefold.ir.maps import Map, Window


def geometries():
    """Column maps, pools and windows over the pooled map that fit."""
    for size, pool, stride in product(range(2, 8), range(1, 4), range(1, 4)):
        for padding in range(pool // 2 + 1):
            if size + 2 * padding < pool:
                continue
            first = Window(Map(1, size), (pool, 1), (stride, 1), (padding, 0))
            for kernel, step, zeros in product(range(1, 4), range(1, 3), range(3)):
                if zeros < kernel <= first.height + 2 * zeros:
                    yield first, Window(Map(1, first.height), (kernel, 1), (step, 1), (zeros, 0))


def torch_pool(x, window):
    return avg_pool2d(x, window.kernel, window.stride, window.padding)


def test_convolutions_are_composed_exactly_where_that_is_possible():
    generator = torch.Generator().manual_seed(0)
    found, unpadded = {True: 0, False: 0}, 0
    for pool, window in geometries():
        x = torch.rand(1, 1, pool.map.height, 1, generator=generator, dtype=torch.float64) + 1
        weight = torch.rand(1, 1, *window.kernel, generator=generator, dtype=torch.float64) + 1
        wanted = conv2d(torch_pool(x, pool), weight, None, window.stride, window.padding)
        kernel = compose_kernels(box(pool.kernel, weight), pool.stride, weight)
        whole = composed(pool, window)
        assert tuple(kernel.shape[2:]) == whole.kernel
        got = conv2d(x, kernel, None, whole.stride, whole.padding)
        same = got.shape == wanted.shape and bool(torch.allclose(got, wanted, rtol=1e-12))
        assert _exact(pool, window) <= same, (pool, window)
        if window.padding == (0, 0):
            assert _exact(pool, window)
            unpadded += 1
        found[same == _exact(pool, window)] += 1
    assert found[True] > 800
    assert unpadded > 100
    assert found[False] < 0.05 * found[True]  # windows that happen not to reach what differs


def test_dense_layers_are_composed_exactly():
    generator = torch.Generator().manual_seed(0)
    for pool, window in geometries():
        x = torch.rand(1, 1, pool.map.height, 1, generator=generator, dtype=torch.float64)
        weight = torch.rand(2, 1, window.map.height, 1, generator=generator, dtype=torch.float64)
        wanted = torch_pool(x, pool).flatten(1) @ weight.flatten(1).T
        got = x.flatten(1) @ spread(weight, pool).reshape(2, -1).T
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=0)
