"""Neuron layers over time against an independent simulation, initialisation, and bad parameters."""

import copy

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError

RNG = np.random.default_rng


def simulate(current: np.ndarray, thetas: np.ndarray, leak: float, offset: float, levels: int) -> np.ndarray:
    """Levels of one soft-reset population, one neuron and comparison at a time (PIT Eq. 1-3, 8-11)."""
    steps, batch, channels = current.shape
    out = np.zeros_like(current)
    for b in range(batch):
        for c in range(channels):
            v = 0.0
            for t in range(steps):
                u = leak * v + current[t, b, c]
                theta = thetas[t, c]
                n = sum(1 for k in range(1, levels + 1) if u >= (k - offset) * theta)
                v = u - n * theta
                out[t, b, c] = n
    return out


def dyadic(shape: tuple[int, ...], seed: int, spread: int = 40) -> np.ndarray:
    """Numbers on a coarse binary grid: every float operation on them is exact, and ties do occur."""
    return RNG(seed).integers(-spread, 2 * spread, shape) / 8.0


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("threshold", [1.0, 0.5, 0.75])
def test_lif_equals_an_independent_simulation(steps: int, threshold: float) -> None:
    current = dyadic((steps, 3, 5), seed=steps, spread=12)
    neuron = nn.LIF(5, threshold=threshold, steps=steps, leak=0.5).double()
    got = neuron(torch.from_numpy(current)).numpy()
    thetas = np.full((steps, 5), threshold)
    assert np.array_equal(got, simulate(current, thetas, 0.5, 0.0, 1))
    assert set(np.unique(got)) == {0.0, 1.0}  # a spike is worth 1 whatever the threshold


@pytest.mark.parametrize(("steps", "leak"), [(1, 0.5), (5, 0.5), (6, 0.75), (4, 1.0)])
def test_leaky_resets_one_step_late(steps: int, leak: float) -> None:
    """As snnTorch has it: the threshold is taken off behind the leak of the next step."""
    current = RNG(steps).integers(-6, 12, (steps, 3, 5)) * 0.375
    neuron = nn.Leaky(5, threshold=1.5, steps=steps, leak=leak).double()
    expected, mem, spike = [], np.zeros((3, 5)), np.zeros((3, 5))
    for x in current:
        mem = leak * mem + x - 1.5 * spike
        spike = (mem >= 1.5).astype(float)
        expected.append(spike)
    assert np.array_equal(neuron(torch.from_numpy(current)).numpy(), expected)
    assert 0 < np.mean(expected) < 1


@pytest.mark.parametrize(("steps", "levels", "leak"), [(1, 4, 0.5), (5, 4, 0.25), (3, 7, 1.0), (2, 255, 0.0)])
def test_ilif_equals_an_independent_simulation(steps: int, levels: int, leak: float) -> None:
    current = dyadic((steps, 4, 3), seed=levels)
    got = nn.ILIF(3, levels=levels, steps=steps, leak=leak).double()(torch.from_numpy(current)).numpy()
    assert np.array_equal(got, simulate(current, np.ones((steps, 3)), leak, 0.5, levels))


def test_pit_equals_an_independent_simulation_with_scales_per_step() -> None:
    steps, channels = 4, 5
    scales = 2.0 ** RNG(0).integers(-2, 2, (steps, channels))
    neuron = nn.PIT(channels, levels=3, steps=steps, leak=0.5).double().eval()
    with torch.no_grad():
        neuron.log_scale.copy_(torch.from_numpy(np.log(scales)))
    a = neuron.scale.detach().numpy()
    current = RNG(1).normal(size=(steps, 6, channels)) * 3
    got = neuron(torch.from_numpy(current)).detach().numpy()
    expected = simulate(current, a, 0.5, 0.5, 3)
    np.testing.assert_allclose(got, expected * a[:, None, :], rtol=1e-12)
    assert len(np.unique(expected)) == 4


