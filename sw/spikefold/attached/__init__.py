"""A design on a board that is attached to this computer: its gateware, and what talks to it."""
