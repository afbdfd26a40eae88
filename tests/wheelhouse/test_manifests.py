import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheelhouse import manifests
from wheelhouse.steps import Step, ensure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "sub").mkdir(parents=True)
    (made / "model.onnx").write_bytes(b"graph")
    (made / "sub" / "weights").write_bytes(b"weights")
    (made / ".step.json").write_text("ours, written later", encoding="utf-8")
    return made


def touch(path: Path) -> None:
    times = path.stat()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1_000_000_000))


def test_whole_folder_has_no_damage_and_a_stable_key(folder: Path) -> None:
    written = manifests.write(folder)
    assert manifests.damage(folder) is None
    assert manifests.key(folder) == written
    (folder / ".step.json").write_text("changed", encoding="utf-8")
    assert manifests.damage(folder) is None


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda f: (f / "sub" / "weights").unlink(), "sub/weights is gone"),
        (lambda f: (f / "sub" / "weights").write_bytes(b"weig"), "sub/weights has 4 bytes instead of 7"),
        (lambda f: ((f / "model.onnx").write_bytes(b"gxaph"), touch(f / "model.onnx")), "model.onnx has been changed"),
        (lambda f: (f / manifests.MANIFEST).unlink(), "list of files is missing"),
        (lambda f: (f / manifests.MANIFEST).write_text("{", encoding="utf-8"), "list of files is missing"),
    ],
)
def test_damage_is_named(folder: Path, harm, says: str) -> None:  # type: ignore[no-untyped-def]
    manifests.write(folder)
    harm(folder)
    assert says in (manifests.damage(folder) or "")


def test_same_content_under_new_times_is_hashed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = manifests.write(folder)
    touch(folder / "model.onnx")
    assert manifests.damage(folder) is None
    monkeypatch.setattr(manifests, "sha256_file", lambda _: pytest.fail("hashed again"))
    assert manifests.damage(folder) is None
    assert manifests.key(folder) == before


@settings(max_examples=25)  # each lays three folders; of names that are no device on Windows
@given(st.dictionaries(st.from_regex(r"x[a-z]{1,4}", fullmatch=True), st.binary(max_size=20), min_size=1), st.data())
def test_key_depends_on_names_and_contents_alone(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], data: st.DataObject
) -> None:
    def lay(content: dict[str, bytes]) -> str:
        folder = tmp_path_factory.mktemp("keys")
        for name, value in content.items():
            (folder / name).write_bytes(value)
        return manifests.write(folder)

    changed = data.draw(st.sampled_from(sorted(files)))
    assert lay(files) == lay(dict(reversed(files.items())))
    assert lay(files) != lay(files | {changed: files[changed] + b"!"})


def test_foreign_folder_is_hashed_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = tmp_path / "memory.json"
    first = manifests.remember(folder, ["model.onnx"], memory)
    with monkeypatch.context() as patch:
        patch.setattr(manifests, "sha256_file", lambda _: pytest.fail("hashed again"))
        assert manifests.remember(folder, ["model.onnx"], memory) == first
    (folder / "model.onnx").write_bytes(b"another graph")
    assert manifests.remember(folder, ["model.onnx"], memory) != first


def flip(path: Path) -> None:
    """Change a byte and no time, as a bad disk does."""
    times = path.stat()
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_bad_disk_is_seen_by_those_who_doubt(folder: Path) -> None:
    manifests.write(folder)
    flip(folder / "model.onnx")
    assert manifests.damage(folder) is None
    with manifests.doubting() as found:
        assert manifests.damage(folder) == "model.onnx has been changed"
        manifests.report_damage("export: model.onnx has been changed")
    assert found == ["export: model.onnx has been changed"]
    assert not manifests.doubted()


def test_a_step_makes_again_what_was_damaged_and_tells_it(tmp_path: Path) -> None:
    def make(partial: Path) -> None:
        (partial / "weights").write_bytes(b"weights")
        manifests.write(partial)

    step = Step(name="export x", output=tmp_path / "out", inputs={"a": "b"})
    ensure(step, make, damage=manifests.damage)
    flip(step.output / "weights")
    assert not ensure(step, make, damage=manifests.damage).ran
    with manifests.doubting() as found:
        assert ensure(step, make, damage=manifests.damage).ran
    assert set(found) == {"export x: weights has been changed"}
    assert (step.output / "weights").read_bytes() == b"weights"


@pytest.mark.parametrize("wanted", [True, False])
def test_verifying_is_doubting_when_it_is_wanted(wanted: bool) -> None:
    with manifests.verifying(wanted):
        assert manifests.doubted() is wanted
