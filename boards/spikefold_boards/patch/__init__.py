"""Other memory contents for a design that is placed and routed."""
