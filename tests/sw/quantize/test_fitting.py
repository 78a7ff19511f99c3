"""Weights fitted to what layers compute: the mathematics, what layers see, and that it helps."""

import itertools

import numpy as np
import pytest
import torch
from small_networks import build, images, sequential, sew

from spikefold import nn
from spikefold.errors import InputError
from spikefold.fold import fold
from spikefold.golden import Golden, emitted, run
from spikefold.ir.stages import INPUT
from spikefold.quantize import quantize
from spikefold.quantize.descent import Gram, descend, error_of, gram_of
from spikefold.quantize.windows import choose_positions, windows


def gram(sources=5, targets=3, groups=2, rows=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.rand(groups, sources, sources, generator=generator, dtype=torch.float64)
    seen = torch.rand(groups, rows, sources, generator=generator, dtype=torch.float64) @ mix
    weight = torch.randn(groups, targets, sources, generator=generator, dtype=torch.float64)
    found = gram_of(seen, seen @ weight.transpose(1, 2), weight)
    assert found is not None
    return found


def error(found, whole, scale):
    return error_of([found], [whole[None]], scale.reshape(1, -1))


def descended(found, scale, *rest, **options):
    return descend(found, scale[None], *rest, **options)[0]


@pytest.mark.parametrize("seed", range(4))
def test_no_single_weight_could_be_better(seed):
    found, scale = gram(sources=70, seed=seed), torch.full((2, 3), 0.4, dtype=torch.float64)
    whole = descended(found, scale, 3, passes=100)
    reached = error(found, whole, scale)
    assert (reached <= error(found, (found.wanted / 0.4).round().clamp(-3, 3), scale)).all()
    assert whole.abs().max() == 3
    for source, move in itertools.product(range(70), (-1, 1)):
        moved = whole.clone()
        moved[..., source] = (moved[..., source] + move).clamp(-3, 3)
        assert (error(found, moved, scale) >= reached - 1e-12).all()


def test_it_comes_close_to_the_best_of_all():
    found, scale = gram(sources=4), torch.full((2, 3), 0.5, dtype=torch.float64)
    every = torch.tensor(list(itertools.product((-1, 0, 1), repeat=4)), dtype=torch.float64)
    errors = torch.stack([error(found, one.expand(2, 3, 4), scale) for one in every])
    plain = error(found, (found.wanted / 0.5).round().clamp(-1, 1), scale).sum()
    reached = error(found, descended(found, scale, 1), scale).sum()
    assert errors.amin(0).sum() <= reached < (plain + errors.amin(0).sum()) / 2


def test_sources_that_never_emit_leave_the_weights_alone():
    weight = torch.ones(1, 2, 3, dtype=torch.float64)
    assert gram_of(torch.zeros(1, 9, 3, dtype=torch.float64), torch.zeros(1, 9, 2).double(), weight) is None
    seen = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    seen[..., 1] = 0
    found = gram_of(seen, seen @ weight.transpose(1, 2), weight)
    assert torch.allclose(found.wanted, weight, atol=0.05)
    assert isinstance(found, Gram)


CONVS = {
    "plain": {},
    "padded": {"padding": 1},
    "strided": {"stride": (2, 1), "padding": (1, 0)},
    "grouped": {"groups": 2, "padding": 1},
}


@pytest.mark.parametrize("options", CONVS.values(), ids=list(CONVS))
@pytest.mark.parametrize("steps", [1, 2])
def test_windows_give_the_currents_of_a_convolution(options, steps):
    conv = nn.Conv2d(2, 4, 3, **options)
    size = torch.nn.functional.conv2d(
        torch.zeros(1, 2, 9, 8), conv.weight, None, conv.stride, conv.padding, 1, conv.groups
    ).numel()
    folded = fold(
        sequential(conv, nn.PIT(4, 3, steps), nn.Flatten(), nn.Dense(size, 3), nn.Readout(), steps=steps)
    )
    network, _ = quantize(folded)
    stage, real = network.populations[0], folded.populations[0]
    levels = network.input.encode(images().numpy(), network.steps)
    shape = network.maps[stage.name]
    places = choose_positions(shape, len(levels), steps)
    assert len(places[0]) == shape.positions
    seen = windows(real.projections[0], levels, network.maps[INPUT], places)
    weight = torch.from_numpy(stage.projections[0].flat[0].astype(float)).reshape(
        seen.shape[1], -1, seen.shape[3]
    )
    sums = (seen @ weight.transpose(1, 2))[0].permute(1, 0, 2).flatten(1)
    sums = sums.reshape(len(levels), shape.positions, -1).transpose(1, 2).numpy()
    currents = sums * 2**stage.fraction + stage.bias[0][:, None]
    levels_then = run(network, levels, record=True).levels[stage.name]
    half = stage.neuron.half[0][:, None]
    first = np.clip((currents + half) // stage.neuron.threshold[0][:, None], 0, 3)
    assert (first.reshape(len(levels), *shape) == levels_then[:, 0]).all()


NETWORKS = {
    "sum of spikes": lambda steps: build(sew, steps=steps),
    "chain": lambda steps: build(
        lambda net, x: net.out(net.head(net.flat(net.fire0(net.norm0(net.stem(net.source(x))))))), steps=steps
    ),
}


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("bits", [2, 4])
def test_fitted_networks_answer_more_like_the_exact_one(kind, steps, bits):
    folded = fold(NETWORKS[kind](steps))
    levels = folded.input.encode(images(samples=300).numpy(), steps)
    exact, plain, fitted = (
        _logits(quantize(folded, **options)[0], levels)
        for options in (
            {"weight_bits": 8},
            {"weight_bits": bits},
            {"weight_bits": bits, "samples": levels[:200]},
        )
    )
    assert _distance(fitted[200:], exact[200:]) < _distance(plain[200:], exact[200:])


def _logits(network, levels):
    return run(network, levels).logits * network.readout.scale


def _distance(logits, exact):
    return ((logits - exact) ** 2).mean()


def test_stages_are_emitted_one_by_one():
    network, _ = quantize(fold(build(sew, steps=2)))
    levels = network.input.encode(images().numpy(), 2)
    every = {INPUT: levels, **Golden(network).run(levels, record=True).levels}
    for stage in network.stages[:-1]:
        found = emitted(network, stage.name, {source: every[source] for source in stage.sources})
        assert found.dtype == np.uint8
        assert (found == every[stage.name]).all()


def test_the_same_samples_give_the_same_integers():
    folded = fold(build(sew))
    levels = folded.input.encode(images().numpy(), 1)
    one, two = (quantize(folded, samples=levels)[0] for _ in range(2))
    for a, b in zip(one.populations, two.populations, strict=True):
        assert (a.bias == b.bias).all()
        assert all((p.weight == q.weight).all() for p, q in zip(a.projections, b.projections, strict=True))


def test_samples_must_fit():
    folded = fold(build(sew))
    levels = folded.input.encode(images().numpy(), 1)
    with pytest.raises(InputError, match=r"^Samples to fit weights to must be at least one, not 0; "):
        quantize(folded, samples=levels[:0])
    with pytest.raises(InputError, match=r"^Levels must have shape \(samples, 1, 2, 9, 8\), not "):
        quantize(folded, samples=levels[:, :, :1])
