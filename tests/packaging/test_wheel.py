"""The wheel: everything that the code reads is in it, and it runs without the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("sw", "hw", "sim", "boards")
NAMES = ("spikefold", "spikefold_hw", "spikefold_sim", "spikefold_boards")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    for name in (*PLACES, "examples"):
        shutil.copytree(ROOT / name, source / name, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w")
    subprocess.run([*command, folder, source], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def expected():
    """Files of the packages by their name in the wheel; caches and what a build leaves are none."""
    found = set()
    for place, name in zip(PLACES, NAMES, strict=True):
        for folder, folders, files in os.walk(ROOT / place / name, followlinks=True):
            folders[:] = [each for each in folders if each != "__pycache__"]
            found |= {(Path(folder) / file).relative_to(ROOT / place).as_posix() for file in files}
    return found


def test_holds_every_file_of_the_packages(wheel):
    with zipfile.ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
    assert held == expected()
    assert "spikefold/examples/recipes/pit_cifar10.toml" in held
    assert any(name.endswith(".cpp") for name in held)
    assert any(name.endswith(".j2") for name in held)


def test_runs_without_the_repository(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "installed")
    code = (
        "import sys, spikefold; assert spikefold.__file__.startswith(sys.argv.pop(1)), spikefold.__file__\n"
        "from spikefold.cli import main; main(['examples', '-q'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "installed")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shipped = {p.relative_to(ROOT / "examples"): p.read_bytes() for p in files(ROOT / "examples")}
    written = {p.relative_to(tmp_path / "examples"): p.read_bytes() for p in files(tmp_path / "examples")}
    assert written == shipped
    assert written


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]
