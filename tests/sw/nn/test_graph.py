"""Models as graphs: chains, custom modules, and everything that must be refused."""

import operator

import pytest
import torch

from spikefold import nn
from spikefold.errors import ModelError


class Custom(torch.nn.Module):
    """A chain of layers as a user would write it, with torch's own layers among them."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Input((4,))
        self.hidden = torch.nn.ModuleList([torch.nn.Linear(4, 6), nn.PIT(6)])
        self.unused = torch.nn.ReLU()
        self.head = torch.nn.Sequential(torch.nn.Dropout(0.1), nn.Dense(6, 2), nn.Readout())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.encode(x)
        for layer in self.hidden:
            x = layer(x)
        return self.head(x)


class Wrong(torch.nn.Module):
    """A few layers and whatever ``forward`` the test gives."""

    def __init__(self, forward: object) -> None:
        super().__init__()
        self.dense = nn.Dense(4, 4)
        self.dense2 = nn.Dense(4, 4)
        self.relu = torch.nn.ReLU()
        self.norm0 = nn.BatchNorm(4)
        self.attention = torch.nn.MultiheadAttention(4, 1)
        self.sum = nn.Add()
        self.add = torch.nn.Parameter(torch.zeros(4))
        self._forward = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._forward(self, x)


def test_sequential_is_a_chain_in_order() -> None:
    nodes = nn.graph(nn.models.mlp(4, [5], 3))
    assert [node.name for node in nodes] == ["input", "dense1", "norm1", "neuron1", "dense2", "readout"]
    assert [node.kind for node in nodes] == ["input", "dense", "batch_norm", "pit", "dense", "readout"]
    assert [node.inputs for node in nodes] == [()] + [(node.name,) for node in nodes[:-1]]


def test_custom_module_is_traced_and_unused_layers_are_left_out() -> None:
    model = Custom()
    nodes = nn.graph(model)
    names = ["encode", "hidden.0", "hidden.1", "head.0", "head.1", "head.2"]
    assert [node.name for node in nodes] == names
    assert [node.kind for node in nodes] == ["input", "dense", "pit", "dropout", "dense", "readout"]
    assert nodes[1].module is model.hidden[0]


def test_dead_calls_are_left_out() -> None:
    model = Wrong(lambda m, x: (m.relu(x), m.dense(x))[1])
    nodes = nn.graph(model)
    assert [node.name for node in nodes] == ["dense"]


class Sums(torch.nn.Module):
    """Adds in every way a user may write it; a module and a container have the names fx would give."""

    def __init__(self) -> None:
        super().__init__()
        self.add = nn.Dense(4, 4)
        self.add_2 = torch.nn.Sequential(nn.Dense(4, 4), nn.PIT(4))
        self.c, self.d, self.e, self.f, self.g = (nn.Dense(4, 4) for _ in range(5))
        self.sum = nn.Add()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.add(x)
        b = self.add_2(a)
        total = a + b
        total = operator.add(self.c(total), total)
        total = torch.add(total, b)
        total = torch.add(total, other=self.d(x), alpha=1)
        other = self.e(total)
        other += total
        total = self.f(other).add(other)
        return self.sum(total, self.g(total), b)


def test_sums_become_nodes() -> None:
    model = Sums()
    nodes = nn.graph(model)
    assert [(node.name, node.inputs) for node in nodes] == [
        ("add", ()),
        ("add_2.0", ("add",)),
        ("add_2.1", ("add_2.0",)),
        ("add_1", ("add", "add_2.1")),
        ("c", ("add_1",)),
        ("add_2_2", ("c", "add_1")),
        ("add_3", ("add_2_2", "add_2.1")),
        ("d", ()),
        ("add_4", ("add_3", "d")),
        ("e", ("add_4",)),
        ("iadd", ("e", "add_4")),
        ("f", ("iadd",)),
        ("add_5", ("f", "iadd")),
        ("g", ("add_5",)),
        ("sum", ("add_5", "g", "add_2.1")),
    ]
    assert all(isinstance(node.module, nn.Add) == (node.kind == "add") for node in nodes)
    x = torch.rand(1, 3, 4, generator=torch.Generator().manual_seed(0))
    model.eval()
    assert torch.equal(nn.Graph(nodes)(x), model(x))


def test_containers_are_looked_through() -> None:
    inner = nn.Residual(nn.Dense(4, 4))
    model = nn.Sequential(nn.Input(4), nn.Residual(nn.Sequential(inner, nn.PIT(4)), nn.Dense(4, 4)))
    assert [(node.name, node.inputs) for node in nn.graph(model)] == [
        ("0", ()),
        ("1.body.0.body", ("0",)),
        ("1.body.0.add", ("1.body.0.body", "0")),
        ("1.body.1", ("1.body.0.add",)),
        ("1.shortcut", ("0",)),
        ("1.add", ("1.body.1", "1.shortcut")),
    ]


def test_a_layer_may_be_added_to_itself() -> None:
    nodes = nn.graph(Wrong(lambda m, x: (lambda y: y + y)(m.dense(x))))
    assert nodes[1].inputs == ("dense", "dense")


def in_place(between: object, after: object) -> Wrong:
    """``y = dense(x); z = between(y); z += dense2(x); return after(y, z)``."""

    def forward(m: Wrong, x: torch.Tensor) -> torch.Tensor:
        y = m.dense(x)
        z = between(m, y)
        z += m.other(x)
        return after(m, y, z)

    model = Wrong(forward)
    model.other, model.drop, model.last = nn.Dense(4, 4), nn.Dropout(0.5), nn.Dense(4, 4)
    return model


def test_adding_in_place_may_change_nothing_that_is_read_again() -> None:
    for model in (
        in_place(lambda m, y: y, lambda m, y, z: z),
        in_place(lambda m, y: m.drop(y), lambda m, y, z: z),
    ):
        model.eval()
        x = torch.rand(1, 3, 4, generator=torch.Generator().manual_seed(0))
        assert torch.equal(nn.Graph(nn.graph(model))(x), model(x))
    message = (
        r"^Operation '\+=' \(node 'iadd'\) changes a tensor that is read elsewhere too; write a = a \+ b$"
    )
    for between in (lambda m, y: y, lambda m, y: m.drop(y)):
        with pytest.raises(ModelError, match=message):
            nn.graph(in_place(between, lambda m, y, z: m.last(y) + z))


def test_windows_and_pools_have_kinds() -> None:
    model = nn.Sequential(
        nn.Input((2, 8, 8), pad=1),
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm(4),
        nn.PIT(4),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 4, 1),
        nn.ILIF(4),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 1),
        nn.LIF(4),
        nn.GlobalAvgPool(),
        nn.Flatten(),
        nn.Dense(4, 3),
        nn.Readout(),
    )
    kinds = (
        "input conv batch_norm pit avg_pool conv ilif max_pool conv lif global_avg_pool flatten dense readout"
    )
    assert [node.kind for node in nn.graph(model)] == kinds.split()
    assert model(torch.zeros(2, 2, 8, 8)).shape == (2, 3)


class Halved(nn.Dense):
    """A subclass that computes something else than a dense layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) / 2


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.Dense(4, 4), torch.nn.ReLU()),
            r"^Layer '1' is a ReLU, which is not supported; use a neuron: ",
        ),
        (nn.Sequential(Halved(4, 4)), r"^Layer '0' is a Halved, which is not supported; "),
        (
            Wrong(lambda m, x: m.dense(x) * 2),
            r"^Operation 'mul' \(node 'mul'\) is not supported in a model; ",
        ),
        (
            Wrong(lambda m, x: m.dense(x).relu()),
            r"^Operation 'relu' \(node 'relu'\) is not supported in a model; ",
        ),
        (
            Wrong(lambda m, x: m.dense(x) + 1),
            r"^Layer 'add' \(add\) must add outputs of layers, not 1$",
        ),
        (
            Wrong(lambda m, x: m.dense(x) + x),
            r"^Layer 'add' \(add\) must add outputs of layers, not the model's input$",
        ),
        (
            Wrong(lambda m, x: m.dense(x) + m.dense.bias),
            r"^Operation 'dense\.bias' \(node 'dense_bias'\) is not supported in a model; ",
        ),
        (
            Wrong(lambda m, x: m.add + m.dense(x)),
            r"^Operation 'add' \(node 'add'\) is not supported in a model; ",
        ),
        (
            Wrong(lambda m, x: (lambda y: torch.add(y, y, alpha=2))(m.dense(x))),
            r"^Operation 'add' \(node 'add'\) must be a plain sum, without \{'alpha': 2\}$",
        ),
        (
            Wrong(lambda m, x: m.dense(m.dense2(x), x)),
            r"^Layer 'dense' must be called with one tensor, not with \(",
        ),
        (
            Wrong(lambda m, x: m.sum(m.dense(x))),
            r"^Layer 'sum' \(add\) must be given at least 2 tensors, not 1$",
        ),
        (
            Wrong(lambda m, x: torch.cat([m.dense(x), m.dense2(x)])),
            r"^Operation 'cat' \(node 'cat'\) is not supported in a model; add tensors instead",
        ),
        (
            Wrong(lambda m, x: torch.stack([m.norm0(m.dense(x)[0])])),
            r"^Operation 'getitem' .* is not supported in a model; .* a batch norm per time step; use ",
        ),
        (
            Wrong(lambda m, x: m.attention(x, x, x)[0]),
            r"^Layer 'attention' is a MultiheadAttention, which is not supported; attention multiplies ",
        ),
        (
            nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding="same", dilation=2)),
            r"^Layer '0' is a Conv2d, which is not supported; it cannot read .*; use spikefold\.nn\.Conv2d$",
        ),
        (
            nn.Sequential(torch.nn.BatchNorm2d(1)),
            r"^Layer '0' is a BatchNorm2d, which is not supported; .*; use spikefold\.nn\.BatchNorm$",
        ),
        (
            nn.Sequential(torch.nn.AvgPool2d(2, ceil_mode=True)),
            r"^Layer '0' is a AvgPool2d, which is not supported; .*; use spikefold\.nn\.AvgPool2d$",
        ),
        (
            nn.Sequential(torch.nn.MaxPool2d(2)),
            r"^Layer '0' is a MaxPool2d, which is not supported; .*; use spikefold\.nn\.MaxPool2d$",
        ),
        (
            nn.Sequential(torch.nn.LayerNorm(4)),
            r"^Layer '0' is a LayerNorm, which is not supported; its statistics change with every sample",
        ),
        (
            nn.Sequential(torch.nn.Bilinear(4, 4, 4)),
            r"^Layer '0' is a Bilinear, which is not supported; use one of: .*spikefold\.nn\.Conv2d",
        ),
        (Wrong(lambda m, x: m.dense(m.dense(x))), r"^Layer 'dense' must be called once, not 2 times; "),
        (Wrong(lambda m, x: (m.dense(x), x)), r"^Model must return one tensor, not tuple$"),
        (Wrong(lambda m, x: x), r"^Model must hold at least one layer, but its forward calls none$"),
        (
            Wrong(lambda m, x: m.dense(x) if x.sum() > 0 else x),
            r"^Model Wrong cannot be read as a graph of layers: .*; its forward may only call layers",
        ),
        (nn.Dense(4, 4), r"^Model must hold layers, not be a single Dense; wrap it in nn\.Sequential$"),
        (
            nn.Sequential(torch.nn.Flatten()),
            r"^Layer '0' must keep the time and batch axes \(start_dim=2, end_dim=-1\), not flatten ",
        ),
    ],
)
def test_what_is_not_supported_is_named(model: torch.nn.Module, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        nn.graph(model)


def test_a_model_takes_one_tensor() -> None:
    class Two(torch.nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x

    with pytest.raises(ModelError, match=r"^Model must take one tensor, not 2 arguments \['x', 'y'\]$"):
        nn.graph(Two())
