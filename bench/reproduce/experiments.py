"""What is reproduced: the papers' tables as runs on Fashion-MNIST, and the papers' accuracies."""

from dataclasses import dataclass, field
from typing import Any

EPOCHS = 2
SEEDS = (0, 1, 2)

BACKBONE: dict[str, Any] = {"kind": "cnn", "channels": [16, 32, 32], "pool": "stride", "input_levels": 16}
"""Three 3x3 convolutions with stride 2, each with batch norm and neurons, and a dense layer."""

TRAINING: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 128,
    "learning_rate": 0.005,
    "weight_decay": 0.01,
}
FINE_TUNING: dict[str, Any] = {"epochs": 1, "learning_rate": 0.002, "weight_bits": 4, "quantize_after": 0.0}
"""What the run that follows has instead: weights, thresholds and leaks as integers will have them."""


@dataclass(frozen=True)
class Row:
    """One row of a paper's table: a neuron, its T and D, and the accuracy the paper reports, in percent."""

    label: str
    paper: float
    neuron: str
    steps: int
    levels: int | None
    options: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)

    def recipes(self, seed: int) -> list[dict[str, Any]]:
        """The recipes of a run: training, and the fine-tuning that starts from what it gave."""
        model = BACKBONE | {"neuron": self.neuron, "steps": self.steps} | self.model
        if self.levels is not None:
            model["levels"] = self.levels
        if self.options:
            model["neuron_options"] = self.options
        run = {"data": {"name": "fashion"}, "model": model, "training": TRAINING | {"seed": seed}}
        return [run, run | {"training": run["training"] | FINE_TUNING}]


@dataclass(frozen=True)
class Table:
    """A table of a paper: rows from the worst to the best, as the paper has them."""

    key: str
    title: str
    setting: str
    rows: tuple[Row, ...]


def _pit(label: str, paper: float, steps: int, levels: int, rectify: float = 0.01, **options: Any) -> Row:
    return Row(label, paper, "pit", steps, levels, options, {"rectify": rectify})


def _qblif(label: str, paper: float, levels: int, **options: Any) -> Row:
    return Row(label, paper, "qblif", 2, levels, options)


TABLES = (
    Table(
        "pit8",
        "PIT Table 8: LIF, I-LIF and PIT",
        "CIFAR-10, ResNet18",
        (
            Row("LIF 4x1", 94.22, "lif", 4, None),
            Row("I-LIF 1x4", 94.83, "ilif", 1, 4),
            _pit("PIT 4x1", 95.34, 4, 1),
            _pit("PIT 1x4", 95.86, 1, 4),
        ),
    ),
    Table(
        "pit9",
        "PIT Table 9: time steps against levels",
        "CIFAR-10, ResNet18",
        (_pit("PIT 4x1", 94.83, 4, 1), _pit("PIT 2x2", 95.47, 2, 2), _pit("PIT 1x4", 95.86, 1, 4)),
    ),
    Table(
        "pit7",
        "PIT Table 7: what PIT is made of, 1x1",
        "CIFAR-10, ResNet18",
        (
            Row("no PIT (LIF)", 86.73, "lif", 1, None),
            _pit("learnable a, starting at 1", 91.34, 1, 1, 0.0, init=1.0),
            _pit("and 3-sigma start", 92.53, 1, 1, 0.0),
            _pit("and rectified gradient", 93.23, 1, 1),
        ),
    ),
    Table(
        "pit4",
        "PIT Table 4: lambda of the rectified gradient, 1x4",
        "CIFAR-10, ResNet18",
        (
            _pit("lambda 0.001", 95.70, 1, 4, 0.001),
            _pit("lambda 0.1", 95.73, 1, 4, 0.1),
            _pit("lambda 0.01", 95.86, 1, 4),
        ),
    ),
    Table(
        "qblif5",
        "QB-LIF Table 5: burst coding and surrogate, T = 2, Nmax = 20",
        "CIFAR-10, ResNet20",
        (
            _qblif("binary, box", 90.50, 1, surrogate="box", learn="none"),
            Row("I-LIF, box", 93.85, "ilif", 2, 20, {"surrogate": "box"}),
            Row("I-LIF, ReLSG-ET", 94.45, "ilif", 2, 20, {"surrogate": "relsg_et"}),
            _qblif("QB-LIF, box", 95.05, 20, surrogate="box"),
            _qblif("QB-LIF, ReLSG-ET", 95.58, 20),
        ),
    ),
    Table(
        "qblif6",
        "QB-LIF Table 6: largest burst, T = 2",
        "CIFAR-10, ResNet20",
        (
            _qblif("binary, box", 90.50, 1, surrogate="box", learn="none"),
            _qblif("Nmax 2", 93.35, 2),
            _qblif("Nmax 5", 94.13, 5),
            _qblif("Nmax 10", 94.64, 10),
            _qblif("Nmax 15", 95.03, 15),
            _qblif("Nmax 20", 95.58, 20),
        ),
    ),
    Table(
        "reverb1",
        "ReverB Table 1: binary weights, 4-bit spikes, T = 2",
        "CIFAR-10, ResNet20",
        (
            Row("LIF, real weights", 92.80, "lif", 2, None, {}, {"leak": 0.25}),
            Row("ReverB", 94.14, "reverb", 2, None, {"bits": 4}, {"leak": 0.25, "binary": "plain"}),
            Row(
                "ReverB, learnable",
                94.45,
                "reverb",
                2,
                None,
                {"bits": 4},
                {"leak": 0.25, "binary": "learnable"},
            ),
        ),
    ),
)
