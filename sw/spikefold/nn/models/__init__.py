"""Ready-made networks.

``mlp`` is dense. The others are convolutional: each takes the shape of a sample (channels, height, width).
All take the number of classes and, as keywords, the fields of ``Options`` beside their own arguments, and
return a ``Sequential`` from ``input`` to ``readout`` that ``spikefold.nn.graph`` reads.
"""

from spikefold.nn.models.cnn import cnn
from spikefold.nn.models.lenet import lenet
from spikefold.nn.models.mlp import mlp
from spikefold.nn.models.neurons import NEURONS, make_neuron
from spikefold.nn.models.parts import BINARY, Options
from spikefold.nn.models.resnet import (
    preact_resnet,
    preact_resnet18,
    preact_resnet34,
    resnet19,
    resnet20,
    sew_resnet,
    sew_resnet18,
    sew_resnet34,
)
from spikefold.nn.models.vgg import vgg11

__all__ = [
    "BINARY",
    "NEURONS",
    "Options",
    "cnn",
    "lenet",
    "make_neuron",
    "mlp",
    "preact_resnet",
    "preact_resnet18",
    "preact_resnet34",
    "resnet19",
    "resnet20",
    "sew_resnet",
    "sew_resnet18",
    "sew_resnet34",
    "vgg11",
]
