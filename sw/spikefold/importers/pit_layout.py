"""What a published checkpoint of PIT must hold: names and shapes of all of its tensors."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from spikefold.errors import ImportRefusal

_PREFIX = "module."  # of networks that were trained on several GPUs
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
_COUNT = "num_batches_tracked"
_BLOCK = re.compile(r"layer([1-9]\d{0,2})\.(\d{1,3})\.")
_ACCEPTED = (
    "the state dict of the authors' spiking_resnet18 or spiking_resnet34 with enh_LIFNode: conv1, "
    "layer{stage}.{block} with bn1, relu1, conv1, bn2, relu2, conv2 and shortcut, and bn1, relu1, linear"
)
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """A pre-activation ResNet as its tensors tell.

    Attributes
    ----------
    state
        The tensors by name, without prefix and without counts of batches.
    channels, widths, blocks, features, classes
        Of the input, of each stage, blocks of each stage, inputs and outputs of the last layer.
    steps
        T.
    """

    state: Mapping[str, Tensor]
    channels: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    features: int
    classes: int
    steps: int

    def neurons(self) -> Iterator[tuple[str, int]]:
        """Names of the layers of neurons, in order, with their channels."""
        before = self.widths[0]
        for name, width, _ in self.each_block():
            yield f"{name}.relu1", before
            yield f"{name}.relu2", width
            before = width
        yield "relu1", before

    def each_block(self) -> Iterator[tuple[str, int, int]]:
        """Name, width and stride of every block."""
        for stage, (width, count) in enumerate(zip(self.widths, self.blocks, strict=True), start=1):
            for block in range(count):
                yield f"layer{stage}.{block}", width, 2 if stage > 1 and block == 0 else 1


def layout(state: Mapping[str, Tensor]) -> Layout:
    """Read the network from its tensors.

    Raises
    ------
    ImportRefusal
        If a tensor is missing, unknown, or of another shape than the others ask for; it is named.
    """
    if all(name.startswith(_PREFIX) for name in state):
        state = {name.removeprefix(_PREFIX): value for name, value in state.items()}
    state = {name: value for name, value in state.items() if not name.endswith(_COUNT)}
    stem, head = _shape(state, "conv1.weight", 4), _shape(state, "linear.weight", 2)
    blocks = _blocks(state)
    widths = tuple(_shape(state, f"layer{stage}.0.conv1.weight", 4)[0] for stage in range(1, len(blocks) + 1))
    steps = sum(re.fullmatch(r"relu1\.alpha\.\d+", name) is not None for name in state)
    found = Layout(state, stem[1], widths, blocks, head[1], head[0], max(1, steps))
    _check(found, dict(_expected(found)))
    return found


def _shape(state: Mapping[str, Tensor], name: str, axes: int) -> Shape:
    if name not in state:
        raise ImportRefusal(name.rpartition(".")[0], f"the checkpoint has no tensor {name!r}", _ACCEPTED)
    shape = tuple(state[name].shape)
    if len(shape) != axes or min(shape) < 1:
        raise ImportRefusal(name.rpartition(".")[0], f"its {name!r} has shape {list(shape)}", _ACCEPTED)
    return shape


def _blocks(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """How many blocks each stage has."""
    last: dict[int, int] = {}
    for name in state:
        if match := _BLOCK.match(name):
            stage, block = int(match[1]), int(match[2])
            last[stage] = max(last.get(stage, 0), block + 1)
    if not last:
        raise ImportRefusal("layer1", "the checkpoint has no blocks 'layer1.0...'", _ACCEPTED)
    return tuple(last.get(stage, 1) for stage in range(1, max(last) + 1))


def _expected(found: Layout) -> Iterator[tuple[str, Shape]]:
    """Every tensor that the network has, and its shape."""
    yield "conv1.weight", (found.widths[0], found.channels, 3, 3)
    before = found.widths[0]
    for name, width, stride in found.each_block():
        yield from _norm(f"{name}.bn1", before)
        yield from _conv(f"{name}.conv1", width, before, 3)
        yield from _norm(f"{name}.bn2", width)
        yield from _conv(f"{name}.conv2", width, width, 3)
        if stride != 1 or before != width:
            yield from _conv(f"{name}.shortcut", width, before, 1)
        before = width
    yield from _norm("bn1", before)
    for name, channels in found.neurons():
        for t in range(found.steps):
            yield f"{name}.alpha.{t}", (channels,)
            yield f"{name}.p.{t}", ()
    yield "linear.weight", (found.classes, found.features)
    yield "linear.bias", (found.classes,)


def _norm(name: str, channels: int) -> Iterator[tuple[str, Shape]]:
    return ((f"{name}.{one}", (channels,)) for one in _STATISTICS)


def _conv(name: str, channels: int, before: int, kernel: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (channels, before, kernel, kernel)
    yield f"{name}.bias", (channels,)


def _check(found: Layout, expected: Mapping[str, Shape]) -> None:
    for name, shape in expected.items():
        layer = name.rpartition(".")[0]
        if name not in found.state:
            raise ImportRefusal(layer, f"the checkpoint has no tensor {name!r}", _ACCEPTED)
        got = tuple(found.state[name].shape)
        if got != shape:
            raise ImportRefusal(
                layer, f"its {name!r} has shape {list(got)}", f"{list(shape)}, as the other tensors ask for"
            )
    unknown = found.state.keys() - expected.keys()
    if unknown:
        name = min(unknown)
        raise ImportRefusal(name.rpartition(".")[0], f"the tensor {name!r} is unknown", _ACCEPTED)
