"""A toy architecture: one dense readout, one row of weights a cycle, a level n added n times.

It shows that a new architecture is a folder and one line of registration.
"""
