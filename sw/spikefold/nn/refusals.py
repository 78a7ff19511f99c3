"""Layers and operations that are not supported although a user may well try them, and what to use instead."""

import torch

_ATTENTION = "attention multiplies spikes by spikes; build dense, convolutional or residual networks"
_SAMPLE_NORM = "its statistics change with every sample, so it cannot be folded; use spikefold.nn.BatchNorm"
_RECURRENT = "recurrent layers are not supported; a neuron's membrane is what a network remembers with"
_NEURON = "use a neuron: spikefold.nn.PIT, ILIF, LIF, QBLIF or ReverB"
_STEPS = (
    "a layer reads all time steps at once, so nothing can be done step by step, such as a batch norm per "
    "time step; use one spikefold.nn.BatchNorm"
)
_FLATTEN = "use spikefold.nn.Flatten"

_LAYERS: tuple[tuple[tuple[type[torch.nn.Module], ...], str], ...] = (
    ((torch.nn.MultiheadAttention, torch.nn.Transformer), _ATTENTION),
    ((torch.nn.TransformerEncoder, torch.nn.TransformerEncoderLayer), _ATTENTION),
    ((torch.nn.TransformerDecoder, torch.nn.TransformerDecoderLayer), _ATTENTION),
    ((torch.nn.Conv2d,), "it cannot read [time, batch, ...]; use spikefold.nn.Conv2d"),
    ((torch.nn.BatchNorm2d,), "it cannot read [time, batch, ...]; use spikefold.nn.BatchNorm"),
    ((torch.nn.AvgPool2d,), "it cannot read [time, batch, ...]; use spikefold.nn.AvgPool2d"),
    ((torch.nn.MaxPool2d,), "it cannot read [time, batch, ...]; use spikefold.nn.MaxPool2d"),
    ((torch.nn.AdaptiveAvgPool2d,), "use spikefold.nn.GlobalAvgPool"),
    ((torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm), _SAMPLE_NORM),
    ((torch.nn.Dropout1d, torch.nn.Dropout2d), "use spikefold.nn.Dropout"),
    ((torch.nn.RNNBase, torch.nn.RNNCellBase), _RECURRENT),
    ((torch.nn.ReLU, torch.nn.Sigmoid, torch.nn.Tanh, torch.nn.GELU, torch.nn.SiLU), _NEURON),
)

_OPERATIONS = {
    **dict.fromkeys(("matmul", "bmm", "einsum", "softmax", "scaled_dot_product_attention"), _ATTENTION),
    **dict.fromkeys(("getitem", "stack", "unbind"), _STEPS),
    **dict.fromkeys(("flatten", "reshape", "view"), _FLATTEN),
    **dict.fromkeys(("relu", "sigmoid", "tanh", "gelu", "silu"), _NEURON),
    "cat": "add tensors instead of joining them",
    "mean": "use spikefold.nn.Readout over time or spikefold.nn.GlobalAvgPool over maps",
}


def layer_advice(module: torch.nn.Module) -> str | None:
    """Return why ``module`` is refused and what to use instead, or None where there is no more to say."""
    for types, advice in _LAYERS:
        if isinstance(module, types):
            return advice
    return None


def operation_advice(name: str) -> str | None:
    """Return the same for an operation of a ``forward``, such as "matmul"."""
    return _OPERATIONS.get(name)