def test_zero_reset_clears_only_what_fired() -> None:
    neuron = nn.ILIF(1, steps=2, leak=1.0, reset="zero")
    current = torch.tensor([[[0.25], [1.25]], [[0.25], [0.25]]])
    assert neuron(current)[:, :, 0].tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_first_training_batch_sets_the_scales_step_by_step() -> None:
    steps, channels, levels, leak = 3, 4, 4, 0.5
    current = RNG(3).normal(0.5, 2.0, (steps, 64, channels))
    neuron = nn.PIT(channels, levels=levels, steps=steps, leak=leak).double()
    neuron(torch.from_numpy(current))
    v = np.zeros((64, channels))
    for t in range(steps):
        u = leak * v + current[t]
        mean, sigma = u.mean(0), u.std(0)
        a = np.maximum(np.abs(mean - 3 * sigma), np.abs(mean + 3 * sigma)) / np.sqrt(levels)
        np.testing.assert_allclose(neuron.scale[t].detach().numpy(), a, rtol=1e-9)
        v = u - a * np.clip(np.floor(u / a + 0.5), 0, levels)
    assert bool(neuron.initialised)


def test_only_the_first_training_batch_sets_the_scales() -> None:
    neuron = nn.PIT(3)
    x = torch.from_numpy(RNG(0).normal(size=(1, 32, 3))).float()
    neuron.eval()(x)
    assert not bool(neuron.initialised)
    assert torch.equal(neuron.scale, torch.ones(1, 3))
    neuron.train()(x)
    first = neuron.scale.detach().clone()
    neuron(10 * x)
    assert torch.equal(neuron.scale, first)


def test_dead_channel_gets_a_positive_scale_and_finite_gradients() -> None:
    neuron = nn.PIT(2)
    x = torch.zeros(1, 8, 2, requires_grad=True)
    neuron(x).sum().backward()
    assert bool((neuron.scale > 0).all())
    assert bool(torch.isfinite(neuron.log_scale.grad).all())


def test_gradient_through_time_follows_the_reset() -> None:
    """Two steps by hand: s2 depends on current 1 through v1 = u1 - s1 with slope leak * (1 - ds1/du1)."""
    neuron = nn.PIT(1, levels=4, steps=2, leak=0.5, rectify=0.1).double().eval()
    current = torch.tensor([[[1.3]], [[0.9]]], dtype=torch.float64, requires_grad=True)
    neuron(current)[1].sum().backward()
    u1 = 1.3
    u2 = 0.5 * (u1 - 1.0) + 0.9
    slope = [1 + 0.1 * (0.5 - abs(u - np.floor(u) - 0.5)) for u in (u1, u2)]
    expected = [slope[1] * 0.5 * (1 - slope[0]), slope[1]]
    np.testing.assert_allclose(current.grad.flatten().numpy(), expected, rtol=1e-12)


def test_neurons_take_feature_maps() -> None:
    x = torch.from_numpy(RNG(5).normal(size=(2, 3, 4, 5, 5))).float()
    flat = x.permute(0, 1, 3, 4, 2).reshape(2, -1, 4)
    maps, dense = nn.PIT(4, steps=2), nn.PIT(4, steps=2)
    got = maps(x).permute(0, 1, 3, 4, 2).reshape(2, -1, 4)
    torch.testing.assert_close(got, dense(flat), rtol=1e-5, atol=1e-5)


def test_one_scale_for_all_steps_is_set_at_the_first() -> None:
    current = RNG(3).normal(0.5, 2.0, (3, 64, 4))
    neuron = nn.PIT(4, steps=3, per_step=False).double()
    emitted = neuron(torch.from_numpy(current))
    assert neuron.log_scale.shape == (1, 4)
    mean, sigma = current[0].mean(0), current[0].std(0)
    a = np.maximum(np.abs(mean - 3 * sigma), np.abs(mean + 3 * sigma)) / 2.0
    np.testing.assert_allclose(neuron.scale.detach(), np.stack([a] * 3), rtol=1e-9)
    np.testing.assert_allclose(emitted.detach(), simulate(current, np.stack([a] * 3), 0.5, 0.5, 4) * a)
    emitted.sum().backward()
    assert neuron.log_scale.grad.shape == (1, 4)


