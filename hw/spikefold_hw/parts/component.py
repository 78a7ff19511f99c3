"""A component, for annotations: in the type stubs it is generic, in Amaranth it is not."""

from typing import TYPE_CHECKING, Any

from amaranth.lib import wiring

if TYPE_CHECKING:
    AnyComponent = wiring.Component[Any]
else:
    AnyComponent = wiring.Component

__all__ = ["AnyComponent"]
