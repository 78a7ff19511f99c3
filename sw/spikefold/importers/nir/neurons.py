"""The neurons of NIR as difference equations, `u = leak · v + gain · I`."""

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np

from spikefold.errors import ImportRefusal
from spikefold.importers import rules
from spikefold.importers.nir.options import Options
from spikefold.importers.nir.parameters import Reals, Shape, alike, per_channel


@dataclass(frozen=True, eq=False)
class Difference:
    """One step of a population.

    Attributes
    ----------
    leak
        Factor of the membrane from one step to the next, for each channel.
    gain
        Factor of the current, for each channel.
    threshold
        For each channel; None for an integrator that does not fire.
    """

    leak: Reals
    gain: Reals
    threshold: Reals | None


def difference(name: str, node: Any, shape: Shape, options: Options) -> Difference:
    """One step of a Threshold, IF, LIF, I or LI.

    Raises
    ------
    ImportRefusal
        If a parameter has no counterpart here, or an option is missing.
    """
    for field in ("v_leak", "v_reset"):
        if hasattr(node, field):
            value = per_channel(name, field, getattr(node, field), shape)
            rules.zero(name, field, float(value[abs(value).argmax()]))
    threshold = _threshold(name, node, shape)
    if isinstance(node, nir.Threshold):
        return Difference(np.zeros(shape[0]), np.ones(shape[0]), threshold)
    leak, gain = _motion(name, node, shape, options)
    if not (gain > 0).all():
        raise ImportRefusal(name, f"its resistance r is {float(gain.min()):.3g} or less", "r above 0")
    return Difference(leak, gain, threshold)


def _motion(name: str, node: Any, shape: Shape, options: Options) -> tuple[Reals, Reals]:
    """Leak and gain of the current, for each channel."""
    dt = options.step(name)
    resistance = per_channel(name, "r", node.r, shape)
    if not hasattr(node, "tau"):
        return np.ones(shape[0]), dt * resistance
    tau = alike(per_channel(name, "tau", node.tau, shape))
    least = float(tau.min())
    if not least > 0:
        raise ImportRefusal(name, f"its time constant tau is {least:.6g}", "tau above 0")
    if options.method == "exponential":
        return np.exp(-dt / tau), -np.expm1(-dt / tau) * resistance
    if dt > least * (1 + 1e-6):
        raise ImportRefusal(
            name,
            f"a step of {dt:g} is longer than its time constant {least:.6g}, "
            "so its membrane would change sign",
            f"dt of at most {least:.6g}, or the option method='exponential'",
        )
    return np.maximum(0.0, 1 - dt / tau), dt / tau * resistance


def _threshold(name: str, node: Any, shape: Shape) -> Reals | None:
    field = "threshold" if isinstance(node, nir.Threshold) else "v_threshold"
    if not hasattr(node, field):
        return None
    values = per_channel(name, field, getattr(node, field), shape)
    for value in values:
        rules.threshold(name, float(value))
    return values
