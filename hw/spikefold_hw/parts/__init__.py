"""Blocks that any architecture may use: gateware, integer `model()` and `latency` beside each other.

They know the integer network and the streams, and no plan: `shapes` are what a plan hands them.
"""