def tied_trio() -> list[nn.PIT]:
    trio = [nn.PIT(3, levels, steps=2) for levels in (4, 7, 2)]
    nn.tie_scales(*trio)
    return trio


def test_tied_neurons_share_one_parameter_set_by_the_first_to_run() -> None:
    trio = tied_trio()
    assert len({id(neuron.log_scale) for neuron in trio}) == 1
    assert all(neuron.tied == tuple(trio) for neuron in trio)
    x = torch.from_numpy(RNG(0).normal(size=(2, 64, 3))).float()
    expected = nn.PIT(3, 7, steps=2)
    expected(x)
    trio[1](x)
    assert torch.equal(trio[0].scale, expected.scale)
    assert all(bool(neuron.initialised) for neuron in trio)
    total = sum(neuron(10 * x) for neuron in trio)
    assert torch.equal(trio[2].scale, expected.scale)
    levels = total / trio[0].scale[:, None, :]
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert levels.max().round() == 4 + 7 + 2
    total.square().sum().backward()
    assert float(trio[0].log_scale.grad.abs().sum()) > 0
    assert trio[0].log_scale.grad is trio[2].log_scale.grad


def test_ties_survive_copies_conversion_and_state_dicts() -> None:
    trio = torch.nn.ModuleList(tied_trio())
    for model in (copy.deepcopy(trio), copy.deepcopy(trio).double()):
        first, second, third = model
        assert first.log_scale is second.log_scale is third.log_scale
        assert first.log_scale is not trio[0].log_scale
        first(torch.ones(2, 5, 3, dtype=first.log_scale.dtype))
        assert bool(third.initialised)
        assert not bool(trio[0].initialised)
    assert len(list(trio.parameters())) == 1
    with torch.no_grad():
        trio[0].log_scale.fill_(0.5)
    other = torch.nn.ModuleList(tied_trio())
    other.load_state_dict(trio.state_dict())
    assert other[0].log_scale is other[2].log_scale
    assert torch.equal(other[2].scale, trio[2].scale)


def test_tying_joins_groups_and_keeps_the_scale_of_the_first() -> None:
    a, b, c, d = (nn.PIT(3) for _ in range(4))
    with torch.no_grad():
        c.log_scale.fill_(1.0)
    c.initialised.fill_(True)
    nn.tie_scales(a, b)
    nn.tie_scales(c, d)
    nn.tie_scales(d, b)
    assert {id(neuron.log_scale) for neuron in (a, b, c, d)} == {id(c.log_scale)}
    assert torch.equal(a.log_scale, torch.ones(1, 3))
    assert bool(a.initialised)


