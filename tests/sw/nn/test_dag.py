"""Graphs of layers: order, names, memory, and what cannot be one."""

import weakref

import pytest
import torch

from spikefold import nn
from spikefold.errors import ModelError


def node(name: str, *inputs: str, module: torch.nn.Module | None = None) -> nn.Node:
    kind = "add" if len(inputs) > 1 else "dense"
    return nn.Node(name, kind, module or (nn.Add() if kind == "add" else nn.Dense(3, 3)), inputs)


def diamond() -> nn.Graph:
    return nn.Graph([node("a"), node("b.left", "a"), node("b.right", "a"), node("sum", "b.left", "b.right")])


def test_layers_run_in_order_and_keep_their_names() -> None:
    model = diamond()
    x = torch.rand(1, 2, 3, generator=torch.Generator().manual_seed(0))
    a = model.a(x)
    assert torch.equal(model(x), model.b.left(a) + model.b.right(a))
    names = [f"{name}.{tensor}" for name in ("a", "b.left", "b.right") for tensor in ("weight", "bias")]
    assert list(model.state_dict()) == names
    assert [(item.name, item.inputs) for item in nn.graph(model)] == [
        ("a", ()),
        ("b.left", ("a",)),
        ("b.right", ("a",)),
        ("sum", ("b.left", "b.right")),
    ]


def test_a_layer_can_be_replaced() -> None:
    model = diamond()
    model.b.left = nn.Dense(3, 3, bias=False)
    x = torch.rand(1, 2, 3, generator=torch.Generator().manual_seed(0))
    a = model.a(x)
    assert torch.equal(model(x), a @ model.b.left.weight.T + model.b.right(a))


def test_several_layers_may_read_the_input_and_one_layer_twice() -> None:
    model = nn.Graph([node("a"), node("b"), node("sum", "a", "b"), node("twice", "sum", "sum")])
    x = torch.rand(1, 2, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(x), 2 * (model.a(x) + model.b(x)))


def test_values_are_freed_when_their_last_reader_has_run() -> None:
    """A long chain whose first value a shortcut keeps: never more than three values are alive at once."""
    nodes = [node("first")]
    for i in range(6):
        nodes.append(node(f"layer{i}", nodes[-1].name))
    nodes += [node("sum", nodes[-1].name, "first"), node("last", "sum")]
    model = nn.Graph(nodes)
    values: dict[str, weakref.ref] = {}
    alive: dict[str, set[str]] = {}

    def watch(name: str) -> None:
        def before(module: torch.nn.Module, inputs: tuple) -> None:
            alive[name] = {key for key, value in values.items() if value() is not None}

        def after(module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> None:
            values[name] = weakref.ref(output)

        model.get_submodule(name).register_forward_pre_hook(before)
        model.get_submodule(name).register_forward_hook(after)

    for item in nodes:
        watch(item.name)
    with torch.no_grad():
        model(torch.ones(1, 2, 3))
    assert alive["first"] == set()
    for i in range(1, 6):
        assert alive[f"layer{i}"] == {"first", f"layer{i - 1}"}
    assert alive["sum"] == {"first", "layer5"}
    assert alive["last"] == {"sum"}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([], r"^Model must hold at least one layer, not none$"),
        ([node("a", "b"), node("b", "a")], r"^Layer 'a' must read layers that come before it, not 'b'$"),
        ([node("a"), node("a", "a")], r"^Layer names must be unique, but 'a' occurs twice$"),
        ([node("a"), node("b")], r"^Layer 'a' must be read by a layer after it, but is read by none$"),
        (
            [node("a"), nn.Node("b", "dense", nn.Dense(3, 3), ("a", "a"))],
            r"^Layer 'b' \(dense\) must read one layer, or none and the model's input, not \['a', 'a'\]$",
        ),
        ([nn.Node("a", "add", nn.Add(), ())], r"^Layer 'a' \(add\) must read at least 2 layers, not \[\]$"),
        ([nn.Node("a", "glue", nn.Add(), ())], r"^Layer 'a' is of unknown kind 'glue'; known: "),
        ([node("a.b"), node("a", "a.b")], r"^Layer name 'a' cannot be used: another layer is in the way$"),
        ([node("a"), node("a.b", "a")], r"^Layer name 'a\.b' cannot be used: another layer is in the way$"),
        ([node("_plan")], r"^Layer name '_plan' cannot be used: attribute '_plan' already exists$"),
    ],
)
def test_what_is_no_graph_is_refused(nodes: list[nn.Node], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        nn.Graph(nodes)
