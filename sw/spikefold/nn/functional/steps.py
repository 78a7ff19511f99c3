"""One time step of a spiking neuron: charge, fire, reset."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from spikefold.nn.functional.firing import damp, fire, revalue

RESETS = ("subtract", "zero", "none")


@dataclass(frozen=True)
class Dynamics:
    """Constants of a population of neurons.

    Parameters
    ----------
    levels : D, the largest level; None for real-valued spikes ``s = u``, which need a ``fire_floor``.
    leak : factor of the membrane from one step to the next, 0..1; a tensor broadcasts against the current.
    rounding : "half_up", "half_even" or "floor".
    reset : "subtract" leaves ``v = u - s`` (PIT Eq. 11), "zero" leaves 0 where the neuron fired (ReverB),
        "none" and "scale" leave ``u``; "scale" multiplies the next ``u`` there by ``factor`` (QB-LIF Eq. 2).
    input_gain : factor of the current, as leak.
    factor : of "scale": QB-LIF's ``1 - alpha``.
    fire_floor : ReverB's ``V_th``: fired means ``u >= V_th``. Without it, fired means a level above 0.
    surrogate, rectify : as in ``fire``.
    """

    levels: int | None
    leak: float | Tensor = 0.5
    rounding: str = "half_up"
    reset: str = "subtract"
    input_gain: float | Tensor = 1.0
    factor: float | None = None
    fire_floor: float | None = None
    surrogate: str = "rectified"
    rectify: float = 0.01


class State(NamedTuple):
    """What a step leaves: the charged membrane and ``s``, from which the next step takes the reset one."""

    u: Tensor
    s: Tensor


def step(
    current: Tensor,
    state: State | None,
    threshold: Tensor,
    dynamics: Dynamics,
    scale: Tensor | None = None,
) -> tuple[Tensor, State]:
    """One time step: charge, fire; return what is emitted, shape of ``current``, and the new state.

    ``state`` is None where a sample starts. ``threshold``, the distance between two levels, broadcasts
    against ``current``; so does ``scale``, the real value of one level, None if it is the threshold.
    """
    u = charge(current, state, dynamics)
    s = _spikes(u, threshold, dynamics)
    if scale is None:
        return s, State(u, s)
    return (s * scale if dynamics.levels is None else revalue(s, threshold, scale)), State(u, s)


def charge(current: Tensor, state: State | None, dynamics: Dynamics) -> Tensor:
    """Return the charged membrane (PIT Eq. 9, ReverB Eq. 5), from ``v`` as ``membrane`` gives it.

    ``u = leak * v + input_gain * current``, times ``factor`` where the neuron fired in the step before
    (QB-LIF Eq. 2; what decides that it fired is not differentiated).
    """
    if isinstance(dynamics.input_gain, Tensor) or dynamics.input_gain != 1:
        current = current * dynamics.input_gain
    if state is None:
        return current
    v, leak = membrane(state, dynamics), dynamics.leak
    u = torch.addcmul(current, v, leak) if isinstance(leak, Tensor) else torch.add(current, v, alpha=leak)
    return u if dynamics.factor is None else _damped(u, state, dynamics.factor, dynamics)


def membrane(state: State, dynamics: Dynamics) -> Tensor:
    """Return ``v``, the membrane after the reset, of the step that left ``state``."""
    if dynamics.reset == "subtract":
        return state.u - state.s
    return _damped(state.u, state, 0.0, dynamics) if dynamics.reset == "zero" else state.u


def _damped(u: Tensor, state: State, factor: float, dynamics: Dynamics) -> Tensor:
    """Return ``u``, times ``factor`` where the neuron fired in the step that left ``state``."""
    floor = dynamics.fire_floor
    return damp(u, state.s if floor is None else state.u, factor, floor)


def _spikes(u: Tensor, threshold: Tensor, p: Dynamics) -> Tensor:
    if p.levels is None:
        assert p.fire_floor is not None  # see Dynamics
        return u * (u >= p.fire_floor)
    return fire(
        u,
        threshold,
        p.levels,
        rounding=p.rounding,
        surrogate=p.surrogate,
        rectify=p.rectify,
        floor=p.fire_floor,
    )
