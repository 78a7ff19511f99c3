"""The checkpoints that the authors of PIT publish: state dicts of their pre-activation ResNets.

A neuron keeps `alpha.{t}`, [channels], and `p.{t}`, one number, for every time step t; its scale is
`max(alpha · p, 1e-3)`. It rounds half to even. The leak and what becomes of the current are not in the file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikefold import nn
from spikefold.errors import ImportRefusal, InputError, ModelError
from spikefold.formats.checkpoints import as_state, read_checkpoint
from spikefold.importers import rules
from spikefold.importers.grid import Grid
from spikefold.importers.imported import OUTPUT, Imported, Note, Reference
from spikefold.importers.padding import padded_input
from spikefold.importers.pit_layout import Layout, layout
from spikefold.importers.pit_reference import PreActResNet
from spikefold.importers.rules import Precision
from spikefold.nn import checks
from spikefold.nn.functional import FLOOR, NEAREST

LEVELS = 4
_SMALLEST = 1e-30  # stands for an alpha of 0: the scale is the floor with either
_POOL = 4  # positions that the average before the last layer takes, in both directions
_KINDS = {"soft": "subtract", "hard": "zero"}
_OUTER = {"conv1": "stem", "bn1": "norm", "relu1": "neuron", "linear": "dense"}


@dataclass(frozen=True)
class Options:
    """What a checkpoint does not say.

    Attributes
    ----------
    tau
        Factor of the membrane from one step to the next, the authors' `-tau` (0.5 by their default).
    decay_input
        Whether the current is times `1 - tau`, as the published program has it ("event-based data"), or
        stays as it is ("static image").
    reset
        "soft" or "hard".
    levels
        D.
    leak_terms, leak_error
        Most shifts that the leak is the sum of, and how far it may be off then.
    rounding
        Of ties: "half_even" as in the authors' program, or "half_up", and those that differ are counted.
    """

    tau: float | None = None
    decay_input: bool | None = None
    reset: str = "soft"
    levels: int = LEVELS
    leak_terms: int = 3
    leak_error: float = 1 / 64
    rounding: str = "half_even"

    def __post_init__(self) -> None:
        checks.choice("PIT reset", self.reset, tuple(_KINDS))
        if self.tau is None or self.decay_input is None:
            raise ImportRefusal(
                "relu1",
                "a checkpoint holds neither the leak nor what its neurons do with their currents",
                "the options tau (the authors' -tau, 0.5 by default) and decay_input: True for currents "
                "times 1 - tau, False for currents as they are",
            )
        checks.number("PIT tau", self.tau, 0, 1)
        checks.boolean("PIT decay_input", self.decay_input)
        checks.choice("PIT rounding", self.rounding, NEAREST)


def load(
    source: Any,
    grid: Grid,
    *,
    tau: float | None = None,
    decay_input: bool | None = None,
    reset: str = "soft",
    levels: int = LEVELS,
    leak_terms: int = 3,
    leak_error: float = 1 / 64,
    rounding: str = "half_even",
) -> Imported:
    """Import a published checkpoint.

    Parameters
    ----------
    source
        The path of what `torch.save` wrote (the state dict, or the authors' table with it under `net`) or of
        a safetensors file; or the state dict.
    grid
        The input, (channels, height, width), with the normalisation that the network was trained with.
    tau, decay_input, reset, levels, leak_terms, leak_error, rounding
        See `Options`; the first two must be given.

    Raises
    ------
    ImportRefusal
        If a tensor is missing or unknown, the time steps are not the grid's, or an option is missing.
    ModelError
        If the file cannot be read.
    """
    found = layout(_state(source))
    chosen = Options(tau, decay_input, reset, levels, leak_terms, leak_error, rounding)
    _check_input(found, grid)
    leak, note = rules.leak("relu1", float(chosen.tau or 0), Precision(chosen.leak_terms, chosen.leak_error))
    model, framed = _build(found, grid, chosen, leak)
    notes = [one for one in (note, framed, *_dead(found)) if one is not None]
    model.double().load_state_dict(_renamed(found, model.state_dict()))
    taps = {_name(name): name for name, _ in found.neurons()}
    computed = _reference(found, chosen)
    nn.remember_leak_terms(model, leak_terms)
    apart = frozenset(taps if chosen.rounding != "half_even" else ())
    return Imported(model.eval(), taps | {"readout": OUTPUT}, tuple(notes), apart, reference=computed)


def reference(source: Any, **options: Any) -> Reference:
    """The network computed from its tensors in plain torch; `options` as for `load`."""
    return _reference(layout(_state(source)), Options(**options))


def _reference(found: Layout, chosen: Options) -> Reference:
    tau = float(chosen.tau or 0)
    gain = 1 - tau if chosen.decay_input else 1.0
    return PreActResNet(found, tau, gain, chosen.reset == "hard", chosen.levels)


def _state(source: Any) -> Mapping[str, Tensor]:
    """The state dict of a path or a table."""
    what = "Checkpoint"
    if isinstance(source, str | os.PathLike):
        what = f"Checkpoint '{source}'"
        source = read_checkpoint(Path(source), what, error=ModelError)
    if isinstance(source, Mapping) and isinstance(source.get("net"), Mapping):
        source = source["net"]
    if not isinstance(source, Mapping):
        raise InputError(f"{what} must be a path or a state dict, not {type(source).__name__}")
    return as_state(dict(source), what, error=ModelError)


def _check_input(found: Layout, grid: Grid) -> None:
    if len(grid.shape) != 3 or grid.shape[0] != found.channels:
        raise ImportRefusal(
            "conv1",
            f"it reads {found.channels} channels, not {list(grid.shape)}",
            "(channels, height, width)",
        )
    if grid.steps != found.steps:
        raise ImportRefusal(
            "relu1", f"it has alpha for {found.steps} time steps, the input {grid.steps}", "as many steps"
        )
    halvings = 2 ** (len(found.widths) - 1)
    rows, columns = (-(-size // halvings) // _POOL for size in grid.shape[1:])
    if found.widths[-1] * rows * columns != found.features:
        raise ImportRefusal(
            "linear",
            f"it reads {found.features} features, but maps of {list(grid.shape[1:])} leave {rows}x{columns} "
            f"positions of {found.widths[-1]} channels",
            "samples of the size that the network was trained on",
        )


def _build(found: Layout, grid: Grid, chosen: Options, leak: float) -> tuple[torch.nn.Module, Note | None]:
    """The network of these sizes, with fresh tensors, and a note where its input is framed by levels."""
    neuron = {"reset": _KINDS[chosen.reset], "learn": "factor", "input_decay": chosen.decay_input}
    neuron |= {"rounding": chosen.rounding}
    shape = (grid.shape[0], grid.shape[1], grid.shape[2])
    model = nn.models.preact_resnet(
        shape,
        found.classes,
        found.blocks,
        found.widths,
        levels=rules.levels("relu1", chosen.levels),
        steps=found.steps,
        leak=leak,
        neuron_options=neuron,
    )
    entrance, padding, error = padded_input(grid, (1, 1))
    model.input = entrance
    model.stem = nn.Conv2d(found.channels, found.widths[0], 3, 1, padding, bias=False)
    model.pool = nn.AvgPool2d(_POOL)
    model.dense = nn.Dense(found.features, found.classes)
    text = f"zeros beside the input are its nearest levels, worth up to {error:.3g}"
    return model, Note("conv1", text, error) if error else None


def _renamed(found: Layout, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under our names; a neuron's scales and factors as logarithms."""
    state = dict(ours)
    for name, value in found.state.items():
        if ".alpha." not in name and ".p." not in name:
            layer, _, tensor = name.rpartition(".")
            state[f"{_name(layer)}.{tensor}"] = value.double()
    for name, _ in found.neurons():
        alpha, p = (
            torch.stack([found.state[f"{name}.{key}.{t}"].double() for t in range(found.steps)])
            for key in ("alpha", "p")
        )
        if not bool((p > 0).all()):
            raise ImportRefusal(name, f"its factor p is {float(p.min()):.3g}", "factors p above 0")
        state[f"{_name(name)}.log_scale"] = alpha.clamp_min(_SMALLEST).log()
        state[f"{_name(name)}.log_factor"] = p.log()
        state[f"{_name(name)}.initialised"] = torch.tensor(True)
    return state


def _name(layer: str) -> str:
    """What a layer is called here."""
    *block, last = layer.split(".")
    if not block:
        return _OUTER[last]
    stage, number = block
    last = last.replace("bn", "norm").replace("relu", "neuron")
    return f"stage{stage.removeprefix('layer')}.block{int(number) + 1}.{last}"


def _dead(found: Layout) -> tuple[Note, ...]:
    """Notes on neurons with channels whose scale is the least there is."""
    notes = []
    for name, channels in found.neurons():
        count = sum(
            int((found.state[f"{name}.alpha.{t}"] * found.state[f"{name}.p.{t}"] < FLOOR).sum())
            for t in range(found.steps)
        )
        if count:
            notes.append(Note(name, f"{count} of {channels * found.steps} scales are the least, {FLOOR:g}"))
    return tuple(notes)
