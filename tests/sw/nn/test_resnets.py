"""Residual networks: evaluated a second time with plain functions, and their parameters counted."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.nn import models


class Plain:
    """A model's layers by name, computed on [T, B, C, H, W] without spikefold's classes."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.tensors = model.state_dict()
        self.levels = 4

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.tensors[f"{name}.weight"]
        padding = 1 if weight.shape[-1] == 3 else 0
        bias = self.tensors.get(f"{name}.bias")
        return torch.stack([functional.conv2d(step, weight, bias, stride, padding) for step in x])

    def norm(self, name: str, x: Tensor) -> Tensor:
        mean, var, gain, bias = (
            self.tensors[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return torch.stack([functional.batch_norm(step, mean, var, gain, bias) for step in x])

    def fire(self, name: str, x: Tensor) -> Tensor:
        """The neuron with leak 1/2 and reset by subtraction (PIT Eq. 9-11)."""
        scales = self.tensors[f"{name}.log_scale"].exp()
        v, out = torch.zeros_like(x[0]), []
        for current, scale in zip(x, scales, strict=True):
            u, a = v / 2 + current, scale.reshape(-1, *[1] * (x.dim() - 3))
            out.append(a * torch.floor(u / a + 0.5).clamp(0, self.levels))
            v = u - out[-1]
        return torch.stack(out)

    def dense(self, name: str, x: Tensor) -> Tensor:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]


def trained(model: nn.Sequential, shape: tuple[int, ...]) -> nn.Sequential:
    """Let ``model`` see a batch, so that scales and statistics are no constructor's; then double, eval.

    The scales are made smaller than the 3-sigma rule has them, so that all levels occur.
    """
    generator = torch.Generator().manual_seed(1)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
            norm.weight.copy_(torch.rand(norm.weight.shape, generator=generator) * 2 - 0.5)
            norm.bias.copy_(torch.rand(norm.bias.shape, generator=generator))
    model.double()(torch.rand(8, *shape, generator=generator, dtype=torch.float64))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("log_scale"):
                parameter -= 1
    return model.eval()


@pytest.fixture
def x() -> Tensor:
    """Pixels that are levels, so that the encoding changes nothing."""
    return torch.randint(0, 17, (5, 2, 9, 8), generator=torch.Generator().manual_seed(0)).double() / 16


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_preact_resnet_is_what_its_docstring_says(x: Tensor) -> None:
    model = trained(models.preact_resnet((2, 9, 8), 3, (1, 2), (4, 6), steps=2), (2, 9, 8))
    p = Plain(model)
    y = p.conv("stem", torch.stack([x, x]))
    for name, stride in (("stage1.block1", 1), ("stage2.block1", 2), ("stage2.block2", 1)):
        spikes = p.fire(f"{name}.neuron1", p.norm(f"{name}.norm1", y))
        y = p.conv(f"{name}.conv1", spikes, stride)
        y = p.conv(f"{name}.conv2", p.fire(f"{name}.neuron2", p.norm(f"{name}.norm2", y)))
        y = y + (p.conv(f"{name}.shortcut", spikes, stride) if stride == 2 else spikes)
    y = p.fire("neuron", p.norm("norm", y)).mean((3, 4))
    torch.testing.assert_close(model(x), p.dense("dense", y).mean(0))
    assert float(model(x).detach().std(0).min()) > 1e-3


def test_resnet19_is_what_its_docstring_says(x: Tensor) -> None:
    model = trained(models.resnet19((2, 9, 8), 3, width=3, steps=2), (2, 9, 8))
    p = Plain(model)
    y = p.fire("neuron", p.norm("norm", p.conv("stem", torch.stack([x, x]))))
    for stage, count in ((1, 3), (2, 3), (3, 2)):
        for block in range(1, count + 1):
            name, stride = f"stage{stage}.block{block}", 2 if stage > 1 and block == 1 else 1
            z = p.fire(f"{name}.neuron1", p.norm(f"{name}.norm1", p.conv(f"{name}.conv1", y, stride)))
            z = p.norm(f"{name}.norm2", p.conv(f"{name}.conv2", z))
            short = f"{name}.shortcut"
            z = z + (p.norm(f"{short}.norm", p.conv(f"{short}.conv", y, 2)) if stride == 2 else y)
            y = p.fire(f"{name}.neuron2", z)
    y = p.fire("neuron1", p.dense("dense1", y.mean((3, 4))))
    torch.testing.assert_close(model(x), p.dense("dense", y).mean(0))
    assert float(model(x).detach().std(0).min()) > 1e-3


@pytest.mark.parametrize("stem", ["small", "large"])
@pytest.mark.parametrize("tie", [True, False])
def test_sew_resnet_is_what_its_docstring_says(x: Tensor, stem: str, tie: bool) -> None:
    model = models.sew_resnet((2, 9, 8), 3, (2, 1), (4, 6), steps=2, tie=tie, stem=stem)
    p = Plain(trained(model, (2, 9, 8)))
    if stem == "small":
        y = p.conv("stem", torch.stack([x, x]))
    else:
        y = functional.conv2d(x, p.tensors["stem.weight"], stride=2, padding=3).expand(2, -1, -1, -1, -1)
    y = p.fire("neuron", p.norm("norm", y))
    if stem == "large":
        y = torch.stack([functional.max_pool2d(step, 3, 2, 1) for step in y])
    for name, stride in (("stage1.block1", 1), ("stage1.block2", 1), ("stage2.block1", 2)):
        z = p.fire(f"{name}.neuron1", p.norm(f"{name}.norm1", p.conv(f"{name}.conv1", y, stride)))
        z = p.fire(f"{name}.neuron2", p.norm(f"{name}.norm2", p.conv(f"{name}.conv2", z)))
        short = f"{name}.shortcut"
        if stride == 2:
            y = p.fire(f"{short}.neuron", p.norm(f"{short}.norm", p.conv(f"{short}.conv", y, 2)))
        y = z + y
    torch.testing.assert_close(model(x), p.dense("dense", y.mean((3, 4))).mean(0))
    assert float(model(x).detach().std(0).min()) > 1e-3


@pytest.mark.parametrize("tie", [True, False])
def test_every_sum_of_a_tied_sew_resnet_is_integer_levels_in_one_scale(tie: bool, x: Tensor) -> None:
    """With D = 1, so that a sum above 1 shows that more than one neuron is in it."""
    model = models.sew_resnet((2, 9, 8), 3, (2, 2), (4, 6), steps=2, tie=tie, levels=1)
    trained(model, (2, 9, 8))
    whole = []
    for path, neuron in (("stage1.block2", "neuron"), ("stage2.block2", "stage2.block1.shortcut.neuron")):
        sums: list[Tensor] = []
        model.get_submodule(path).register_forward_hook(
            lambda module, i, output, sums=sums: sums.append(output)
        )
        model(x)
        levels = sums[0] / model.get_submodule(neuron).scale[:, None, :, None, None]
        whole.append(
            bool(((levels - levels.round()).abs() < 1e-9).all()) and float(levels.max().detach()) > 1.5
        )
    assert all(whole) == tie


def test_neurons_that_cannot_differ_are_not_tied() -> None:
    model = models.sew_resnet((2, 8, 8), 3, (1, 1), (4, 6), neuron="ilif")
    assert not any(isinstance(module, nn.PIT) for module in model.modules())


@pytest.mark.parametrize("neuron", ["qblif", "reverb"])
def test_neurons_that_learn_scales_of_their_own_cannot_be_tied(neuron: str) -> None:
    message = (
        rf"^Tie must be False with the neuron '{neuron}', whose scales differ from layer to layer, not True; "
    )
    with pytest.raises(ModelError, match=message):
        models.sew_resnet((2, 8, 8), 3, (1,), (4,), neuron=neuron)
    first_batch = {"learn": "none"} | ({"init": "min_max"} if neuron == "qblif" else {})
    with pytest.raises(ModelError, match=message):
        models.sew_resnet((2, 8, 8), 3, (1,), (4,), neuron=neuron, neuron_options=first_batch)
    model = models.sew_resnet((2, 8, 8), 3, (1,), (4,), neuron=neuron, tie=False)
    assert model(torch.rand(2, 2, 8, 8)).shape == (2, 3)


def test_equal_constant_scales_need_no_tie() -> None:
    model = models.sew_resnet(
        (2, 8, 8), 3, (1,), (4,), neuron="qblif", neuron_options={"learn": "none", "init": 0.5}
    )
    model(torch.rand(2, 2, 8, 8))
    assert {float(m.scale.max()) for m in model.modules() if isinstance(m, nn.QBLIF)} == {0.5}


def test_a_binary_dense_layer_of_resnet19_has_a_batch_norm(x: Tensor) -> None:
    kinds = {"real": {}, "binary": {"binary": "plain"}}
    names = {
        key: [node.name for node in nn.graph(models.resnet19((2, 9, 8), 3, width=3, **options))][-5:]
        for key, options in kinds.items()
    }
    assert names["real"] == ["flatten", "dense1", "neuron1", "dense", "readout"]
    assert names["binary"] == ["dense1", "norm1", "neuron1", "dense", "readout"]
    assert models.resnet19((2, 9, 8), 3, width=3, binary="plain").dense1.bias is None


def test_a_binary_resnet_is_the_real_one_with_signs_for_weights(x: Tensor) -> None:
    options = {"in_shape": (2, 9, 8), "classes": 3, "width": 2, "steps": 2}
    binary = trained(models.resnet20(**options, binary="plain"), (2, 9, 8))
    real = models.resnet20(**options).double().eval()
    tensors = {
        key: torch.where(value >= 0, 1.0, -1.0).double() if ".conv" in key else value
        for key, value in binary.state_dict().items()
    }
    real.load_state_dict(tensors)
    torch.testing.assert_close(real(x), binary(x))
    assert float(binary(x).detach().std(0).min()) > 1e-3


def count(model: torch.nn.Module) -> int:
    """Parameters without the neurons' scales, which the papers' counts leave out or round away."""
    names = dict(model.named_parameters())
    return sum(parameter.numel() for name, parameter in names.items() if not name.endswith("log_scale"))


def blocks(before: int, widths: tuple[int, ...], counts: tuple[int, ...]) -> int:
    """Weights of the 3x3 convolutions and of the 1x1 shortcuts of all stages."""
    total = 0
    for channels, number in zip(widths, counts, strict=True):
        total += 9 * channels * (before + (2 * number - 1) * channels)
        total += before * channels if before != channels or total == 0 else 0
        before = channels
    return total


WIDTHS = (64, 128, 256, 512)


def test_preact_resnet18_has_the_parameters_of_the_paper() -> None:
    got = count(models.preact_resnet18((3, 32, 32), 10))
    biases = 4 * sum(WIDTHS) + sum(WIDTHS[1:])
    norms = (
        2 * sum(before + 3 * width for before, width in zip((64, *WIDTHS), WIDTHS, strict=False)) + 2 * 512
    )
    assert got == 27 * 64 + blocks(64, WIDTHS, (2, 2, 2, 2)) + biases + norms + 512 * 10 + 10
    assert round(got / 1e6, 2) == 11.18


def test_resnet19_has_the_parameters_of_the_papers() -> None:
    got = count(models.resnet19((3, 32, 32), 10))
    norms = 2 * (128 * 7 + 256 * 7 + 512 * 5)
    convolutions = 27 * 128 + blocks(128, (128, 256, 512), (3, 3, 2))
    assert got == convolutions + norms + 512 * 256 + 256 + 256 * 10 + 10
    assert round(got / 1e6, 2) == 12.70


def test_resnet20_has_the_parameters_of_its_paper() -> None:
    got = count(models.resnet20((3, 32, 32), 10))
    norms = 2 * (16 * 7 + 32 * 7 + 64 * 7)
    assert got == 27 * 16 + blocks(16, (16, 32, 64), (3, 3, 3)) + norms + 64 * 10 + 10
    assert round(got / 1e6, 2) == 0.27


@pytest.mark.parametrize(
    ("build", "counts", "millions"),
    [(models.sew_resnet18, (2, 2, 2, 2), 11.69), (models.sew_resnet34, (3, 4, 6, 3), 21.80)],
)
def test_sew_resnets_have_the_parameters_of_their_paper(
    build: object, counts: tuple, millions: float
) -> None:
    got = count(build((3, 224, 224), 1000, stem="large"))
    norms = 2 * (64 + sum(2 * n * width for n, width in zip(counts, WIDTHS, strict=True)) + sum(WIDTHS[1:]))
    assert got == 147 * 64 + blocks(64, WIDTHS, counts) + norms + 512 * 1000 + 1000
    assert round(got / 1e6, 2) == millions


def test_vgg11_has_the_parameters_of_its_paper() -> None:
    widths = (3, 64, 128, 256, 256, 512, 512, 512, 512)
    convolutions = sum(9 * a * b for a, b in pairwise(widths))
    got = count(models.vgg11((3, 32, 32), 10))
    assert got == convolutions + 2 * sum(widths[1:]) + 512 * 10 + 10
    assert round(got / 1e6, 2) == 9.23
