"""The networks a recipe can name: what they are made of, the keys they take, and what is refused."""

import inspect
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.nn.models import NEURONS, Options
from spikefold.train import Dataset, ModelOptions, Recipe, fake_quantized
from spikefold.train.networks import COMMON, KINDS, build_network

SMALL = {
    "mlp": {"hidden": [5, 4]},
    "cnn": {"channels": [2, 3], "kernel": 5, "pool": "avg", "head": "global"},
    "lenet": {"width": 2, "pool": "max", "norm": False},
    "vgg11": {"width": 2, "pool": "avg", "head": "flatten"},
    "preact_resnet": {"blocks": [1, 2], "widths": [2, 3]},
    "preact_resnet18": {"width": 2},
    "preact_resnet34": {"widths": [2, 2, 2, 2]},
    "resnet19": {"width": 2},
    "resnet20": {"width": 2},
    "sew_resnet": {"blocks": [1], "width": 2, "tie": False, "stem": "large"},
    "sew_resnet18": {"width": 2, "tie": True},
    "sew_resnet34": {"width": 2, "stem": "small"},
}


def dataset(*shape: int, classes: int = 3) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.random((4, *shape), dtype=np.float32) * 6 - 2
    y = np.arange(4) % classes
    return Dataset(x, y, x, y, maximum=4.0, classes=classes, name="made", minimum=-2.0)


