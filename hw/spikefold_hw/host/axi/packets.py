"""Beats of AXI4-Stream packets as a payload."""

from amaranth.hdl import unsigned
from amaranth.lib import data


class AxisBeat(data.StructLayout):
    """TDATA, TKEEP, TLAST and, if it has bits, TUSER of a beat.

    Parameters
    ----------
    data_bits
        Width of TDATA, a multiple of 8.
    user_bits
        Width of TUSER.
    """

    def __init__(self, data_bits: int, user_bits: int = 0):
        fields = {"data": data_bits, "keep": data_bits // 8, "last": 1, "user": user_bits}
        super().__init__({name: unsigned(width) for name, width in fields.items() if width})
