"""Texts and plain values of any kind: read, or refused with a documented error."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from mutations import HOSTILE, TOML_VALUES, edit_toml, edited, to_text
from properties import EXAMPLES, NUMBERS, VALUES, documented, holds

import spikefold
from spikefold.errors import InputError
from spikefold.formats.plain import parse_json, read_toml
from spikefold.formats.text import read_text, read_verilog
from spikefold.nn.description import parse
from spikefold.train import Recipe

DIGITS = Path(__file__).parents[3] / "examples" / "digits.toml"


def check_text(text: str | bytes) -> None:
    assert documented(lambda: parse_json(text, "It"))


def check_whole(value: Any) -> None:
    assert documented(lambda: Recipe.from_dict(value))


@pytest.mark.parametrize("examples", EXAMPLES)
def test_json_is_read_or_refused(examples: int) -> None:
    holds(examples, st.text() | st.binary(), check_text)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_json_that_python_writes_comes_back(examples: int) -> None:
    def check(value: Any) -> None:
        text = json.dumps(value)
        assert parse_json(text, "It") == json.loads(text)

    numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
    letters = st.text(st.characters(exclude_categories=["Cs"]))
    leaves = st.none() | st.booleans() | letters | numbers
    values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(letters, inner))
    holds(examples, values, check)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[" * 65 + "]" * 65, "nested at most 64 deep"),
        ("9" * 5000, "at most 20 digits, not 5000"),
        (str(2**64), "at most 64 bits"),
        ("NaN", "must be finite, not NaN"),
        ('{"a": 1, "a": 2}', "one comes twice"),
        ('"\\ud800"', "without lone surrogates"),
        (b"\xff", "can't decode"),
        ("1" * (9 << 20), "at most 8.0 MiB, but has 9.0 MiB"),
    ],
)
def test_what_json_may_not_be(text: str | bytes, why: str) -> None:
    with pytest.raises(InputError, match=rf"^It must (be JSON: |have ).*{why}"):
        parse_json(text, "It")


@pytest.mark.parametrize("examples", EXAMPLES)
def test_recipes_of_any_values(examples: int) -> None:
    recipe = {"data": {"name": "digits"}, "model": {"hidden": [8]}, "training": {"epochs": 2}}
    keys = {
        "data": ("name", "seed", "steps", "size", "split"),
        "model": ("kind", "hidden", "channels", "width", "blocks", "neuron", "levels", "steps", "mean"),
        "training": ("epochs", "weight_bits", "validation", "seed", "learning_rate", "mixup"),
    }
    places = st.sampled_from([(table, key) for table, names in keys.items() for key in names])

    def check(changes: list[tuple[tuple[str, str], Any]]) -> None:
        table: dict[str, Any] = json.loads(json.dumps(recipe))
        for (name, key), value in changes:
            table[name][key] = value
        assert documented(lambda: list(Recipe.from_dict(table).training.validated_epochs[:2]))

    holds(examples, st.lists(st.tuples(places, VALUES | NUMBERS), min_size=1, max_size=3), check)
    holds(examples, VALUES, check_whole)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_toml_of_any_kind(tmp_path: Path, examples: int) -> None:
    path = tmp_path / "r.toml"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        assert documented(lambda: Recipe.load(path))

    keys = ("x", "a.b", "[t]\ny", "[[u]]\nz")
    lines = st.sampled_from([f"{key} = {value}\n" for key in keys for value in TOML_VALUES])
    texts = st.lists(lines, max_size=6).map(lambda found: "".join(found).encode())
    holds(examples, texts | st.binary(), check)
    edits = st.randoms(use_true_random=False).map(lambda rng: edit_toml(DIGITS.read_bytes(), rng))
    holds(examples, edits, check)


@pytest.mark.parametrize("key", ["a." * 100_000, "a . " * 100_000, '"a".' * 60_000, "[" + "a." * 100_000])
def test_keys_of_many_parts_take_no_time(tmp_path: Path, key: str) -> None:
    (tmp_path / "r.toml").write_text(f"{key}a = 1")
    with pytest.raises(InputError, match=r"^It must (be TOML: a key must|have at most)"):
        read_toml(tmp_path / "r.toml", "It")


@pytest.mark.parametrize("examples", EXAMPLES)
def test_descriptions_of_models(examples: int) -> None:
    layer = {"name": "a", "kind": "dense", "config": {}, "inputs": []}
    whole = {"schema": 2, "layers": [layer, layer], "ties": [["a", "b"]], "meta": {}}

    def check(rng: Any) -> None:
        text = to_text(edited(edited(whole, rng) if rng.randrange(2) else whole, rng)).decode()
        assert documented(lambda: parse(Path("m"), text))

    holds(examples, st.randoms(use_true_random=False), check)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_plans_of_any_values(tiny: spikefold.Design, examples: int) -> None:
    """A plan in a manifest: whatever it says is refused or fits the network."""
    plan = tiny.architecture.to_json(tiny.plan)

    def check(rng: Any) -> None:
        text = to_text(edited(plan, rng) if rng.randrange(8) else rng.choice(HOSTILE))
        assert documented(lambda: use(parse_json(text, "Plan")))

    def use(data: Any) -> None:
        found = tiny.architecture.from_json(data)
        tiny.architecture.check_fit(found, tiny.network)
        tiny.architecture.interface(found)

    holds(examples, st.randoms(use_true_random=False), check)


def test_verilog_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.v"
    path.write_bytes(b"module a; \xff endmodule")
    with pytest.raises(InputError, match=r"^Verilog file '.*a\.v' must be UTF-8 text, but is not: "):
        read_verilog(path)
    with pytest.raises(InputError, match=r"^It must have at most 4 bytes, but has more$"):
        read_text(path, "It", most=4)
    with pytest.raises(InputError, match=r"^It (was not found|must be a file)"):
        read_text(tmp_path, "It")
