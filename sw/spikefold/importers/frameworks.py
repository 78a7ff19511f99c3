"""The frameworks that networks come from; this table alone imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Framework:
    """Where an importer's networks come from and what it needs.

    Attributes
    ----------
    title
        The framework's name for people.
    package
        The Python package it imports; None if it needs none.
    install
        What installs it.
    live
        Whether its source is a live module (on the command line FILE.py:NAME), not a file.
    steps
        The number of time steps where there is but one, else None.
    calibrated
        Whether its `load` needs samples, as the option `calibration`.
    """

    title: str
    package: str | None
    install: str
    live: bool
    steps: int | None = None
    calibrated: bool = False


_SPIKINGJELLY = (  # itself it asks for torchvision and torchaudio, which it does not need
    "pip install 'spikefold[spikingjelly]' && pip install --no-deps 'spikingjelly>=2,<3'"
)
FRAMEWORKS = {
    "spikingjelly": Framework("SpikingJelly", "spikingjelly", _SPIKINGJELLY, live=True),
    "snntorch": Framework("snnTorch", "snntorch", "pip install 'spikefold[snntorch]'", live=True),
    "ann": Framework("PyTorch", None, "", live=True, steps=1, calibrated=True),
    "nir": Framework("NIR", "nir", "pip install 'spikefold[nir]'", live=False),
    "pit": Framework("PIT's checkpoints", None, "", live=False),
}
