"""Adding up what a netlist's switching takes: charge of every net, and energy inside every cell."""

from collections.abc import Mapping
from dataclasses import dataclass

from spikefold.flow.artefact import Clock
from spikefold_boards.asic.activity import Switching, net_names
from spikefold_boards.asic.power_tables import CellPower, PowerTables
from spikefold_boards.netlist import Netlist


@dataclass(frozen=True)
class Energies:
    """What a run took in pJ: flip-flops with what they and the clock drive, other gates; leakage in µW."""

    sequential_pj: float
    combinational_pj: float
    leakage_uw: float


@dataclass(frozen=True)
class _Net:
    """A net: its changes in the run, the slew at its driver in ns, its load in fF."""

    changes: float
    slew: float
    load: float


def add_up(
    netlist: Netlist, clock: Clock, tables: PowerTables, switching: Switching, slews: Mapping[str, float]
) -> Energies:
    """The energies of a run.

    A change of a net charges or discharges the pins that it drives, and a wire that its fan-out suggests
    (the clock's has none): half of C·V². A change of a gate's output takes the mean of its tables for rise
    and fall over all inputs and states that they tell apart; a flip-flop's Q and QN change together. A clock
    edge in a flip-flop that keeps its value takes what the tables say of D equal to Q, else of D unlike Q.

    Parameters
    ----------
    netlist
        With plain names; black boxes take nothing, but nets that they drive do.
    slews
        Of every cell's output, by OpenSTA's name, in ns.

    Raises
    ------
    ToolError
        The run says nothing of a net.
    """
    nets = _nets(netlist, clock, tables, switching, slews)
    names, clocked = net_names(netlist), _clocked(netlist, clock, tables)
    charges = {name: net.changes * net.load * tables.volts**2 / 2 for name, net in nets.items()}
    sequential = sum(charge for name, charge in charges.items() if name in clocked)
    combinational = sum(charges.values()) - sequential
    leakage = 0.0
    for cell in netlist.cells.values():
        power = tables.cells.get(cell["type"])
        if power is None:
            continue
        leakage += power.leakage_nw
        pins = {pin: nets[names[bits[0]]] for pin, bits in cell["connections"].items() if bits}
        if power.flip_flop:
            sequential += _flip_flop(power, pins, switching.cycles)
        else:
            combinational += _gate(power, pins)
    return Energies(sequential / 1e3, combinational / 1e3, leakage / 1e3)


def _clocked(netlist: Netlist, clock: Clock, tables: PowerTables) -> set[str]:
    """The clock, and the nets that flip-flops drive."""
    names = net_names(netlist)
    found = {clock.port}
    for cell in netlist.cells.values():
        power = tables.cells.get(cell["type"])
        if power is not None and power.flip_flop:
            outputs = (bits for pin, bits in cell["connections"].items() if power.pins[pin].output)
            found.update(names[bit] for bits in outputs for bit in bits)
    return found


def _gate(power: CellPower, pins: Mapping[str, _Net]) -> float:
    total = 0.0
    for name, pin in power.pins.items():
        if name in pins and pin.changes:
            net = pins[name]
            each = [
                change.mean(pins[change.related].slew if change.related in pins else net.slew, net.load)
                for change in pin.changes
            ]
            total += net.changes * sum(each) / len(each)
    return total


def _flip_flop(power: CellPower, pins: Mapping[str, _Net], cycles: int) -> float:
    outputs = [pins[name] for name, pin in power.pins.items() if pin.output and name in pins]
    changes = max((net.changes for net in outputs), default=0.0)
    share = changes / cycles
    total = 0.0
    for name, pin in power.pins.items():
        if not pin.changes:
            continue
        net = pins.get(name, _Net(changes, 0.0, 0.0))
        if pin.clock:
            unlike = [change.when.get("D") != change.when.get("Q") for change in pin.changes]
            weights = [share / sum(unlike) if odd else (1 - share) / unlike.count(False) for odd in unlike]
        else:
            weights = [1 / len(pin.changes)] * len(pin.changes)
        slew = 0.0 if pin.output else net.slew
        each = (change.mean(slew, net.load) for change in pin.changes)
        total += net.changes * sum(weight * energy for weight, energy in zip(weights, each, strict=True))
    return total


def _nets(
    netlist: Netlist, clock: Clock, tables: PowerTables, switching: Switching, slews: Mapping[str, float]
) -> dict[str, _Net]:
    names = net_names(netlist)
    load, slew = (dict.fromkeys(names.values(), 0.0) for _ in range(2))
    fanout = dict.fromkeys(names.values(), 0)
    for cell_name, cell in netlist.cells.items():
        power = tables.cells.get(cell["type"])
        for pin, bits in cell["connections"].items():
            output = cell["port_directions"][pin] == "output"
            for place, bit in enumerate(bits):
                net = names[bit]
                if output:
                    suffix = "" if len(bits) == 1 else f"[{place}]"
                    slew[net] = slews[f"{cell_name}/{pin}{suffix}"]
                else:
                    fanout[net] += 1
                    load[net] += power.pins[pin].capacitance if power is not None else 0.0
    wires = {net: 0.0 if net == clock.port else tables.wires.of(count) for net, count in fanout.items()}
    return {net: _Net(switching.changes(net), slew[net], load[net] + wires[net]) for net in names.values()}
