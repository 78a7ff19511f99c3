"""Builds from elsewhere: nothing of them runs that their network and plan do not make."""

import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from cli_case import features, invoke, refused, tiny_model

import spikefold
from spikefold import design as design_module
from spikefold import origin
from spikefold.errors import BuildError
from spikefold.flow.cache import Cache
from spikefold.manifest import MANIFEST, digest_of

MARKER = "this-ran"
RUNS = (
    lambda design: design.simulate(features(2)[0]),
    lambda design: design.verify(features(2)[0]),
    lambda design: design.verify(features(2)[0], simulator="native"),
    lambda design: design.synth("ecp5-25k"),
)


@pytest.fixture
def foreign(original, tmp_path, monkeypatch):
    """A build of somebody else: this user's cache knows nothing of it."""
    monkeypatch.setattr(origin, "Cache", lambda kind: Cache(kind, tmp_path / "cache"))
    return shutil.copytree(original, tmp_path / "tiny")


def sign(path, *, add=(), change=None):
    """What whoever alters a build does last."""
    manifest = json.loads((path / MANIFEST).read_text())
    del manifest["sha256"]
    for name in (*manifest["files"], *add):
        if (path / name).is_file():
            manifest["files"][name] = hashlib.sha256((path / name).read_bytes()).hexdigest()
    manifest["rtl"] = sorted(name for name in manifest["files"] if name.startswith("rtl/"))
    if change is not None:
        change(manifest)
    manifest["sha256"] = digest_of(manifest)
    (path / MANIFEST).write_text(json.dumps(manifest))


def arm(path, file):
    """Let Verilog run a program."""
    text = f'initial $system("touch {path.parent / MARKER}");\n'
    file.parent.mkdir(exist_ok=True)
    old = file.read_text() if file.is_file() else "module m;\nendmodule\n"
    file.write_text(text.join(old.rsplit("endmodule", 1)).replace(";\n\n", ";\nendmodule\n", 1))


def differs(name):
    return rf"^File '{re.escape(name)}' of build '.*' must be what this version writes .* but differs: it was"


@pytest.mark.parametrize("run", RUNS)
def test_verilog_with_a_system_task_never_runs(foreign, run):
    arm(foreign, foreign / "rtl" / "tiny_top.v")
    assert "$system" in (foreign / "rtl" / "tiny_top.v").read_text()
    sign(foreign)
    loaded = spikefold.load(foreign)
    with pytest.raises(BuildError, match=differs("rtl/tiny_top.v")):
        run(loaded)
    assert not (foreign.parent / MARKER).exists()


@pytest.mark.parametrize("name", ["rtl/more.v", "models/more.v"])
def test_verilog_that_no_compile_writes_never_runs(foreign, name):
    arm(foreign, foreign / name)
    sign(foreign, add=(name,))
    loaded = spikefold.load(foreign)
    with pytest.raises(BuildError, match=rf"^Build '.*' must hold nothing but .* but holds '{name}'; comp"):
        loaded.simulate(features(2)[0])
    assert not (foreign.parent / MARKER).exists()


def test_verilog_without_a_file(foreign):
    (foreign / "rtl" / "tiny_core.v").unlink()
    sign(foreign, change=lambda manifest: drop(manifest, "rtl/tiny_core.v"))
    loaded = spikefold.load(foreign)
    with pytest.raises(BuildError, match=r"^File 'rtl/tiny_core\.v' of .* but is missing: it was"):
        loaded.simulate(features(2)[0])


def drop(manifest, name):
    del manifest["files"][name]
    manifest["rtl"].remove(name)


@pytest.mark.parametrize("kind", ["mem", "bin"])
def test_an_altered_image_is_not_loaded(foreign, kind):
    file = foreign / "mem" / f"layer0_weight0.{kind}"
    data = bytearray(file.read_bytes())
    data[0] = ord("1") if data[0] != ord("1") else ord("2")
    file.write_bytes(data)
    sign(foreign)
    with pytest.raises(BuildError, match=differs(f"mem/layer0_weight0.{kind}")):
        spikefold.load(foreign)


def test_one_image_too_many_is_not_loaded(foreign):
    (foreign / "mem" / "more.mem").write_text("0\n")
    sign(foreign, add=("mem/more.mem",))
    with pytest.raises(BuildError, match=r"holds 'mem/more\.mem'"):
        spikefold.load(foreign)


def test_another_network_is_not_loaded(foreign, tmp_path):
    """Its images are those of the network that was there."""
    spikefold.compile(tiny_model(seed=1), name="tiny", fit_to=spikefold.load(foreign)).write(tmp_path / "b")
    shutil.copy(tmp_path / "b" / "network.npz", foreign / "network.npz")
    sign(foreign)
    with pytest.raises(BuildError, match=r"^File 'mem/.*' of build '.*' must be what this version writes"):
        spikefold.load(foreign)


def test_a_build_from_elsewhere_that_is_as_it_should_be_runs_and_is_compared_once(
    foreign, design, monkeypatch
):
    x, emitted, emit = features(3)[0], [], design_module.emit
    monkeypatch.setattr(design_module, "emit", lambda *arguments: (emitted.append(1), emit(*arguments))[1])
    for times in (1, 1):
        found = spikefold.load(foreign).simulate(x)
        assert np.array_equal(found.logits, design.golden(x).logits)
        assert len(emitted) == times


def test_this_users_own_build_is_not_written_again_to_be_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "Cache", lambda kind: Cache(kind, tmp_path / "cache"))
    spikefold.compile(tiny_model(), name="tiny").write(tmp_path / "own")

    def never(*_):
        raise AssertionError("emitted again")

    monkeypatch.setattr(design_module, "emit", never)
    path = shutil.copytree(tmp_path / "own", tmp_path / "moved")  # wherever it lies
    assert len(spikefold.load(path).simulate(features(3)[0]).classes) == 3


def test_a_known_build_that_is_altered_and_signed_is_another(original, tmp_path):
    path = shutil.copytree(original, tmp_path / "tiny")
    arm(path, path / "rtl" / "tiny_top.v")
    sign(path)
    with pytest.raises(BuildError, match=differs("rtl/tiny_top.v")):
        spikefold.load(path).simulate(features(2)[0])


def test_a_design_whose_build_was_replaced_runs_as_it_was_loaded(original, tmp_path):
    path, x = shutil.copytree(original, tmp_path / "tiny"), features(20)[0]
    loaded = spikefold.load(path)
    other = spikefold.compile(tiny_model(seed=1), name="tiny")
    other.write(path)
    assert not np.array_equal(loaded.golden(x).logits, other.golden(x).logits)
    assert np.array_equal(loaded.simulate(x).logits, loaded.golden(x).logits)
    assert np.array_equal(spikefold.load(path).simulate(x).logits, other.golden(x).logits)


def test_on_the_command_line_it_is_one_line(foreign, tmp_path):
    arm(foreign, foreign / "rtl" / "tiny_top.v")
    sign(foreign)
    np.save(tmp_path / "x.npy", features(2)[0])
    refused(invoke("simulate", foreign, "--input", tmp_path / "x.npy"), 3, differs("rtl/tiny_top.v"))
    assert not (tmp_path / MARKER).exists()
