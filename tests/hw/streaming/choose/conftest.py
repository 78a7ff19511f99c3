"""A convolutional network, and every way to build its stages."""

import pytest
from conv_case import conv_network, levels_of
from plans import plain_plan

from spikefold_hw.streaming.choose.options import options_of


@pytest.fixture(scope="module")
def case():
    network = conv_network()
    return network, levels_of(network)


@pytest.fixture(scope="module")
def options(case):
    network, levels = case
    return options_of(plain_plan(network), levels, {}, {})
