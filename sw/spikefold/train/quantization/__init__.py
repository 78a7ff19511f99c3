"""Quantization-aware training: a model computes as its integer network does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from spikefold.nn import Rounding, leak_terms_of, remember_rounding
from spikefold.quantize.grid import IDENTITY_BITS
from spikefold.quantize.scales import Method
from spikefold.train.quantization.simulation import Simulation

__all__ = ["fake_quantized"]


@contextmanager
def fake_quantized(
    model: torch.nn.Module,
    bits: int | Mapping[str, int],
    *,
    leak_terms: int | None = None,
    identity_bits: int = IDENTITY_BITS,
    method: Method | None = None,
    membrane_bits: int | None = None,
) -> Iterator[Simulation]:
    """While inside, `model` computes as `quantize(fold(model))` would with the parameters that it has then.

    Folded weights, thresholds, fire floors and biases are rounded, leak and reset factor are sums of shifts,
    and membranes are whole numbers of units, rounded after the leak. In eval mode and float64 all levels, and
    so the classes, are those of the integer network, exactly; in float32 a membrane of more than 2^24 units
    may be rounded otherwise. In training mode batch norms use the
    statistics of their batch; rounded is then what the running ones give.

    Parameters are read anew at every call of `model`. Gradients pass straight through every rounding, to
    weights, biases and scales; surrogates see the rounded thresholds. The batch that sets a neuron's scale
    passes it unrounded.

    A model that was trained inside remembers how (`nn.rounding_of`): `nn.save` keeps that, and
    `spikefold.compile` rounds in the same way unless it is told otherwise.

    Parameters and `state_dict` stay as they are. What changes is `forward` of the model, of its layers with
    synapses and of its neurons: attributes of the instances, which are gone on leaving. So do not copy or
    pickle the model inside. The model runs layer by layer as `nn.graph` reads it: hooks of layers run, those
    of containers do not. Spikes of several scales that are added up are kept apart: a layer that reads such a
    sum is called with one tensor for each.

    Parameters
    ----------
    model
        A model that `fold` accepts.
    bits, leak_terms, identity_bits, method, membrane_bits
        As `weight_bits` and the others in `quantize`. With "mse" every call searches for scales; None takes
        it for weights of 2 and 3 bits and else "max". With so few bits one large weight, if it sets the
        scale, turns most others of its channel into 0, and every step of training that moves it shakes all.
        `leak_terms` None is as the model remembers (`nn.leak_terms_of`).

    Yields
    ------
    Simulation
        What runs the model; its `weights(name)` tells the rounded weights of a layer.

    Raises
    ------
    InputError
        If an option is out of range or names no population.
    ModelError
        If the model cannot be folded or quantized, or an integer weight is not the rounding of one weight of
        the model: an overlapping pool is composed into it, a pool that leaves gaps is composed into weights
        of one bit, or a binary layer has an alpha per input channel. Calls of `model` raise it too, once its
        parameters cannot be folded any more.
    """
    method = _method(bits) if method is None else method
    leak_terms = leak_terms_of(model) if leak_terms is None else leak_terms
    simulation = Simulation(model, bits, identity_bits, method, leak_terms, membrane_bits)
    forwards = {**simulation.forwards, model: simulation}
    before = {module: vars(module).get("forward") for module in forwards}
    try:
        for module, forward in forwards.items():
            vars(module)["forward"] = forward
        yield simulation
    finally:
        for module, forward in before.items():
            if forward is None:
                vars(module).pop("forward", None)
            else:
                vars(module)["forward"] = forward
        if simulation.trained:
            table = dict(bits) if isinstance(bits, Mapping) else bits
            remember_rounding(model, Rounding(table, method, leak_terms, identity_bits, membrane_bits))


def _method(bits: int | Mapping[str, int]) -> Method:
    """How scales are chosen in training: by least squared error where a layer has 2 or 3 bits."""
    few = bits.values() if isinstance(bits, Mapping) else (bits,)
    return "mse" if any(each in (2, 3) for each in few) else "max"
