"""One way between frozen dataclasses and the plain values of JSON and TOML.

A dataclass is a table (a JSON object) with one key per field; a tuple or `NamedTuple` is a list. A class that
the caller names in `kinds` carries its name as the key `kind`, so that a field may hold any class of a union
or any subclass: `decode` reads the tag and takes the class. Numbers are told apart: a bool is no int, and an
int is taken for a float but not the other way round. Null is allowed where a field may be None.
"""

import dataclasses
import difflib
from collections.abc import Callable, Collection, Mapping
from functools import cache
from types import MappingProxyType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from cattrs import BaseValidationError, ClassValidationError, Converter, IterableValidationError
from cattrs.cols import is_namedtuple
from cattrs.errors import IterableValidationNote
from cattrs.gen import make_dict_structure_fn

from spikefold.errors import InputError, shown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Kinds = Mapping[str, type]
"""Classes by the name that the key `kind` gives them."""
T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

_TAG = "kind"
_LONGEST = 64  # letters of a key that are compared with known ones
_NO_KINDS: Kinds = MappingProxyType({})


@overload
def encode(value: "DataclassInstance", kinds: Kinds = ...) -> dict[str, Json]: ...
@overload
def encode(value: object, kinds: Kinds = ...) -> Json: ...
def encode(value: object, kinds: Kinds = _NO_KINDS) -> Json:
    """Return plain values; `decode` with the same `kinds` reads them back.

    Parameters
    ----------
    value
        A dataclass, tuple, list, dictionary with text as keys, bool, int, float, text or None, and so inside.
    kinds
        Classes that carry a tag.

    Raises
    ------
    TypeError
        If anything in it is of another type.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {name: encode(getattr(value, name), kinds) for name in _fields(type(value))}
        tag = next((tag for tag, kind in kinds.items() if kind is type(value)), None)
        if tag is not None and _TAG in fields:
            raise TypeError(f"{type(value).__name__} must have no field {_TAG!r} beside its tag")
        return fields if tag is None else {_TAG: tag, **fields}
    if isinstance(value, tuple | list):
        return [encode(item, kinds) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: encode(item, kinds) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"A value to encode must be a dataclass or plain, not {type(value).__name__}")


def decode(
    kind: type[T],
    data: object,
    what: str,
    kinds: Kinds = _NO_KINDS,
    *,
    defaults: bool = False,
) -> T:
    """Build a `kind` from plain values.

    Parameters
    ----------
    kind
        A dataclass; its fields are annotated with dataclasses, `NamedTuple`s, tuples, dictionaries, bool,
        int, float, str, `Literal`s, and unions of these with each other and None.
    data
        What `encode` returned, or what a user wrote; nothing about it is trusted.
    what
        The name of the whole in messages, as in "Recipe".
    kinds
        Classes that carry a tag. Where a field's type is one of them, a base of some of them or a union
        with some of them, the table must have the key `kind` with the name of one that fits.
    defaults
        Whether a key may be missing where the field has a default.

    Raises
    ------
    InputError
        If a key is unknown or missing or a value is of the wrong type; the message names the path of the
        field. Errors of the classes' own checks come through as they are.
    """
    try:
        return _decoder(tuple(kinds.items()), defaults).converter.structure(data, kind)
    except (_FaultError, BaseValidationError) as error:
        raise _explained(error, what, "") from None


def unknown_key(what: str, path: str, key: str, known: Collection[str]) -> InputError:
    """Return the error for a key of the table at `path` that is none of `known`."""
    prefix = f"{path}." if path else ""
    near = difflib.get_close_matches(key[:_LONGEST], known, n=1)
    hint = f"did you mean {prefix + near[0]!r}?" if near else f"known keys: {', '.join(known)}"
    return InputError(f"{what} key {shown(prefix + key)} is unknown; {hint}")


class _FaultError(Exception):
    """What is wrong with a value, before anyone knows where in the whole it lies."""

    def at(self, what: str, path: str) -> InputError:
        """The error a user sees."""
        raise NotImplementedError


class _RefusedError(_FaultError):
    """A value, or with `key` the value of this key of it, that breaks a rule: what follows "must be"."""

    def __init__(self, rule: str, value: object, key: str = "") -> None:
        super().__init__(rule)
        self.rule, self.value, self.key = rule, value, key

    def at(self, what: str, path: str) -> InputError:
        """The error a user sees."""
        place = ".".join(filter(None, (path, self.key)))
        return InputError(f"{f'{what} {place}'.rstrip()} must be {self.rule}, not {shown(self.value)}")


class _KeyError(_FaultError):
    """A key that is missing; with `known`, one that is none of these."""

    def __init__(self, key: str, known: Collection[str] | None = None) -> None:
        super().__init__(key)
        self.key, self.known = key, known

    def at(self, what: str, path: str) -> InputError:
        """The error a user sees."""
        if self.known is not None:
            return unknown_key(what, path, self.key, self.known)
        place = ".".join(filter(None, (path, self.key)))
        return InputError(f"{what} must have the key {place!r}")


def _explained(error: Exception, what: str, path: str) -> Exception:
    """The first cause inside cattrs' groups of errors, with the path that their notes give."""
    if isinstance(error, ClassValidationError):
        for cause, field in error.group_exceptions()[0]:
            return _explained(cause, what, f"{path}.{field.name}".removeprefix("."))
    if isinstance(error, IterableValidationError):
        for cause, item in error.group_exceptions()[0]:
            place = f"[{item.index}]" if isinstance(item.index, int) else f".{item.index}"
            return _explained(cause, what, f"{path}{place}".removeprefix("."))
    if isinstance(error, BaseValidationError):
        return error.exceptions[0]
    return error.at(what, path) if isinstance(error, _FaultError) else error


