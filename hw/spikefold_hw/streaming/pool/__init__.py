"""A pool: gateware, clock, times and costs of one kind of stage."""
