"""A design on a board that is attached to this computer: its gateware, and what talks to it."""

from spikefold.attached.device import Device
from spikefold.attached.gateware import uart_host
from spikefold.attached.results import Comparison, Inference
from spikefold.attached.tally import Tally

__all__ = ["Comparison", "Device", "Inference", "Tally", "uart_host"]
