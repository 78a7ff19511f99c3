"""What a run remembers of its accuracy on held-out data."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spikefold.train.options import TrainingOptions


@dataclass
class Best:
    """The best accuracy on held-out data so far, its weights, and the epochs since."""

    options: TrainingOptions
    accuracy: float = -1.0
    since: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def exhausted(self) -> bool:
        """Whether the run has had its ``patience``."""
        return self.options.patience is not None and self.since >= self.options.patience

    def note(self, epoch: int, accuracy: float, model: torch.nn.Module) -> None:
        """Take in the accuracy after ``epoch``; the first of equal ones is the best."""
        if epoch not in self.options.validated_epochs:
            return
        self.since += 1
        if accuracy > self.accuracy:
            self.accuracy, self.since = accuracy, 0
            if self.options.keep_best:
                self.tensors = {key: value.detach().clone() for key, value in model.state_dict().items()}

    def give_back(self, model: torch.nn.Module) -> None:
        """Restore the best weights of ``model`` where they were to be kept."""
        if self.tensors:
            model.load_state_dict(self.tensors)
