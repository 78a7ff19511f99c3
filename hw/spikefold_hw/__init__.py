"""Gateware: streams, windows, lanes, neuron units and the network top, in Amaranth."""
