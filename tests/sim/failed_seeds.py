"""Seeds of random designs that failed once: every run tests them again, the slow one on every simulator.

A new design that fails names its seed in the id of the test. Write it here, with what was wrong.
"""

CHAINS: tuple[int, ...] = ()
"""Seeds of `random_design`."""

GRAPHS: tuple[int, ...] = ()
"""Seeds of `random_graph_design`."""
