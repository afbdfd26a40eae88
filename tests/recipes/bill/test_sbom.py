import json
import zipfile
from dataclasses import replace

import pytest

from recipes.bill.sbom import (
    PROVENANCE_NAME,
    SBOM_NAME,
    Artifact,
    Binary,
    Materials,
    Patch,
    Source,
    binaries_in,
    sbom_files,
    write_sboms,
)
from recipes.bill.sbom_embed import embed_sboms
from wheelhouse.errors import InputError

MATERIALS = Materials(
    name="onnxruntime-genai-directml",
    version="0.15.2+dmlwheelhouse.1",
    licence="MIT",
    recipe="dml",
    recipe_hash="a" * 64,
    sources=(
        Source(name="genai", url="https://github.com/microsoft/onnxruntime-genai", commit="b" * 40, licence="MIT"),
    ),
    artifacts=(
        Artifact(name="ort", version="1.24.4", filename="ort.whl", sha256="c" * 64, purl="pkg:pypi/ort@1.24.4"),
    ),
    patches=(Patch(applies_to="genai", file="warp.patch", sha256="d" * 64, reason="Lets WARP through."),),
    toolchain={"cl": "19.40"},
    epoch=1_700_000_000,
)


def components(text):
    return {c["bom-ref"]: c for c in json.loads(text)["components"]}


def test_sources_artifacts_binaries_and_patches_are_in_the_sbom():
    made = replace(MATERIALS, binaries=(Binary(path="p/x.dll", sha256="e" * 64, origin="genai"),))
    text = sbom_files(made)[SBOM_NAME]
    found = components(text)
    genai = found["source:genai"]
    assert genai["pedigree"]["commits"][0]["uid"] == "b" * 40
    assert "Lets WARP through." in genai["pedigree"]["notes"]
    assert found["artifact:ort"]["purl"] == "pkg:pypi/ort@1.24.4"
    assert found["file:p/x.dll"]["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]
    assert {"ref": "file:p/x.dll", "dependsOn": ["source:genai"]} in json.loads(text)["dependencies"]


def test_equal_materials_give_equal_text_and_other_ones_another_serial():
    assert sbom_files(MATERIALS) == sbom_files(replace(MATERIALS))
    other = sbom_files(replace(MATERIALS, recipe_hash="f" * 64))
    first = json.loads(sbom_files(MATERIALS)[SBOM_NAME])
    assert first["serialNumber"] != json.loads(other[SBOM_NAME])["serialNumber"]


def test_the_sbom_is_valid_cyclonedx():
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom_files(MATERIALS)[SBOM_NAME]) is None


def test_files_are_written_below_dist_info(tmp_path):
    sbom, provenance = write_sboms(tmp_path / "x-1.dist-info", MATERIALS)
    assert sbom == tmp_path / "x-1.dist-info" / SBOM_NAME
    assert json.loads(provenance.read_text(encoding="utf-8"))["recipe_hash"] == "a" * 64


def test_binaries_are_found_by_content_not_by_name(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "lib.bin").write_bytes(b"\x7fELF rest")
    (tmp_path / "text.dll").write_bytes(b"not a binary")
    assert [b.path for b in binaries_in(tmp_path, lambda _: "genai")] == ["sub/lib.bin"]


def make_wheel(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x-1.dist-info/METADATA", "Name: x\n")
        archive.writestr("x/lib.dll", b"MZ rest")
        archive.writestr("x-1.dist-info/RECORD", "")
    return path


def test_embedding_twice_from_the_same_wheel_gives_the_same_bytes(tmp_path):
    first, second = make_wheel(tmp_path / "a.whl"), make_wheel(tmp_path / "b.whl")
    embed_sboms(first, MATERIALS, origin_of=lambda _: "genai")
    embed_sboms(second, MATERIALS, origin_of=lambda _: "genai")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
        assert names[-1] == "x-1.dist-info/RECORD"
        assert f"x-1.dist-info/{PROVENANCE_NAME}" in names
        assert "file:x/lib.dll" in components(archive.read(f"x-1.dist-info/{SBOM_NAME}"))


def test_embedding_refuses_what_is_not_a_wheel(tmp_path):
    (tmp_path / "x.whl").write_bytes(b"no")
    with pytest.raises(InputError, match="not a readable wheel"):
        embed_sboms(tmp_path / "x.whl", MATERIALS)
    with zipfile.ZipFile(tmp_path / "y.whl", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(InputError, match="no RECORD"):
        embed_sboms(tmp_path / "y.whl", MATERIALS)
