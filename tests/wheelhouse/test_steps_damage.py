"""A finished output that was harmed later, and a disk that fills up while one is being made."""

import errno
from pathlib import Path

import pytest

from wheelhouse.errors import ResourceError
from wheelhouse.steps import Step, ensure


def write(folder: Path) -> None:
    (folder / "file").write_text("made", encoding="utf-8")


def missing(folder: Path) -> str | None:
    return None if (folder / "file").exists() else "file is gone"


def test_harmed_output_is_made_again_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = Step(name="demo", output=tmp_path / "out", inputs={"a": "1"})
    assert ensure(step, write, damage=missing).ran
    assert not ensure(step, write, damage=missing).ran
    (step.output / "file").unlink()
    outcome = ensure(step, write, damage=missing)
    assert outcome.ran
    assert outcome.why == "file is gone"
    assert "demo: file is gone" in capsys.readouterr().err
    assert (step.output / "file").read_text(encoding="utf-8") == "made"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ResourceError("full")])
def test_full_disk_is_explained_and_our_part_of_it_freed(tmp_path: Path, error: Exception) -> None:
    def fill(folder: Path) -> None:
        (folder / "big").write_bytes(b"x" * 1000)
        raise error

    step = Step(name="demo", output=tmp_path / "out", inputs={})
    with pytest.raises(ResourceError):
        ensure(step, fill)
    assert not list(tmp_path.rglob("big"))


def test_other_errors_of_the_system_pass(tmp_path: Path) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "no")

    with pytest.raises(PermissionError):
        ensure(Step(name="demo", output=tmp_path / "out", inputs={}), refuse)
