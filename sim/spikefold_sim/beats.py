"""Levels to beats of an event stream and back."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikefold.errors import InputError
from spikefold_sim.ports import BEAT


def encode_beats(levels: ArrayLike) -> NDArray[np.void]:
    """Beats that carry `levels`, as a dense layer's one-position event stream.

    Zeros are not sent. The mark of a step rides on its last event, or is a bare mark (index 0, level 0)
    where the step has no event.

    Parameters
    ----------
    levels
        Non-negative integers [samples, steps, neurons].

    Returns
    -------
    Array of `ports.BEAT`, sample by sample, step by step, index ascending.

    Raises
    ------
    InputError
        Wrong shape, not integers, or a negative level.
    """
    levels = _checked(levels)
    samples, steps, neurons = levels.shape
    flat = levels.reshape(samples * steps, neurons)
    row, index = np.nonzero(flat)
    silent = np.flatnonzero(~flat.any(axis=1))
    rows = np.concatenate([row, silent])
    order = np.argsort(rows, kind="stable")
    beats = np.zeros(len(rows), BEAT)
    beats["index"] = np.concatenate([index, np.zeros_like(silent)])[order]
    beats["level"] = np.concatenate([flat[row, index], np.zeros_like(silent)])[order]
    rows = rows[order]
    last = np.diff(rows, append=samples * steps) > 0
    beats["end_position"] = beats["end_step"] = last
    beats["end_sample"] = last & (rows % max(steps, 1) == steps - 1)
    return beats


def decode_beats(beats: NDArray[np.void], steps: int, neurons: int) -> NDArray[np.int64]:
    """Levels [samples, steps, neurons] of a well-formed one-position event stream.

    Accepts the mark on the last event or as a bare mark after it.

    Raises
    ------
    InputError
        The stream breaks the contract (flags, a repeated or out-of-range event).
    """
    sample, step = locate(beats)
    samples = int(beats["end_sample"].sum())
    faults = flag_faults(beats, step, steps) | (sample >= samples) | (step >= steps)
    event = beats["level"] > 0
    faults |= event & (beats["index"] >= neurons)
    if faults.any():
        place = int(np.argmax(faults))
        raise InputError(f"Event stream must keep its contract, not break it at beat {place!r}")
    levels = np.zeros((samples, steps, neurons), np.int64)
    slots = np.ravel_multi_index((sample[event], step[event], beats["index"][event]), levels.shape)
    if len(np.unique(slots)) < len(slots):
        raise InputError("Event stream must hold each neuron at most once a step, not repeat one")
    levels.reshape(-1)[slots] = beats["level"][event]
    return levels


def locate(beats: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sample and step that each beat belongs to, counted from the end flags before it."""
    ends = beats["end_sample"].astype(np.int64)
    sample = np.cumsum(ends) - ends
    marks = beats["end_step"].astype(np.int64)
    before = np.cumsum(marks) - marks
    starts = np.flatnonzero(np.diff(sample, prepend=-1))
    return sample, before - before[starts][sample] if len(beats) else before


def flag_faults(beats: NDArray[np.void], step: NDArray[np.int64], steps: int) -> NDArray[np.bool_]:
    """Beats whose end flags are wrong, or which carry neither an event nor a mark."""
    last_step = step >= steps - 1
    return (
        (beats["end_position"] != beats["end_step"])
        | (beats["end_sample"] != (beats["end_step"] & last_step))
        | ((beats["level"] == 0) & ~beats["end_position"])
    )


def _checked(levels: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(levels)
    if array.ndim != 3:
        raise InputError(f"Levels must have the shape [samples, steps, neurons], not {array.shape!r}")
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"Levels must be integers, not {array.dtype.name!r}")
    if array.size and array.min() < 0:
        raise InputError(f"Levels must not be negative, not {array.min()!r}")
    return array.astype(np.int64)
