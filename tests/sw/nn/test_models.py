"""Ready-made networks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from nn_models import trained_like

from spikefold import nn
from spikefold.errors import ModelError

RNG = np.random.default_rng


@pytest.mark.parametrize("neuron", nn.models.NEURONS)
def test_mlp_trains_and_returns_logits(neuron: str) -> None:
    model = nn.models.mlp((4, 3), [8, 6], 5, neuron=neuron, steps=3, maximum=16.0, dropout=0.1)
    x = torch.rand(7, 4, 3, generator=torch.Generator().manual_seed(0)) * 16
    logits = model(x)
    assert logits.shape == (7, 5)
    logits.square().sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters())
    assert float(model.dense1.weight.grad.abs().sum()) > 0


def test_mlp_input_is_worth_zero_to_one() -> None:
    layer = nn.models.mlp(3, [4], 2, minimum=-4.0, maximum=12.0, input_levels=16).input
    assert layer(torch.tensor([[-4.0, 12.0, 4.0]]))[0].tolist() == [[0.0, 1.0, 0.5]]


def test_mlp_refuses_unknown_neurons_and_levels_of_lif() -> None:
    known = "'pit', 'ilif', 'lif', 'qblif', 'reverb'"
    with pytest.raises(ModelError, match=rf"^Neuron must be one of {known}, not 'relu'$"):
        nn.models.mlp(3, [4], 2, neuron="relu")
    with pytest.raises(
        ModelError, match=r"^LIF levels \(D\) must be 1, not 4; use 'ilif' or 'pit' for more$"
    ):
        nn.models.mlp(3, [4], 2, neuron="lif", levels=4)


@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 7, 9), (1, 1, 1)])
def test_cnn_with_strides_halves_the_map_at_every_convolution(shape: tuple[int, int, int]) -> None:
    model = nn.models.cnn(shape, 5, channels=(3, 4), pool="stride")
    sizes = []
    for layer in (model.neuron1, model.neuron2):
        layer.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[3:])))
    assert model(torch.rand(2, *shape)).shape == (2, 5)
    once = tuple(-(-length // 2) for length in shape[1:])
    assert sizes == [once, tuple(-(-length // 2) for length in once)]
    assert not any(isinstance(layer, nn.MaxPool2d | nn.AvgPool2d) for layer in model)


IMAGES = {
    "lenet": (nn.models.lenet, {"width": 3}, (2, 17, 16)),
    "lenet with max pools, without batch norm": (
        nn.models.lenet,
        {"width": 3, "pool": "max", "norm": False},
        (2, 17, 16),
    ),
    "vgg11": (nn.models.vgg11, {"width": 2}, (2, 32, 33)),
    "vgg11 with average pools": (
        nn.models.vgg11,
        {"width": 2, "pool": "avg", "head": "flatten"},
        (2, 64, 32),
    ),
    "preact_resnet": (nn.models.preact_resnet, {"blocks": (1, 2), "widths": (3, 5)}, (2, 7, 6)),
    "preact_resnet18": (nn.models.preact_resnet18, {"width": 2}, (2, 8, 8)),
    "preact_resnet34": (nn.models.preact_resnet34, {"width": 2}, (2, 8, 8)),
    "resnet19": (nn.models.resnet19, {"width": 2}, (2, 8, 8)),
    "resnet20": (nn.models.resnet20, {"width": 2}, (2, 8, 8)),
    "sew_resnet18": (nn.models.sew_resnet18, {"width": 2}, (2, 8, 8)),
    "sew_resnet34": (nn.models.sew_resnet34, {"width": 2}, (2, 8, 8)),
    "sew_resnet with the large stem": (nn.models.sew_resnet, {"blocks": (1,), "stem": "large"}, (2, 16, 16)),
}


@pytest.mark.parametrize("case", IMAGES)
@pytest.mark.parametrize("neuron", ["pit", "lif", "reverb"])
def test_image_networks_train_and_are_graphs(case: str, neuron: str) -> None:
    build, options, shape = IMAGES[case]
    options = options | ({"tie": False} if neuron == "reverb" and case.startswith("sew") else {})
    torch.manual_seed(0)
    model = build(shape, 5, neuron=neuron, steps=2, dropout=0.1, mean=[0.4, 0.5], std=0.25, **options)
    x = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
    logits = model(x)
    assert logits.shape == (4, 5)
    logits.square().sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters())
    nodes = nn.graph(model)
    first = next(node.module for node in nodes if node.kind == "conv")
    assert float(first.weight.grad.abs().sum()) > 0
    assert nodes[0].kind == "input"
    assert [node.kind for node in nodes[-3:]] == ["dropout", "dense", "readout"]
    leaves = {name for name, module in model.named_modules() if not list(module.children())}
    assert {node.name for node in nodes} == leaves
    model.eval()
    assert torch.equal(nn.Graph(nodes)(x), model(x))


def test_defaults_are_those_of_the_papers() -> None:
    neuron = nn.models.preact_resnet((1, 4, 4), 2, (1,), width=2).neuron
    assert (type(neuron), neuron.levels, neuron.steps, neuron.leak) == (nn.PIT, 4, 1, 0.5)
    assert nn.models.lenet((1, 16, 16), 2, neuron="lif").neuron1.levels == 1
    layer = nn.models.lenet((1, 16, 16), 2, minimum=-1.0, maximum=3.0).input
    assert (float(layer.shift), float(layer.scale) * layer.levels) == (0.0, 1.0)


def test_neurons_have_the_defaults_of_their_classes_and_take_options() -> None:
    def neuron(name: str, **options: object) -> nn.SpikingNeuron:
        return nn.models.mlp(3, [4], 2, neuron=name, **options).neuron1

    assert [neuron(name).levels for name in nn.models.NEURONS] == [4, 4, 1, 20, 15]
    assert [neuron(name).leak for name in nn.models.NEURONS] == [0.5, 0.5, 0.5, 0.5, 0.25]
    assert neuron("reverb", leak=0.75).leak == 0.75
    assert neuron("qblif", levels=3).levels == 3
    assert neuron("lif", levels=1).levels == 1
    reverb = neuron("reverb", neuron_options={"bits": 2, "threshold": 0.5, "learn": "none"})
    assert (reverb.levels, reverb.fire_floor, reverb.learn) == (3, 0.5, "none")
    assert neuron("pit", neuron_options={"per_step": False}, steps=3).log_scale.shape == (1, 4)


@pytest.mark.parametrize(
    ("neuron", "options"),
    [
        ("pit", {"learn": "factor", "init": 0.5, "per_channel": False, "reset": "zero", "input_decay": True}),
        ("ilif", {"threshold": 0.75, "surrogate": "arctan"}),
        ("lif", {"threshold": 0.75, "reset": "none"}),
        ("qblif", {"reset_factor": 0.25, "init": "min_max", "per_channel": True}),
        ("reverb", {"bits": 2, "threshold": -0.5}),
        ("reverb", {"bits": None, "alpha": "layer"}),
    ],
)
@pytest.mark.parametrize("binary", ["plain", "learnable"])
def test_options_survive_a_file(neuron: str, options: dict, binary: str, tmp_path: Path) -> None:
    model = nn.models.mlp(
        3, [4, 5], 2, neuron=neuron, steps=2, leak=0.125, neuron_options=options, binary=binary
    )
    trained_like(model)
    nn.save(model, tmp_path / "m")
    loaded = nn.load(tmp_path / "m")
    assert str(loaded) == str(model)
    for key, value in options.items():
        name = {"reset": "reset_mode", "alpha": "alpha_mode"}.get(key, key)
        if key == "threshold":
            name = "fire_floor" if neuron == "reverb" else "firing_threshold"
        assert getattr(loaded.neuron2, name) == value
    x = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(x), model(x))


def weights(model: torch.nn.Module) -> list[torch.nn.Module]:
    return [node.module for node in nn.graph(model) if node.kind.endswith(("conv", "dense"))]


MLP = {"mlp": (nn.models.mlp, {"hidden": [6, 5, 4]}, (2, 3))}


@pytest.mark.parametrize("case", IMAGES | MLP)
@pytest.mark.parametrize("neuron", ["pit", "reverb"])
@pytest.mark.parametrize("binary", ["none", "plain", "learnable", None])
def test_all_weights_but_the_first_and_the_last_are_binary(
    case: str, neuron: str, binary: str | None, tmp_path: Path
) -> None:
    build, options, shape = (IMAGES | MLP)[case]
    options = options | ({"tie": False} if neuron == "reverb" and case.startswith("sew") else {})
    model = build(shape, classes=3, neuron=neuron, binary=binary, **options)
    binary = binary or ("plain" if neuron == "reverb" else "none")
    layers = weights(model)
    kinds = (nn.BinaryDense, nn.BinaryConv2d)
    assert [isinstance(layer, kinds) for layer in layers] == [
        binary != "none" and layer not in (layers[0], layers[-1]) for layer in layers
    ]
    alphas = {layer.alpha_mode for layer in layers if isinstance(layer, kinds)}
    modes = {module.alpha_mode for module in model.modules() if isinstance(module, nn.ReverB)}
    expected = {
        ("pit", "none"): (set(), set()),
        ("pit", "plain"): ({"none"}, set()),
        ("pit", "learnable"): ({"output"}, set()),
        ("reverb", "none"): (set(), {"none"}),
        ("reverb", "plain"): ({"none"}, {"none"}),
        ("reverb", "learnable"): ({"none"}, {"channel"}),
    }
    assert (alphas, modes) == expected[neuron, binary]
    x = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
    model(x).square().sum().backward()
    assert all(float(layer.weight.grad.abs().sum()) > 0 for layer in layers)
    nn.save(model, tmp_path / "m")
    assert torch.equal(nn.load(tmp_path / "m")(x), model.eval()(x))


def test_an_option_given_is_stronger_than_what_learnable_weights_choose() -> None:
    options = {"neuron": "reverb", "binary": "learnable", "neuron_options": {"alpha": "layer"}}
    assert nn.models.mlp(3, [4], 2, **options).neuron1.alpha_mode == "layer"


@pytest.mark.parametrize("kernel", [3, 7])
def test_padding_goes_to_the_input_only_where_level_0_is_not_worth_0(kernel: int) -> None:
    def build(**options: object) -> nn.Sequential:
        return nn.models.sew_resnet(
            (2, 8, 8), 3, (1,), (4,), stem="small" if kernel == 3 else "large", **options
        )

    pad = (kernel // 2, kernel // 2)
    for options in ({}, {"std": 2.0}, {"minimum": 2.0, "maximum": 3.0}, {"mean": 0.0}):
        model = build(**options)
        assert (model.input.pad, model.stem.padding) == ((0, 0), pad)
    for options in ({"mean": [0.0, 0.5]}, {"minimum": -1.0, "mean": 0.0}):
        model = build(**options)
        assert (model.input.pad, model.stem.padding) == (pad, (0, 0))
        assert model(torch.rand(2, 2, 8, 8)).shape == (2, 3)


def test_an_image_per_step() -> None:
    model = nn.models.lenet((2, 16, 16), 3, width=2, steps=4, static=False)
    assert model(torch.rand(4, 5, 2, 16, 16)).shape == (5, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.models.lenet((1, 16, 15), 3),
            r"^Input of lenet must be large enough for 2x2 windows in 'pool2', but only 2x1 positions are ",
        ),
        (
            lambda: nn.models.lenet((1, 4, 30), 3),
            r"^Input of lenet must be large enough for 5x5 windows in 'conv1', but only 4x30 positions are ",
        ),
        (
            lambda: nn.models.vgg11((3, 32, 31), 3),
            r"^Input of vgg11 must be large enough for 2x2 windows in 'pool5', but only 2x1 positions are ",
        ),
        (
            lambda: nn.models.vgg11((3, 32, 32), 3, head="cls"),
            r"^Head must be one of 'global', 'flatten', not ",
        ),
        (
            lambda: nn.models.vgg11((3, 32, 32), 3, pool="min"),
            r"^Pool must be one of 'avg', 'max', not 'min'$",
        ),
        (
            lambda: nn.models.vgg11((3, 32, 32), 3, width=0),
            r"^Width must be an integer of at least 1, not 0$",
        ),
        (
            lambda: nn.models.preact_resnet(64, 3),
            r"^Input shape must be \(channels, height, width\), not 64$",
        ),
        (
            lambda: nn.models.resnet20((1, 8), 3),
            r"^Input shape must be \(channels, height, width\), not \(1, 8\)$",
        ),
        (
            lambda: nn.models.preact_resnet((1, 8, 8), 3, (1, 0)),
            r"^Number of blocks must be an integer of at least 1, not 0$",
        ),
        (
            lambda: nn.models.preact_resnet((1, 8, 8), 3, (1, 1), (2,)),
            r"^Stages must be at least one, with a width each, not blocks \(1, 1\) and widths \(2,\)$",
        ),
        (
            lambda: nn.models.sew_resnet((1, 8, 8), 3, ()),
            r"^Stages must be at least one, with a width each, ",
        ),
        (
            lambda: nn.models.sew_resnet((1, 8, 8), 3, stem="tiny"),
            r"^Stem must be one of 'small', 'large', not 'tiny'$",
        ),
        (
            lambda: nn.models.resnet19((1, 8, 8), 3, neuron="if"),
            r"^Neuron must be one of 'pit', 'ilif', 'lif', ",
        ),
        (
            lambda: nn.models.lenet((1, 16, 16), 3, neuron="reverb", neuron_options={"bit": 4}),
            r"^Neuron option 'bit' is unknown for 'reverb'; known: bits, threshold, alpha, learn$",
        ),
        (
            lambda: nn.models.mlp(4, [5], 3, neuron="lif", neuron_options={"levels": 1}),
            r"^Neuron option 'levels' is unknown for 'lif'; known: threshold, reset, input_decay, surrogate$",
        ),
        (
            lambda: nn.models.mlp(4, [5], 3, neuron_options={"channels": 5}),
            r"^Neuron option 'channels' is unknown for 'pit'; known: reset, per_step, ",
        ),
        (
            lambda: nn.models.mlp(4, [5], 3, neuron="reverb", neuron_options={"bits": 9}),
            r"^ReverB bits must be an integer from 1 to 8, not 9$",
        ),
        (
            lambda: nn.models.mlp(4, [5], 3, neuron_options=["reset"]),
            r"^Neuron options must be a mapping, not \['reset'\]$",
        ),
        (
            lambda: nn.models.mlp(4, [5], 3, neuron="reverb", levels=15),
            r"^ReverB levels \(D\) must be None, not 15; give the neuron option 'bits'$",
        ),
        (
            lambda: nn.models.mlp(4, [5], 3, neuron="qblif", rectify=0.1),
            r"^QBLIF rectify must be None, not 0\.1; it has none$",
        ),
        (
            lambda: nn.models.mlp(4, [5], 3, binary="yes"),
            r"^Binary must be one of 'none', 'plain', 'learnable', not 'yes'$",
        ),
    ],
)
def test_bad_parameters_are_named(make: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()
