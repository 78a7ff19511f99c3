"""`spikefold examples`."""

from pathlib import Path

from cli_case import fields, invoke, refused, tree

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_copies_all_and_again(tmp_path):
    for _ in range(2):
        found = fields(invoke("examples", tmp_path / "mine", "--json"))
        assert tree(tmp_path / "mine") == tree(EXAMPLES)
        assert found["files"] == sorted(tree(EXAMPLES))


def test_into_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "recipes/pit_cifar10.toml" in invoke("examples").stdout
    assert tree(tmp_path / "examples") == tree(EXAMPLES)


def test_other_files_are_left_alone(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "mnist.toml").write_text("mine")
    refused(
        invoke("examples", folder), 3, r"Example '.*mnist\.toml' must be as it comes with spikefold, but "
    )
    assert tree(folder) == {"notes.txt": b"mine", "mnist.toml": b"mine"}
    refused(invoke("examples", folder / "notes.txt"), 3, r"Folder of examples must be a directory, but '")
    (folder / "mnist.toml").unlink()
    assert invoke("examples", folder).exit_code == 0
    assert tree(folder) == {"notes.txt": b"mine", **tree(EXAMPLES)}
