"""Curves of a run for TensorBoard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from spikefold import nn
from spikefold.errors import MissingToolError


class Log:
    """Writes scalars and histograms of a run to ``folder``; does nothing where that is None.

    Per epoch: ``loss``, ``learning_rate``, ``accuracy/...``, of every neuron layer ``firing_rate/LAYER``, the
    share of its neurons and time steps that emit anything in the epoch's last batch, and the histogram
    ``threshold/LAYER`` of its thresholds (PIT's a, QB-LIF's gamma).

    Raises
    ------
    MissingToolError
        If the package tensorboardX is not installed.
    """

    def __init__(self, folder: str | None) -> None:
        self._writer = None
        self._rates: dict[str, float] = {}
        if folder is not None:
            try:
                from tensorboardX import SummaryWriter  # an extra
            except ImportError as error:
                raise MissingToolError(
                    "Recipe training.log_dir needs the package tensorboardX; install it with: "
                    "pip install 'spikefold[tensorboard]'"
                ) from error
            self._writer = SummaryWriter(folder)

    def scalars(self, epochs: int, values: dict[str, float]) -> None:
        """Write values after so many finished epochs."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, epochs)

    @contextmanager
    def watching(self, model: torch.nn.Module, wanted: bool) -> Iterator[None]:
        """Note how often the neurons of ``model`` emit while inside, if ``wanted``."""
        handles = []
        if self._writer is not None and wanted:
            for name, layer in _neurons(model):
                handles.append(layer.register_forward_hook(self._noter(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def neurons(self, epochs: int, model: torch.nn.Module) -> None:
        """Write firing rates and thresholds of ``model`` after so many finished epochs."""
        if self._writer is None:
            return
        self.scalars(epochs, {f"firing_rate/{name}": rate for name, rate in self._rates.items()})
        for name, layer in _neurons(model):
            thresholds = layer.threshold.detach().float().cpu().numpy()
            self._writer.add_histogram(f"threshold/{name}", thresholds, epochs)
        self._writer.flush()

    def close(self) -> None:
        """Finish the files."""
        if self._writer is not None:
            self._writer.close()

    def _noter(self, name: str) -> Callable[..., None]:
        def note(layer: torch.nn.Module, inputs: tuple[Tensor, ...], emitted: Tensor) -> None:
            self._rates[name] = float((emitted.detach() != 0).float().mean())

        return note


def _neurons(model: torch.nn.Module) -> Iterator[tuple[str, nn.SpikingNeuron]]:
    return ((name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.SpikingNeuron))
