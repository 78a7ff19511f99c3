"""`spikefold images`; the formats are read back in tests/sw."""

from cli_case import fields, invoke, model_file, refused, tree


def test_images_of_a_build_are_written_beside_it(tmp_path):
    assert invoke("compile", model_file(tmp_path), "-o", tmp_path / "build", "-q").exit_code == 0
    found = fields(invoke("images", tmp_path / "build", "--format", "mem", "--json"))
    assert found["output"] == str(tmp_path / "build-mem")
    written, kept = tree(tmp_path / "build-mem"), tree(tmp_path / "build" / "mem")
    assert written == {name: data for name, data in kept.items() if name.endswith(".mem")}
    assert {image["file"] for image in found["images"]} == written.keys()
    for image in found["images"]:
        assert len(written[image["file"]].split()) == image["rows"]
    (tmp_path / "coe").mkdir()
    (tmp_path / "coe" / "mine.txt").write_text("stays")
    assert ".coe" in invoke("images", tmp_path / "build", "--format", "coe", "-o", tmp_path / "coe").stdout
    assert len(tree(tmp_path / "coe")) == len(written) + 1
    refused(invoke("images", tmp_path / "build", "--format", "hex"), 3, "Format must be one of coe, ")
