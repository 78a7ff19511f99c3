"""Standard cells: a design in a library's gates, its area, its timing, and what its switching costs."""
