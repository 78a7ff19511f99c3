"""Options of the neurons, QB-LIF and ReverB forward, initial scales, files, other programs' loops."""

import copy
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import ModelError

RNG = np.random.default_rng
ROOT = Path(__file__).parents[3]

EVERY = [
    lambda: nn.LIF(3, 0.5, 2, 0.25, 0.1, "zero", True, "arctan"),
    lambda: nn.ILIF(3, 7, 2, 0.25, 0.1, "none", True, "box", 2.0),
    lambda: nn.PIT(3, 7, 2, 0.25, 0.1, "zero", False, False, "factor", "min_max", True, "relsg_et"),
    lambda: nn.PIT(3, steps=2, learn="none", init=0.5),
    lambda: nn.QBLIF(3, 9, 2, 0.25, 0.75, "arctan", "three_sigma", True, "none"),
    lambda: nn.QBLIF(3, steps=2),
    lambda: nn.ReverB(3, 3, 2, 0.5, 0.25, "channel", "none"),
    lambda: nn.ReverB(3, None, 2, alpha="layer"),
    lambda: nn.ReverB(3, steps=2),
    lambda: nn.Leaky(3, 0.5, 2, 0.75, 0.1, "arctan"),
    lambda: nn.ILIF(3, 7, 2, rounding="half_even"),
    lambda: nn.PIT(3, 4, 2, reset="zero", rounding="half_even"),
]


def batch(seed: int = 0, steps: int = 2) -> torch.Tensor:
    return torch.from_numpy(RNG(seed).normal(0.5, 1.5, (steps, 16, 3, 2, 2))).float()


def test_qblif_equals_a_scalar_simulation() -> None:
    """Eq. 2, 3 and 9, one neuron at a time; the damping acts in the one step after a spike."""
    steps, channels, levels, beta, alpha = 6, 3, 5, 0.5, 0.75
    current = RNG(0).integers(-16, 40, (steps, 4, channels)) / 8.0
    neuron = nn.QBLIF(channels, levels, steps, beta, alpha).double().eval()
    with torch.no_grad():
        neuron.log_scale.fill_(np.log(0.5))
    got = neuron(torch.from_numpy(current)).detach().numpy()
    assert neuron.factor == 0.25
    for b in range(4):
        for c in range(channels):
            u, s = 0.0, 0.0
            for t in range(steps):
                u = (beta * u + current[t, b, c]) * (1 - alpha * (s > 0))
                s = 0.5 * sum(1 for k in range(1, levels + 1) if u >= 0.5 * k)
                assert got[t, b, c] == s
    assert len(np.unique(got)) == levels + 1


