"""A sum of two sources: shape, gateware, clock, times and costs of one kind of stage."""
