"""What folded weights are said to be made of: rows times the trained weight times columns."""

import pytest
import torch
from folded_reference import randomize
from small_networks import Net, residual_layers, sequential

from spikefold import nn
from spikefold.fold.walk import Walk
from spikefold.nn import graph

NEURONS = {
    "pit": lambda c: nn.PIT(c, 4, 2, learn="factor"),
    "decay": lambda c: nn.ILIF(c, 3, 2, 0.6, input_decay=True, threshold=0.3),
    "qblif": lambda c: nn.QBLIF(c, 3, 2, init=0.3),
    "reverb": lambda c: nn.ReverB(c, 4, 2, alpha="channel"),
}


def check(model):
    """Hold every projection of a model to its trace; return the traces by population."""
    walk = Walk(graph(model))
    for population in walk.network("network").populations:
        for path, projection in zip(walk.paths[population.name], population.projections, strict=True):
            trace, scale = path.trace, path.trace.origins[0].emitter.scale.detach()
            scale = scale if scale.dim() else scale.expand(1, 1)
            sources = trace.columns.shape[1]
            columns = scale.repeat_interleave(sources // scale.shape[1], 1) / trace.origins[0].divisor
            torch.testing.assert_close(trace.columns, columns[: len(trace.columns)])
            weight = torch.ones(len(trace.rows), 1) if trace.layer is None else trace.layer.weight.detach()
            per_group = columns.unflatten(1, (trace.groups, 1, -1))
            per_target = per_group.expand(-1, -1, len(weight) // trace.groups, -1).flatten(1, 2)
            factor = trace.rows[:, None] * per_target
            wanted = weight * factor.reshape(*factor.shape, *(1,) * (weight.dim() - 2))
            got = trace.one_each(projection.weight)
            torch.testing.assert_close(*torch.broadcast_tensors(got, wanted), rtol=1e-12, atol=0)
    return {name: [path.trace for path in paths] for name, paths in walk.paths.items()}


@pytest.mark.parametrize("neuron", NEURONS)
def test_residual_networks(neuron):
    def connect(net, x):
        x = net.fire0(net.norm0(net.stem(net.source(x))))
        y = net.conv2(net.fire1(net.norm1(net.conv1(x))))
        return net.out(net.head(net.flat(net.fire2(net.norm2(y + x)))))

    layers = residual_layers(2, 4, 6) | {f"fire{k}": NEURONS[neuron](6) for k in range(3)}
    layers["conv1"] = nn.Conv2d(6, 6, 3, padding=1, groups=2)
    model = randomize(Net(connect, **layers), 3)
    traces = check(model)
    norm = model.norm1
    gain = model.fire1.input_gain * norm.weight / torch.sqrt(norm.running_var + norm.eps)
    torch.testing.assert_close(traces["layer1"][0].rows, gain.detach())
    assert [trace.connection for trace in traces["layer2"]] == [("conv2", "fire1"), ("add", "fire0")]


POOLED = {
    "dense": ((nn.PIT(4, 64), nn.AvgPool2d(2), nn.Flatten(), nn.Dense(48, 3)), 4),
    "padded": ((nn.PIT(4, 64), nn.AvgPool2d(2, 2, 1), nn.Flatten(), nn.Dense(80, 3)), 4),
    "gaps": ((nn.PIT(4, 64), nn.AvgPool2d(2, 3), nn.Flatten(), nn.Dense(24, 3)), 4),
    "global": ((nn.PIT(4, 5), nn.GlobalAvgPool(), nn.Flatten(), nn.Dense(4, 3)), 56),
    "conv": (
        (nn.PIT(4, 64), nn.AvgPool2d(2), nn.Conv2d(4, 3, 2), nn.PIT(3), nn.GlobalAvgPool()),
        4,
    ),
    "currents": ((nn.Conv2d(4, 3, 2, 2), nn.AvgPool2d(2), nn.PIT(3), nn.GlobalAvgPool()), 4),
}


@pytest.mark.parametrize("case", POOLED)
def test_composed_pools(case):
    """Each element of the trained weight stands in several places of the folded one."""
    layers, positions = POOLED[case]
    first = (nn.Conv2d(2, 4, 2), *((nn.PIT(4),) if case == "currents" else ()))
    last = (nn.Flatten(), nn.Dense(3, 3)) if len(layers) > 4 or case == "currents" else ()
    model = randomize(sequential(*first, *layers, *last, nn.Readout()), 1)
    (trace,) = check(model)["readout" if not last else "layer1"]
    torch.testing.assert_close(trace.rows, torch.full((3,), 1 / positions, dtype=torch.float64))
