"""`spikefold serve-sim`."""

import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen
from spikefold.errors import InputError

_HELP = """Simulate a board with BUILD on it, behind a pseudo-terminal.

The Verilog of the design and of its UART host runs in Verilator; every bit goes over the simulated wire, at
the same number of clock cycles as on a board. Programs open the port that is shown as they open a board's,
`spikefold infer` among them. Interrupt it to end it.

\b
Examples:
  spikefold serve-sim build/
  spikefold serve-sim build/ --link board --noise 0.01 --seconds 60
"""


@click.command(name="serve-sim", help=_HELP)
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--baud", type=int, default=1_000_000, show_default=True, help="Bits a second of the wire.")
@click.option("--clock", type=float, default=12.0, show_default=True, help="MHz of the board's clock.")
@click.option("--noise", type=float, default=0.0, show_default=True, help="Chance that a byte is damaged.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the noise.")
@click.option("--link", type=click.Path(path_type=Path), help="Path to make that leads to the port.")
@click.option("--seconds", type=float, help="Seconds after which it ends by itself.")
@framed
def serve_sim(
    screen: Screen,
    build: Path,
    baud: int,
    clock: float,
    noise: float,
    seed: int,
    link: Path | None,
    seconds: float | None,
) -> Outcome:
    """Serve a simulated board."""
    with ExitStack() as stack:
        with screen.status("building the board"):
            from spikefold.attached.board import simulated
            from spikefold.design import load

            if link is not None and os.path.lexists(link):
                raise InputError(
                    f"Link must be a path where nothing is, but {str(link)!r} is there; remove it"
                )
            board = simulated(load(build), round(clock * 1e6), baud, noise=noise, seed=seed)
            port = stack.enter_context(board)
        if link is not None:
            link.symlink_to(port)
            stack.callback(link.unlink, missing_ok=True)
        screen.note(f"Port: {port if link is None else link}, {baud} baud")
        began = time.monotonic()
        with suppress(KeyboardInterrupt):
            while seconds is None or time.monotonic() - began < seconds:
                time.sleep(0.1)
    served = round(time.monotonic() - began, 1)
    return Outcome(
        {"port": port, "baud": baud, "seconds": served},
        [Sheet(str(build), [("port", port), ("seconds", f"{served:.1f}")])],
    )