def build(data: Dataset, **table: object) -> nn.Sequential:
    options = Recipe.from_dict({"data": {"name": "made"}, "model": table}).model
    return build_network(options.kind, options.keywords(), data)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_built_with_its_own_and_the_common_options(kind: str) -> None:
    data = dataset(2, 32, 32)
    common = {"neuron": "ilif", "levels": 3, "steps": 2, "leak": 0.25, "input_levels": 8, "dropout": 0.1}
    common |= {"neuron_options": {"input_decay": True}, "binary": "plain"}
    model = build(data, kind=kind, **SMALL[kind], **common)
    assert model.train()(torch.from_numpy(data.train_x)).shape == (4, 3)
    neurons = [layer for layer in model.modules() if isinstance(layer, nn.SpikingNeuron)]
    assert neurons
    for neuron in neurons:
        assert (type(neuron), neuron.levels, neuron.steps, neuron.leak) == (nn.ILIF, 3, 2, 0.25)
        assert neuron.input_gain == 0.75
    assert (model.input.levels, model.input.minimum, model.input.maximum) == (8, -2.0, 4.0)
    assert any(isinstance(layer, nn.Dropout) and layer.p == 0.1 for layer in model.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_inner_weights_have_one_bit_where_the_recipe_says(kind: str) -> None:
    model = build(dataset(2, 32, 32), kind=kind, **SMALL[kind], neuron="ilif", binary="plain")
    synapses = [layer for layer in model.modules() if isinstance(layer, nn.Dense | nn.Conv2d)]
    binary = [isinstance(layer, nn.BinaryDense | nn.BinaryConv2d) for layer in synapses]
    assert binary == [False, *[True] * (len(binary) - 2), False]


def test_frames_are_read_one_per_step() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((4, 5, 2, 32, 32), dtype=np.float32), np.arange(4)
    data = Dataset(x, y, x, y, maximum=1.0, classes=4, name="made", steps=5)
    for kind in KINDS:
        model = build(data, kind=kind, **SMALL[kind])
        assert (model.input.static, model.input.steps, model.input.shape) == (False, 5, (2, 32, 32))
        assert model.train()(torch.from_numpy(x).transpose(0, 1)).shape == (4, 4)
    with pytest.raises(
        InputError, match=r"^Recipe model\.steps \(T\) must be 5, one per frame of 'made', not 3"
    ):
        build(data, kind="cnn", steps=3)
    assert build(data, kind="cnn", steps=5).input.steps == 5


def test_own_options_reach_the_network() -> None:
    data = dataset(2, 32, 32)
    table = {kind: build(data, kind=kind, **SMALL[kind]) for kind in ("cnn", "lenet", "vgg11", "sew_resnet")}
    assert [table["cnn"].stem.kernel_size, table["cnn"].conv2.out_channels] == [(5, 5), 3]
    assert isinstance(table["cnn"].pool2, nn.AvgPool2d)
    assert isinstance(table["cnn"].pool, nn.GlobalAvgPool)
    assert isinstance(table["lenet"].pool1, nn.MaxPool2d)
    assert not any(isinstance(layer, nn.BatchNorm) for layer in table["lenet"])
    assert table["vgg11"].dense.in_features == 16
    assert table["sew_resnet"].stem.kernel_size == (7, 7)
    mean = build(data, kind="cnn", **SMALL["cnn"], mean=[1, -2.0], std=2)
    assert mean.input.mean.tolist() == [1.0, -2.0]
    assert mean.input.std.tolist() == 2.0
    assert mean.input.pad == (2, 2)  # level 0 is not worth 0, so the frame is made of levels


def test_the_table_of_kinds_fits_the_builders() -> None:
    """Every key is an argument of its builder or of what the builder passes its keywords on to."""
    general = {"preact_resnet18": "preact_resnet", "preact_resnet34": "preact_resnet"}
    general |= {"sew_resnet18": "sew_resnet", "sew_resnet34": "sew_resnet"}
    for name, kind in KINDS.items():
        known = set(inspect.signature(KINDS[general.get(name, name)].build).parameters) - {"blocks"}
        known |= set(Options.__dataclass_fields__)
        known |= {"blocks"} if name in ("preact_resnet", "sew_resnet") else set()
        assert {*kind.keys, *COMMON} <= known, name


def test_convolutions_need_maps() -> None:
    message = (
        r"^Recipe model\.kind must be 'mlp' for 'made', whose samples have the shape \(64,\), not 'cnn', "
        r"which needs \(channels, height, width\)$"
    )
    with pytest.raises(InputError, match=message):
        build(dataset(64), kind="cnn")
    assert build(dataset(1, 8, 8), kind="mlp", hidden=[2]).dense1.in_features == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": []}, r"^Channels must be a size for at least one convolution, not \(\)$"),
        ({"kernel": 2}, r"^Kernel must be odd, so that maps keep their size, not 2$"),
        ({"kernel": 0}, r"^Kernel must be an integer of at least 1, not 0$"),
        ({"pool": "min"}, r"^Pool must be one of 'avg', 'max', .*not 'min'$"),
        ({"head": "sum"}, r"^Head must be one of 'flatten', 'global', not 'sum'$"),
        ({"channels": [2, 2, 2, 2]}, r"^Input of cnn must be large enough for 2x2 windows in 'pool4', "),
        ({"mean": [1.0, 2.0]}, r"^Input mean must be a number or have shape .*, not \(2,\)$"),
    ],
)  # fmt: skip
def test_a_cnn_names_what_is_wrong(options: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build(dataset(1, 8, 8), kind="cnn", **options)


def test_a_cnn_is_convolution_norm_neuron_pool_and_dense() -> None:
    model = build(dataset(1, 9, 8), kind="cnn", channels=[2, 3], mean=-2.0, std=1.0)
    names = [name for name, _ in model.named_children()]
    assert names == [
        *("input", "stem", "norm1", "neuron1", "pool1"),
        *("conv2", "norm2", "neuron2", "pool2", "flatten", "dense", "readout"),
    ]
    assert model.dense.in_features == 3 * 2 * 2
    assert (model.stem.padding, model.input.pad) == ((1, 1), (0, 0))
    assert model.stem.bias is None


def test_options_of_python_are_checked_like_those_of_a_file() -> None:
    with pytest.raises(
        InputError, match=r"^Recipe key 'model\.hidden' is unknown for the kind 'lenet'; known keys: kind, w"
    ):
        ModelOptions(kind="lenet", hidden=(3,))


@pytest.mark.parametrize("bits", [None, 4])
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("kind", ["mlp", "lenet", "preact_resnet", "sew_resnet"])
def test_every_parameter_gets_a_gradient(kind: str, neuron: str, bits: int | None) -> None:
    """DistributedDataParallel waits for all of them."""
    data = dataset(2, 16, 16)
    model = build(data, kind=kind, **SMALL[kind], neuron=neuron, steps=2, binary="learnable").train()
    x = torch.from_numpy(data.train_x)
    model(x)  # sets scales
    with nullcontext() if bits is None else fake_quantized(model, bits):
        model(x).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
