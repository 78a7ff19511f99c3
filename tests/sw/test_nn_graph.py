"""Models as graphs: chains, custom modules, and everything that must be refused."""

import pytest
import torch

from spikefold import nn
from spikefold.errors import ModelError


class Custom(torch.nn.Module):
    """A chain of layers as a user would write it, with torch's own Linear and BatchNorm1d among them."""

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
    """One dense layer and whatever ``forward`` the test gives."""

    def __init__(self, forward: object) -> None:
        super().__init__()
        self.dense = nn.Dense(4, 4)
        self.relu = torch.nn.ReLU()
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


class Halved(nn.Dense):
    """A subclass that computes something else than a dense layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) / 2


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.Dense(4, 4), torch.nn.ReLU()),
            r"^Layer '1' is a ReLU, which is not supported; use one of: ",
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
