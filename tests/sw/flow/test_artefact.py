"""An artefact that cannot be is refused; one that can says what it holds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import spikefold.flow
from spikefold.errors import InputError
from spikefold.flow.artefact import Artefact, Clock


@pytest.fixture
def verilog(tmp_path):
    (tmp_path / "a.v").write_text("")
    return tmp_path / "a.v"


def test_names_and_images_are_those_of_the_files(verilog, tmp_path):
    (tmp_path / "mem").mkdir()
    for name in ("b.mem", "a.mem", "a.bin"):
        (tmp_path / "mem" / name).write_text("")
    artefact = Artefact((verilog,), "top", tmp_path / "mem")
    assert artefact.names == ["a.v"]
    assert [path.name for path in artefact.images] == ["a.mem", "b.mem"]
    (tmp_path / "job").mkdir()
    artefact.link_images(tmp_path / "job")
    assert (tmp_path / "job" / "mem" / "a.mem").is_file()
    bare = Artefact((verilog,), "top")
    assert bare.images == []
    bare.link_images(tmp_path / "job")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top": "a; b"}, r"^Top module must be named by a Verilog identifier, not 'a; b'$"),
        ({"top": "2x"}, r"^Top module must be named by a Verilog identifier, not '2x'$"),
        ({"rtl": ()}, r"^Verilog files must be given, not \(\)$"),
        ({"rtl": (Path("none.v"),)}, r"^Verilog file must exist, but 'none\.v' does not$"),
        ({"mem": Path("none")}, r"^Folder of memory images must exist, but 'none' does not$"),
    ],
)
def test_what_is_not_there_is_refused(verilog, arguments, message):
    with pytest.raises(InputError, match=message):
        Artefact(**({"rtl": (verilog,), "top": "top"} | arguments))


def test_bad_file_names_are_refused(verilog, tmp_path):
    quoted = tmp_path / 'a".v'
    quoted.write_text("")
    with pytest.raises(InputError, match=r"^Verilog file must have a name of letters.*, not 'a\"\.v'$"):
        Artefact((quoted,), "a")
    with pytest.raises(InputError, match=r"^Verilog files must have distinct names, not \['a\.v', 'a\.v'\]$"):
        Artefact((verilog, verilog), "a")


def test_ports_that_are_not_known_are_missed(verilog):
    with pytest.raises(InputError, match=r"^Ports of 'top' must be known to simulate it, not None$"):
        _ = Artefact((verilog,), "top").streams


@pytest.mark.parametrize("mhz", [0, -1.0, float("inf"), float("nan")])
def test_impossible_clocks_are_refused(mhz):
    message = rf"^Clock frequency must be a positive number of MHz, not {re.escape(repr(mhz))}$"
    with pytest.raises(InputError, match=message):
        Clock(mhz=mhz)
    with pytest.raises(
        InputError, match=r"^Clock and reset must be named by Verilog identifiers, not 'a b'$"
    ):
        Clock("a b")


def test_the_flow_needs_nothing_of_this_project_but_errors_and_files():
    modules = sorted(path.stem for path in Path(spikefold.flow.__file__).parent.glob("[a-z]*.py"))
    code = f"import sys\nfor name in {modules}: __import__('spikefold.flow.' + name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.split(".")[0].startswith("spikefold")}
    flow = {"spikefold.flow", *(f"spikefold.flow.{name}" for name in modules)}
    assert ours - flow == {"spikefold", "spikefold.errors", "spikefold.files"}
    assert not {"torch", "amaranth", "cocotb"} & set(done.stdout.split())
