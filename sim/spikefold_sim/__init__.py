"""Simulation of compiled networks: engines, scoreboard, traces."""