class _Decoder:
    """A cattrs converter that is strict about types, keys and lengths."""

    def __init__(self, kinds: tuple[tuple[str, type], ...], defaults: bool) -> None:
        self.kinds, self.defaults = kinds, defaults
        self.converter = Converter(detailed_validation=True)
        for scalar in (bool, int, float, str):
            self.converter.register_structure_hook(scalar, _scalar)
        register = self.converter.register_structure_hook_factory
        register(_is_dataclass, self.table)
        register(_is_dictionary, self.dictionary)
        register(_is_literal, _literal)
        register(_is_sequence, self.sequence)
        register(lambda kind: _is_union(kind) or bool(self.tagged((kind,))), self.union)

    def tagged(self, members: tuple[Any, ...]) -> dict[str, type]:
        """The classes with a tag that are one of these types or derive from one."""
        return {tag: kind for tag, kind in self.kinds if any(member in kind.__mro__ for member in members)}

    def table(self, kind: type) -> Hook:
        """How to read a dataclass."""
        build: Hook = make_dict_structure_fn(kind, self.converter)
        known = _fields(kind)
        needed = _fields(kind, required=True) if self.defaults else known

        def hook(value: Any, _: Any) -> Any:
            if not isinstance(value, dict):
                raise _RefusedError("a table", value)
            for key in value:
                if key not in known:
                    raise _KeyError(key, known)
            for key in needed:
                if key not in value:
                    raise _KeyError(key)
            return build(value, kind)

        return hook

    def dictionary(self, kind: Any) -> Hook:
        """How to read a dictionary with text as keys; without a type of its values they stay as they are."""
        _, member = get_args(kind) or (str, Any)

        def hook(value: Any, _: Any) -> Any:
            if not isinstance(value, dict):
                raise _RefusedError("a table", value)
            return {key: self._item(key, item, member) for key, item in value.items()}

        return hook

    def sequence(self, kind: Any) -> Hook:
        """How to read a tuple or named tuple."""
        named = is_namedtuple(kind)
        members = tuple(get_type_hints(kind).values()) if named else get_args(kind)
        endless = members[-1] is Ellipsis
        rule = "a list" if endless else f"a list of {len(members)}"

        def hook(value: Any, _: Any) -> Any:
            if not isinstance(value, list | tuple) or not (endless or len(value) == len(members)):
                raise _RefusedError(rule, value)
            each = members[:1] * len(value) if endless else members
            items = [self._item(place, *pair) for place, pair in enumerate(zip(value, each, strict=True))]
            return kind(*items) if named else tuple(items)

        return hook

    def _item(self, place: int | str, value: Any, member: Any) -> Any:
        try:
            return self.converter.structure(value, member)
        except (_FaultError, BaseValidationError) as error:
            error.add_note(IterableValidationNote("", place, member))
            raise IterableValidationError("", [error], member) from None

    def union(self, kind: Any) -> Hook:
        """How to read a union, and a class with a tag or the base of some."""
        members = get_args(kind) if _is_union(kind) else (kind,)
        tagged = self.tagged(members)
        plain = [member for member in members if not self.tagged((member,)) and member is not type(None)]
        tables = cache(self.table)

        def hook(value: Any, _: Any) -> Any:
            if value is None and type(None) in members:
                return None
            if tagged and isinstance(value, dict):
                fields = dict(value)
                found = tagged[_tag(fields, tuple(tagged))]
                return tables(found)(fields, found)
            rules = ["a table"] if tagged else []
            for member in plain:
                try:
                    return self.converter.structure(value, member)
                except _RefusedError as error:
                    rules.append(error.rule)
            raise _RefusedError(" or ".join(dict.fromkeys(rules)), value)

        return hook


_decoder = cache(_Decoder)


def _is_dataclass(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _is_dictionary(kind: Any) -> bool:
    return (get_origin(kind) or kind) in (dict, Mapping)


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _is_sequence(kind: Any) -> bool:
    return get_origin(kind) is tuple or is_namedtuple(kind)


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _fields(kind: type, required: bool = False) -> tuple[str, ...]:
    """Names of a dataclass's fields; with `required`, of those without a default."""
    fields = [field for field in dataclasses.fields(kind) if field.init]
    unset = dataclasses.MISSING
    return tuple(f.name for f in fields if not required or f.default is f.default_factory is unset)


def _tag(fields: dict[str, Any], tags: tuple[str, ...]) -> str:
    """Take the tag out of a table."""
    if _TAG not in fields:
        raise _KeyError(_TAG)
    tag = fields.pop(_TAG)
    if tag not in tags:
        raise _RefusedError(_one_of(tags), tag, _TAG)
    return str(tag)


def _scalar(value: Any, kind: type) -> Any:
    """Take a bool, int, float or text as it is; an int as a float too."""
    if kind is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise _RefusedError("of type float", value) from None
    if type(value) is not kind:
        raise _RefusedError(f"of type {kind.__name__}", value)
    return value


def _literal(kind: Any) -> Hook:
    choices = get_args(kind)

    def hook(value: Any, _: Any) -> Any:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise _RefusedError(_one_of(choices), value)
        return value

    return hook


def _one_of(choices: tuple[object, ...]) -> str:
    return f"one of {', '.join(map(repr, choices))}"
