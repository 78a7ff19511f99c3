"""Amaranth as a type checker sees it: what the stubs leave out or have otherwise, in one place.

A component declares its members as annotations (`advance: Signal`, `i: stream.Interface`). Amaranth ignores
them, since they are no `Member`s; they tell a type checker what the constructor's signature creates.
"""

from typing import TYPE_CHECKING, Any, cast

from amaranth.hdl import Signal
from amaranth.lib import data, stream, wiring

if TYPE_CHECKING:
    # Generic in the stubs only.
    Component = wiring.Component[Any]
    View = data.View[Any]
    Stream = stream.Interface | wiring.FlippedInterface[Any, stream.Interface]
else:
    Component = wiring.Component
    View = data.View
    Stream = stream.Interface


def view_signal(layout: data.Layout, *, name: str | None = None, reset_less: bool = False) -> View:
    """A `Signal` of a layout, which is a view; named after the variable that it is assigned to."""
    signal: Any = Signal(layout, name=name, reset_less=reset_less, src_loc_at=1)
    return cast(View, signal)