@pytest.mark.parametrize(
    ("neurons", "message"),
    [
        ([nn.PIT(3)], r"^Tied neurons must be at least 2 different ones, not 1$"),
        ([nn.PIT(3)] * 2, r"^Tied neurons must be at least 2 different ones, not 1$"),
        ([], r"^Tied neurons must be at least 2 different ones, not 0$"),
        (
            [nn.PIT(3), nn.PIT(4)],
            r"^Tied neurons must agree in \(channels, steps, per_step, per_channel, learn\), not "
            r"\(3, 1, True, True, 'scale'\) and \(4, 1, ",
        ),
        ([nn.PIT(3, steps=2), nn.PIT(3, steps=2, per_step=False)], r"^Tied neurons must agree in "),
        (
            [nn.PIT(3), nn.PIT(3, per_channel=False)],
            r"^Tied neurons must agree in .*True, 'scale'\) and .*Fa",
        ),
        (
            [nn.PIT(3), nn.PIT(3, learn="factor")],
            r"^Tied neurons must agree in .*'scale'\) and .*'factor'\)$",
        ),
        (
            [nn.PIT(3), nn.ILIF(3)],
            r"^Tied neurons must be PIT, not ILIF; I-LIF and LIF levels are worth 1 anyway$",
        ),
    ],
)
def test_what_cannot_be_tied_is_refused(neurons: list, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        nn.tie_scales(*neurons)
    assert all(neuron.tied == (neuron,) for neuron in neurons if isinstance(neuron, nn.PIT))


def test_attributes_the_fold_reads() -> None:
    lif, pit = nn.LIF(3, threshold=0.5, steps=2), nn.PIT(3, levels=7, steps=2, leak=0.25)
    assert (lif.levels, lif.rounding, lif.reset_mode, lif.leak) == (1, "floor", "subtract", 0.5)
    assert lif.threshold.tolist() == [[0.5] * 3] * 2
    assert lif.scale.tolist() == [[1.0] * 3] * 2
    assert (pit.levels, pit.rounding, pit.leak, pit.channels, pit.steps) == (7, "half_up", 0.25, 3, 2)
    assert pit.scale.shape == pit.threshold.shape == (2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.PIT(3, levels=0), r"^PIT levels \(D\) must be an integer from 1 to 255, not 0$"),
        (lambda: nn.PIT(3, levels=256), r"^PIT levels \(D\) must be an integer from 1 to 255, not 256$"),
        (lambda: nn.ILIF(3, levels=2.0), r"^ILIF levels \(D\) must be an integer from 1 to 255, not 2\.0$"),
        (lambda: nn.PIT(0), r"^PIT channels must be an integer of at least 1, not 0$"),
        (lambda: nn.PIT(3, steps=True), r"^PIT steps \(T\) must be an integer from 1 to 1024, not True$"),
        (lambda: nn.PIT(3, per_step=1), r"^PIT per_step must be True or False, not 1$"),
        (lambda: nn.PIT(3, leak=1.5), r"^PIT leak must be a number from 0 to 1, not 1\.5$"),
        (lambda: nn.PIT(3, leak=float("nan")), r"^PIT leak must be a number from 0 to 1, not nan$"),
        (
            lambda: nn.PIT(3, reset="hard"),
            r"^PIT reset must be one of 'subtract', 'zero', 'none', not 'hard'$",
        ),
        (
            lambda: nn.ILIF(3, rounding="floor"),
            r"^ILIF rounding must be one of 'half_up', 'half_even', not 'floor'$",
        ),
        (lambda: nn.PIT(3, rounding="up"), r"^PIT rounding must be one of 'half_up', 'half_even', not 'up'$"),
        (lambda: nn.Leaky(3, leak=0.25), r"^Leaky leak must be a number from 0\.5 to 1, not 0\.25$"),
        (lambda: nn.LIF(3, threshold=0.0), r"^LIF threshold must be a finite number above 0, not 0\.0$"),
        (lambda: nn.LIF(3, threshold=-1), r"^LIF threshold must be a finite number above 0, not -1$"),
    ],
)
def test_bad_parameters_are_named(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), float("-inf"), -1000.0])
def test_a_scale_that_is_not_positive_is_refused(raw: float) -> None:
    neuron = nn.PIT(3, steps=2).eval()
    with torch.no_grad():
        neuron.log_scale[1, 2] = raw
    message = r"^PIT scale a must be finite and above 0, not \S+ \(step 1, channel 2\); "
    with pytest.raises(ModelError, match=message):
        _ = neuron.scale
    with pytest.raises(ModelError, match=message):
        neuron(torch.zeros(2, 1, 3))


@pytest.mark.parametrize("shape", [(1, 5, 3), (2, 5, 4), (5, 3)])
def test_wrong_input_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^PIT input must have shape \[2, batch, 3, \.\.\.\] .* not \["):
        nn.PIT(3, steps=2)(torch.zeros(shape))
