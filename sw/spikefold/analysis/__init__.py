"""What a trained network's neurons do, what it costs, and how much it can represent.

`analyze` runs samples through a network once; `write_analysis` writes the numbers, and figures of them if
matplotlib is there (the extra ``spikefold[plots]``). ``analysis.json`` is `Analysis.to_json`:

| key | value |
|---|---|
| schema | 1 |
| samples, accuracy | samples recorded; percentage classified right, or null |
| steps, levels, parameters | T; D, the most of all layers; trained numbers |
| neurons | a list, one object per neuron layer, below |
| synapses | per layer with weights: name, kind ("dense", "conv", "identity"), first (reads the input), macs (per step), rate, additions per sample (events, binary, naf, unary), s_ace, ns_ace |
| capacity | PIT's Table 1 by method: steps, symbols, neurons (of the last layer), nats, bits, train_bits |
| effort | weight_bits, s_ace, ns_ace in bit operations |
| totals | operations of one sample as `cost.Totals`, and `energy` in µJ |
| first | thresholds and scales of an earlier state by layer, or null |
| landscape | axis [N], loss [N][N], centre, samples; or null |
| integer | of a build: name, layers, total; additions under its own codings; or null |

A neuron layer has name, kind, steps, levels, neurons; activity (share of levels above 0), sparsity, mean_level,
rate (mean level over D), entropy_bits, max_entropy_bits, effective_levels (p > 0.01), activity_by_step,
mean_level_by_step, level_counts [T][D+1]; membrane (edges in levels, counts [T][bins], below, above, mean,
deviation by step: of u over the threshold, before firing); threshold and scale (min, quartiles, max, mean);
capacity (as above, for this layer); work (updates, shifts, additions, comparisons, and macs as PIT counts them).
"""  # noqa: E501 - a table

from spikefold.analysis.analysis import analyze
from spikefold.analysis.capacity import METHODS, Capacity, capacity_table
from spikefold.analysis.cost import Effort, synaptic_effort
from spikefold.analysis.landscape import Landscape, loss_landscape
from spikefold.analysis.levels import LevelStatistics
from spikefold.analysis.output import check_target, write_analysis
from spikefold.analysis.recording import Recording
from spikefold.analysis.results import Analysis, NeuronLayer

__all__ = [
    "METHODS",
    "Analysis",
    "Capacity",
    "Effort",
    "Landscape",
    "LevelStatistics",
    "NeuronLayer",
    "Recording",
    "analyze",
    "capacity_table",
    "check_target",
    "loss_landscape",
    "synaptic_effort",
    "write_analysis",
]
