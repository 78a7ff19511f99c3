"""`spikefold cache`: what is kept, and how to be rid of it."""

import pytest
from cli_case import fields, invoke, refused

from spikefold.flow.cache import Cache


@pytest.fixture(autouse=True)
def filled(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for key, size in (("a", 1000), ("b", 2000)):
        Cache("data").get(key, lambda folder, size=size: (folder / "x").write_bytes(bytes(size)))


def test_show():
    found = fields(invoke("cache", "--json"))
    assert found["kinds"]["data"]["entries"] == 2
    assert 3000 < found["kinds"]["data"]["bytes"] == found["bytes"] < 4000
    assert found["kinds"]["simulators"] == {"entries": 0, "bytes": 0}
    assert found["limit"] == 4_000_000_000
    shown = invoke("cache", "show")
    assert shown.exit_code == 0
    assert "data" in shown.stdout
    assert "The limit is 4 000.0 MB." in shown.stdout


def test_clear(tmp_path):
    found = fields(invoke("cache", "clear", "--json"))
    assert found["bytes"] == 0
    assert fields(invoke("cache", "--json"))["kinds"]["data"]["entries"] == 0
    assert list((tmp_path / "spikefold" / "data").iterdir()) == []


def test_errors(monkeypatch):
    assert invoke("cache", "burn").exit_code == 2
    monkeypatch.setenv("SPIKEFOLD_CACHE_GB", "lots")
    refused(
        invoke("cache"),
        3,
        "Environment variable SPIKEFOLD_CACHE_GB must be a number of gigabytes",
    )
