"""Simulation of compiled networks: tool chains, engines, scoreboard, traces."""
