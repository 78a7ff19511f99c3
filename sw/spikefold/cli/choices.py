"""Command line options made from configuration classes."""

from collections.abc import Callable
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

import click

F = TypeVar("F", bound=Callable[..., Any])


def flag_of(name: str) -> str:
    """The option of a field."""
    return "--" + name.replace("_", "-")


def options_of(*kinds: type) -> Callable[[F], F]:
    """Add an option for every field of some configuration classes, one for fields of one name.

    A field's type, default and `help` make the option; text serves where several types do.
    """
    chosen: dict[str, tuple[Any, Any, str]] = {}
    for kind in kinds:
        hints = get_type_hints(kind)
        for one in fields(kind):
            chosen.setdefault(one.name, (hints[one.name], one.default, one.metadata["help"]))

    def decorate(command: F) -> F:
        for name, (hint, default, text) in reversed(chosen.items()):
            shown = default is not None
            flag = flag_of(name)
            kind = _kind(hint)
            flag += f"/--no-{flag[2:]}" if kind is bool else ""
            option = click.option(flag, type=kind, default=default, show_default=shown, help=text)
            command = option(command)
        return command

    return decorate


def _kind(hint: Any) -> type:
    """The one plain type of a field, or text."""
    members = set(get_args(hint) if isinstance(hint, UnionType) else (hint,)) - {NoneType}
    return members.pop() if len(members) == 1 else str