@pytest.mark.parametrize("floor", [0.0, 0.75, -1.0])
def test_reverb_equals_a_scalar_simulation(floor: float) -> None:
    steps, channels, leak, lsb, alpha = 5, 3, 0.5, 0.5, (1.0, 2.0, 0.5)
    current = RNG(0).integers(-24, 40, (steps, 4, channels)) / 8.0
    neuron = nn.ReverB(channels, 3, steps, leak, floor, "channel").double().eval()
    with torch.no_grad():
        neuron.log_step.fill_(np.log(lsb))
        neuron.log_alpha.copy_(torch.tensor(alpha, dtype=torch.float64).log())
    got = neuron(torch.from_numpy(current)).detach().numpy()
    for b in range(4):
        for c in range(channels):
            v = 0.0
            for t in range(steps):
                u = leak * v + current[t, b, c]
                fired = u >= floor
                v = 0.0 if fired else u
                assert got[t, b, c] == (lsb * min(max(alpha[c] * u // lsb, 0), 7) if fired else 0.0)
    assert got.max() == 3.5


@pytest.mark.parametrize(("kind", "threshold"), [("ilif", 0.5), ("ilif", 2.0), ("lif", 0.75)])
def test_thresholds_of_constant_neurons_only_stretch_the_membrane(kind: str, threshold: float) -> None:
    x = torch.from_numpy(RNG(1).integers(-20, 60, (3, 8, 4)) / 16.0)
    make = nn.LIF if kind == "lif" else nn.ILIF
    expected = make(4, steps=3)(x)
    assert torch.equal(make(4, steps=3, threshold=threshold)(x * threshold), expected)
    assert set(expected.unique().tolist()) >= {0.0, 1.0}


@pytest.mark.parametrize("threshold", [0.1, 0.3, 1.7])
def test_levels_are_emitted_exactly_whatever_the_threshold(threshold: float) -> None:
    """In float32 ``n * 0.1 / 0.1`` is not always n."""
    x = threshold * torch.arange(256.0).reshape(1, 1, 256)
    assert torch.equal(nn.ILIF(256, 255, threshold=threshold)(x), torch.arange(256.0).reshape(1, 1, 256))
    reverb = nn.ReverB(256, 8, alpha="layer").eval()
    with torch.no_grad():
        reverb.log_alpha.fill_(0.7)
        reverb.log_step.fill_(np.log(threshold))
    emitted = reverb(torch.linspace(0, 300 * threshold, 256).reshape(1, 1, 256)).detach()
    lsb = reverb.log_step.exp().detach()
    assert torch.isin(emitted, lsb * torch.arange(256.0)).all()
    assert len(emitted.unique()) > 60


def test_attributes_that_fold_and_analysis_read() -> None:
    lif, ilif, pit, coarse, qblif, frozen, reverb, real, _, leaky, *_ = (make() for make in EVERY)
    table = [
        (n.levels, n.rounding, n.reset_mode, n.factor, n.fire_floor, n.input_gain) for n in map(_id, EVERY)
    ]
    assert table == [
        (1, "floor", "zero", None, None, 0.75),
        (7, "half_up", "none", None, None, 0.75),
        (7, "half_up", "zero", None, None, 0.75),
        (4, "half_up", "subtract", None, None, 1.0),
        (9, "floor", "scale", 0.25, None, 1.0),
        (20, "floor", "scale", 0.5, None, 1.0),
        (7, "floor", "zero", None, 0.25, 1.0),
        (None, "floor", "zero", None, 0.0, 1.0),
        (15, "floor", "zero", None, 0.0, 1.0),
        (1, "half_up", "subtract", None, 0.5, 1.0),
        (7, "half_even", "subtract", None, None, 1.0),
        (4, "half_even", "zero", None, None, 1.0),
    ]
    with torch.no_grad():
        reverb.log_step.fill_(np.log(0.5))
        reverb.log_alpha.copy_(torch.tensor([1.0, 2.0, 4.0]).log())
        real.log_alpha.fill_(np.log(3.0))
    values = {
        lif: (0.5, 1.0),
        ilif: (2.0, 1.0),
        pit: (1.0, 1.0),
        coarse: (0.5, 0.5),
        qblif: (1.0, 1.0),
        frozen: (1.0, 1.0),
        reverb: ([0.5, 0.25, 0.125], 0.5),
        real: (1.0, 3.0),
        leaky: (0.5 / 0.75, 1.0),
    }
    for neuron, (threshold, scale) in values.items():
        wanted = (np.broadcast_to(threshold, (2, 3)), np.broadcast_to(scale, (2, 3)))
        np.testing.assert_allclose(neuron.threshold.detach(), wanted[0], rtol=1e-6)
        np.testing.assert_allclose(neuron.scale.detach(), wanted[1], rtol=1e-6)


def _id(make: object) -> nn.SpikingNeuron:
    return make()


@pytest.mark.parametrize("make", EVERY)
def test_frozen_scales_stay_after_a_training_step(make: object) -> None:
    neuron = make()
    neuron(batch())
    before = {name: p.detach().clone() for name, p in neuron.named_parameters()}
    trained = [p for p in neuron.parameters() if p.requires_grad]
    neuron(batch(1).requires_grad_()).square().sum().backward()
    if trained:
        torch.optim.SGD(neuron.parameters(), lr=1e-3).step()
    for name, p in neuron.named_parameters():
        assert torch.equal(p, before[name]) != p.requires_grad, name


def test_tied_factors_are_one_parameter() -> None:
    a, b = nn.PIT(3, learn="factor"), nn.PIT(3, 7, learn="factor")
    nn.tie_scales(a, b)
    a, b = copy.deepcopy(torch.nn.ModuleList([a, b])).double()
    assert a.log_factor is b.log_factor
    assert a.log_scale is b.log_scale
    b(torch.from_numpy(RNG(0).normal(size=(1, 9, 3))))
    assert bool(a.initialised)
    assert torch.equal(a.scale, b.scale)
    assert not torch.equal(a.scale, torch.ones_like(a.scale))


def test_multiplied_alpha_is_equation_18() -> None:
    for mode in ("none", "layer", "channel"):
        real = nn.ReverB(3, None, 2, alpha=mode)
        old = real(batch()).detach()
        real.multiply_alpha(torch.tensor([1.0, 2.0, 3.0]))
        torch.testing.assert_close(real(batch()), old * torch.tensor([1.0, 2.0, 3.0])[:, None, None])
        assert real.alpha_mode == "channel"
    layer = nn.ReverB(3, 4, 2)
    layer.multiply_alpha(torch.tensor([2.0]))
    assert layer.alpha_mode == "layer"
    assert tuple(layer.log_alpha.shape) == (1,)
    layer.multiply_alpha(torch.tensor([2.0, 2.0, 2.0]))
    torch.testing.assert_close(layer.alpha, torch.full((3,), 4.0))
    with pytest.raises(
        ModelError, match=r"^ReverB alpha must be finite and above 0, not 0\.0 \(step 0, chan"
    ):
        layer.multiply_alpha(torch.tensor([1.0, 0.0, 1.0]))


@pytest.mark.parametrize("make", EVERY)
def test_neurons_survive_files(make: object, tmp_path: Path) -> None:
    neuron = make()
    body = {"input": nn.Input((3, 2, 2), 4, steps=2), "stem": nn.Conv2d(3, 3, 1), "neuron": neuron}
    head = {"flatten": nn.Flatten(), "dense": nn.Dense(12, 2), "readout": nn.Readout()}
    model = nn.Sequential(OrderedDict(body | head))
    model(torch.rand(8, 3, 2, 2))  # initialises
    nn.save(model, tmp_path / "m")
    loaded = nn.load(tmp_path / "m")
    other = loaded.get_submodule("neuron")
    assert repr(other) == repr(neuron)
    x = torch.rand(4, 3, 2, 2)
    assert torch.equal(loaded(x), model.eval()(x))
    nn.save(loaded, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


@pytest.mark.parametrize(
    "path",
    ["bench/mnist.safetensors", "examples/fashion.safetensors", "examples/fashion_residual.safetensors"],
)
def test_files_without_the_later_options_take_the_defaults(path: str) -> None:
    model = nn.load(ROOT / path)
    neurons = [m for m in model.modules() if isinstance(m, nn.SpikingNeuron)]
    assert neurons
    for neuron in neurons:
        assert (neuron.surrogate, neuron.input_gain, neuron.reset_mode) == ("rectified", 1.0, "subtract")
        assert (neuron.learn, neuron.init, neuron.per_channel) == ("scale", "three_sigma", True)


@pytest.mark.parametrize("make", EVERY)
def test_nothing_is_kept_between_calls(make: object) -> None:
    neuron = make()
    neuron(batch())
    neuron.eval()
    first = neuron(batch(1))
    neuron(100 * batch(2))
    assert torch.equal(neuron(batch(1)), first)


@pytest.mark.parametrize("make", EVERY)
def test_loops_of_spikingjelly_leave_neurons_alone(make: object) -> None:
    """Stand-ins for ``functional.reset_net`` and ``set_step_mode``: what they find, they call or set."""
    net = torch.nn.Sequential(torch.nn.Identity(), make())
    net(batch())
    before = {key: value.clone() for key, value in net.state_dict().items()}
    expected = net.eval()(batch(1))
    for module in net.modules():
        if hasattr(module, "reset"):
            module.reset()
        if hasattr(module, "step_mode"):
            module.step_mode = "m"
    assert torch.equal(net(batch(1)), expected)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_subclass_may_round_thresholds_and_leave_scales() -> None:
    """What quantization-aware training relies on: levels come from ``threshold``, values from ``scale``."""

    class Rounded(nn.PIT):
        @property
        def threshold(self) -> torch.Tensor:
            rounded = torch.ceil(self.scale * 4) / 4
            return self.scale + (rounded - self.scale).detach()

    plain, neuron = nn.PIT(3, steps=2, init=0.6), Rounded(3, steps=2, init=0.6)
    x = batch()
    got = neuron(x)
    coarse = nn.PIT(3, steps=2, init=0.75)
    torch.testing.assert_close(got, coarse(x) * 0.8)
    got.sum().backward()
    assert not torch.equal(got, plain(x))
    n = got.detach().numpy() / 0.6
    u0 = x[0].numpy()
    u = np.stack([u0, 0.5 * (u0 - 0.75 * n[0]) + x[1].numpy()])
    inside = (u / 0.75 >= 0) & (u / 0.75 <= 4)
    direct = n - (0.6 / 0.75) * (u / 0.75) * inside  # d(0.6 n)
    through = 0.5 * _slope(u[1] / 0.75) * inside[1] * 0.8 * (n[0] - u[0] / 0.75 * inside[0])
    expected = direct.sum((1, 3, 4))
    expected[0] -= through.sum((0, 2, 3))
    np.testing.assert_allclose(neuron.log_scale.grad.numpy(), expected * 0.6, rtol=2e-4)


def _slope(x: np.ndarray) -> np.ndarray:
    return 1 + 0.01 * (0.5 - np.abs(x - np.floor(x) - 0.5))


@pytest.mark.parametrize("make", EVERY)
def test_half_precision_inputs_give_levels_and_gradients(make: object) -> None:
    """Autocast hands neurons bfloat16 currents; their parameters are float32."""
    neuron = make()
    neuron(batch())
    x = batch(1).bfloat16().requires_grad_()
    out = neuron(x)
    torch.testing.assert_close(out.float(), neuron(x.detach().float()), rtol=0, atol=0)
    out.float().sum().backward()
    assert x.grad.dtype == torch.bfloat16
    assert bool(torch.isfinite(x.grad).all())


def test_printed_form_shows_the_parameters() -> None:
    assert repr(EVERY[0]()) == (
        "LIF(3, levels=1, steps=2, leak=0.25, reset=zero, surrogate=arctan, input_decay=True, threshold=0.5)"
    )
    assert repr(EVERY[2]()) == (
        "PIT(3, levels=7, steps=2, leak=0.25, reset=zero, surrogate=relsg_et, input_decay=True, "
        "per_step=False, per_channel=False, learn=factor, init=min_max)"
    )
    assert repr(EVERY[4]()) == (
        "QBLIF(3, levels=9, steps=2, leak=0.25, reset=scale, surrogate=arctan, reset_factor=0.75, "
        "per_channel=True, learn=none, init=three_sigma)"
    )
    assert repr(EVERY[6]()) == (
        "ReverB(3, bits=3, steps=2, leak=0.5, reset=zero, threshold=0.25, alpha=channel, learn=none)"
    )
    assert "surrogate=rectified, rectify=0, rounding=half_even, threshold=1)" in repr(EVERY[10]())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.PIT(3, per_channel=1), r"^PIT per_channel must be True or False, not 1$"),
        (lambda: nn.PIT(3, learn="all"), r"^PIT learn must be one of 'scale', 'factor', 'none', not 'all'$"),
        (
            lambda: nn.PIT(3, init="max"),
            r"^PIT init must be one of 'three_sigma', 'min_max', or .*, not 'max'$",
        ),
        (lambda: nn.PIT(3, init=0), r"^PIT init must be .* a finite number above 0, not 0$"),
        (lambda: nn.PIT(3, init=None), r"^PIT init must be .* a finite number above 0, not None$"),
        (lambda: nn.PIT(3, input_decay="no"), r"^PIT input_decay must be True or False, not 'no'$"),
        (
            lambda: nn.LIF(3, surrogate="sigmoid"),
            r"^LIF surrogate must be one of 'rectified', 'box', 'arctan', 'relsg_et', not 'sigmoid'$",
        ),
        (lambda: nn.ILIF(3, surrogate="clip"), r"^ILIF surrogate must be one of .*, not 'clip'$"),
        (lambda: nn.ILIF(3, reset="scale"), r"^ILIF reset must be one of .*, not 'scale'$"),
        (lambda: nn.ILIF(3, threshold=0), r"^ILIF threshold must be a finite number above 0, not 0$"),
        (lambda: nn.QBLIF(3, 256), r"^QBLIF levels \(D\) must be an integer from 1 to 255, not 256$"),
        (
            lambda: nn.QBLIF(3, reset_factor=1.5),
            r"^QBLIF reset_factor \(alpha\) must be a number from 0 to 1, not 1\.5$",
        ),
        (lambda: nn.QBLIF(3, learn="factor"), r"^QBLIF learn must be one of 'scale', 'none', not 'factor'$"),
        (lambda: nn.QBLIF(3, per_channel=0), r"^QBLIF per_channel must be True or False, not 0$"),
        (lambda: nn.QBLIF(3, init=float("inf")), r"^QBLIF init must be .*, not inf$"),
        (lambda: nn.ReverB(3, 0), r"^ReverB bits must be an integer from 1 to 8, not 0$"),
        (lambda: nn.ReverB(3, 9), r"^ReverB bits must be an integer from 1 to 8, not 9$"),
        (
            lambda: nn.ReverB(3, threshold=float("nan")),
            r"^ReverB threshold \(V_th\) must be a finite number, not nan$",
        ),
        (
            lambda: nn.ReverB(3, alpha="output"),
            r"^ReverB alpha must be one of 'none', 'layer', 'channel', not 'output'$",
        ),
        (lambda: nn.ReverB(3, learn=True), r"^ReverB learn must be one of 'scale', 'none', not True$"),
    ],
)
def test_bad_options_are_named(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), -1000.0])
def test_values_that_are_not_positive_are_refused(raw: float) -> None:
    cases = [
        (nn.QBLIF(3, steps=2), "log_scale", "QBLIF scale gamma"),
        (nn.ReverB(3, steps=2), "log_step", "ReverB lsb"),
        (nn.ReverB(3, steps=2, alpha="layer"), "log_alpha", "ReverB alpha"),
        (nn.ReverB(3, None, steps=2, alpha="layer"), "log_alpha", "ReverB alpha"),
    ]
    for neuron, name, subject in cases:
        with torch.no_grad():
            getattr(neuron, name).fill_(raw)
        with pytest.raises(
            ModelError, match=rf"^{subject} must be finite and above 0, not \S+ \(step 0, cha"
        ):
            neuron.eval()(batch())
