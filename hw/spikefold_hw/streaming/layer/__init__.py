"""A population on its lanes: shape, gateware, times and costs of one kind of stage."""
