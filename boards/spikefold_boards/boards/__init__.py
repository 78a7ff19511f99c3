"""Boards: their pins, clocks and bitstreams."""
