"""Dataclasses and plain values: there and back, and every mistake is named with its path."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from spikefold.codec import decode, encode
from spikefold.errors import InputError, ModelError
from spikefold.ir.maps import Map


@dataclass(frozen=True)
class Step:
    name: str


@dataclass(frozen=True)
class Sum(Step):
    sources: tuple[str, str]


@dataclass(frozen=True)
class Pool(Step):
    map: Map
    how: Literal["sum", "max", 1]


@dataclass(frozen=True)
class Limit:
    top: int

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ModelError(f"Top must be at least 1, not {self.top!r}")


@dataclass(frozen=True)
class Whole:
    flag: bool
    count: int
    share: float
    text: str
    limit: Limit | None
    mean: float | tuple[float, ...]
    steps: tuple[Step, ...]
    last: Sum | Pool
    pairs: tuple[tuple[int, int], ...]
    sizes: dict[str, int]
    options: dict[str, Any] = field(default_factory=dict)


KINDS = {"sum": Sum, "pool": Pool}
POOL = Pool("pool", Map(2, 3, 4), "max")
WHOLE = Whole(
    True,
    3,
    0.5,
    "t",
    Limit(2),
    (1.0, 2.0),
    (POOL, Sum("sum", ("a", "b"))),
    POOL,
    ((1, 2),),
    {"a": 1},
    {"b": [1]},
)


def test_everything_comes_back_through_json() -> None:
    data = json.loads(json.dumps(encode(WHOLE, KINDS)))
    assert data == encode(WHOLE, KINDS)
    assert decode(Whole, data, "Whole", KINDS) == WHOLE
    assert data["last"] == {"kind": "pool", "name": "pool", "map": [2, 3, 4], "how": "max"}
    assert [step["kind"] for step in data["steps"]] == ["pool", "sum"]
    bare = Whole(False, 0, 1.0, "", None, 0.5, (), Sum("s", ("a", "b")), (), {})
    assert decode(Whole, encode(bare, KINDS), "Whole", KINDS) == bare


def test_a_whole_number_is_taken_for_a_float() -> None:
    found = decode(Whole, changed(share=1, mean=[1]), "Whole", KINDS)
    assert found.mean == (1.0,)
    assert {type(found.share), *map(type, found.mean)} == {float}


def changed(**values: object) -> dict[str, Any]:
    return {**encode(WHOLE, KINDS), **values}


POOL_DATA: dict[str, Any] = encode(POOL, KINDS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"^Whole must be a table, not \[\]$"),
        (changed(flag=1), r"^Whole flag must be of type bool, not 1$"),
        (changed(count=True), r"^Whole count must be of type int, not True$"),
        (changed(count=1.0), r"^Whole count must be of type int, not 1\.0$"),
        (changed(share="1"), r"^Whole share must be of type float, not '1'$"),
        (changed(share=False), r"^Whole share must be of type float, not False$"),
        (changed(share=10**400), r"^Whole share must be of type float, not an integer of 1329 bits$"),
        (changed(text=None), r"^Whole text must be of type str, not None$"),
        (changed(limit=3), r"^Whole limit must be a table, not 3$"),
        (changed(limit={"top": "x"}), r"^Whole limit\.top must be of type int, not 'x'$"),
        (changed(limit={"top": 0}), r"^Top must be at least 1, not 0$"),
        (changed(limit={}), r"^Whole must have the key 'limit\.top'$"),
        (changed(mean="ab"), r"^Whole mean must be of type float or a list, not 'ab'$"),
        (changed(mean=[1, "b"]), r"^Whole mean\[1\] must be of type float, not 'b'$"),
        (changed(steps={}), r"^Whole steps must be a list, not \{\}$"),
        (changed(steps=[3]), r"^Whole steps\[0\] must be a table, not 3$"),
        (changed(steps=[{"name": "a"}]), r"^Whole must have the key 'steps\[0\]\.kind'$"),
        (
            changed(steps=[{"kind": "add"}]),
            r"^Whole steps\[0\]\.kind must be one of 'sum', 'pool', not 'add'$",
        ),
        (changed(steps=[{"kind": []}]), r"^Whole steps\[0\]\.kind must be one of 'sum', 'pool', not \[\]$"),
        (
            changed(last={"kind": "sum", "name": "s", "sources": ["a"]}),
            r"^Whole last\.sources must be a list of 2, not \['a'\]$",
        ),
        (
            changed(last={"kind": "sum", "name": "s", "source": []}),
            r"^Whole key 'last\.source' is unknown; did you mean 'last\.sources'\?$",
        ),
        (changed(last=POOL_DATA | {"map": [1, 2]}), r"^Whole last\.map must be a list of 3, not \[1, 2\]$"),
        (
            changed(last=POOL_DATA | {"map": [1, 2, 3.5]}),
            r"^Whole last\.map\[2\] must be of type int, not 3\.5$",
        ),
        (
            changed(last=POOL_DATA | {"how": "min"}),
            r"^Whole last\.how must be one of 'sum', 'max', 1, not 'min'$",
        ),
        (
            changed(last=POOL_DATA | {"how": True}),
            r"^Whole last\.how must be one of 'sum', 'max', 1, not True$",
        ),
        (changed(pairs=[[1, 2], [3, "x"]]), r"^Whole pairs\[1\]\[1\] must be of type int, not 'x'$"),
        (changed(pairs=["ab"]), r"^Whole pairs\[0\] must be a list of 2, not 'ab'$"),
        (changed(sizes=[]), r"^Whole sizes must be a table, not \[\]$"),
        (changed(sizes={"a": 0.5}), r"^Whole sizes\.a must be of type int, not 0\.5$"),
        (changed(options=3), r"^Whole options must be a table, not 3$"),
        (changed(zzz=3), r"^Whole key 'zzz' is unknown; known keys: flag, count, .*, options$"),
        ({k: v for k, v in changed().items() if k != "options"}, r"^Whole must have the key 'options'$"),
    ],
)
def test_mistakes_are_named(data: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode(Whole, data, "Whole", KINDS)


def test_keys_with_defaults_may_be_missing_where_the_caller_says_so() -> None:
    data = {key: value for key, value in changed().items() if key != "options"}
    assert decode(Whole, data, "Whole", KINDS, defaults=True).options == {}
    del data["text"]
    with pytest.raises(InputError, match=r"^Whole must have the key 'text'$"):
        decode(Whole, data, "Whole", KINDS, defaults=True)


def test_what_is_not_plain_is_not_encoded() -> None:
    with pytest.raises(TypeError, match=r"^A value to encode must be a dataclass or plain, not set$"):
        encode(Step({"name"}))  # type: ignore[arg-type] # the wrong type is the point

    @dataclass(frozen=True)
    class Tagged:
        kind: str

    kinds: Mapping[str, type] = {"tagged": Tagged}
    with pytest.raises(TypeError, match=r"^Tagged must have no field 'kind' beside its tag$"):
        encode(Tagged("x"), kinds)
    assert encode(Tagged("x")) == {"kind": "x"}
