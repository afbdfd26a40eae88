"""No wheel stays that the audit found an error in, and none is audited twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from recipes.audit import Finding, Severity
from recipes.wheels.placing import facts_of
from recipes.wheels.proof import by_python, prove
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import AuditError


class Auditor:
    """Stands in for the audit: finds what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], bool, bool]] = []
        self.severity: Severity | None = None
        self.only = ""

    def __call__(self, paths: Sequence[Path], *, pair: bool, online: bool) -> list[Finding]:
        self.asked.append((tuple(p.name for p in paths), pair, online))
        if self.severity is None or self.only not in paths[0].name:
            return []
        return [Finding(rule="demo", severity=self.severity, wheel=paths[0].name, message="is odd", remedy="Mend it.")]


@pytest.fixture
def auditor(monkeypatch: pytest.MonkeyPatch) -> Auditor:
    made = Auditor()
    monkeypatch.setattr("recipes.audit.audit_wheels", made)
    return made


def wheels(folder: Path) -> list[Path]:
    tags = ("cp312-cp312-win_amd64", "cp313-cp313-win_amd64")
    return [make_wheel(folder, package=name, tag=tag) for tag in tags for name in ("genai", "runtime")]


def test_what_is_installed_together_is_audited_together_once_and_offline(tmp_path: Path, auditor: Auditor) -> None:
    made = wheels(tmp_path)
    for _ in range(2):
        prove(tmp_path, facts_of(made))
    assert sorted(auditor.asked) == [
        (tuple(w.name for w in made[:2]), True, False),
        (tuple(w.name for w in made[2:]), True, False),
    ]


def test_another_content_is_audited_again(tmp_path: Path, auditor: Auditor) -> None:
    prove(tmp_path, facts_of([make_wheel(tmp_path)]))
    prove(tmp_path, facts_of([make_wheel(tmp_path, files={"demo_pkg/other.py": b"y = 22\n"})]))
    assert len(auditor.asked) == 2
    assert not auditor.asked[0][1]


def test_an_error_removes_that_python_and_is_found_again_next_time(tmp_path: Path, auditor: Auditor) -> None:
    auditor.severity, auditor.only = Severity.ERROR, "cp312"
    for _ in range(2):
        made = wheels(tmp_path)
        with pytest.raises(AuditError, match=r"is odd.*Nothing of it was left"):
            prove(tmp_path, facts_of(made))
        assert not [w for w in made[:2] if w.exists()]
        assert all(w.exists() for w in made[2:])


def test_errors_in_several_pythons_remove_them_all(tmp_path: Path, auditor: Auditor) -> None:
    auditor.severity = Severity.ERROR
    made = wheels(tmp_path)
    with pytest.raises(AuditError, match="is odd"):
        prove(tmp_path, facts_of(made))
    assert not [w for w in made if w.exists()]


def test_a_warning_is_said_and_passes(tmp_path: Path, auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    auditor.severity = Severity.WARNING
    prove(tmp_path, facts_of([make_wheel(tmp_path)]))
    assert "is odd [demo]" in capsys.readouterr().err


def test_groups_by_python_and_platform(tmp_path: Path) -> None:
    groups = by_python(facts_of([*wheels(tmp_path), make_wheel(tmp_path, tag="cp312-cp312-win_arm64")]))
    assert {tag: len(group) for tag, group in groups.items()} == {
        "cp312-win_amd64": 2,
        "cp313-win_amd64": 2,
        "cp312-win_arm64": 1,
    }


def test_an_arm64_wheel_that_is_not_its_x64_twin_is_removed(tmp_path: Path, auditor: Auditor) -> None:
    tags = ("cp312-cp312-win_amd64", "cp312-cp312-win_arm64")
    same = [make_wheel(tmp_path, package="same", tag=tag) for tag in tags]
    prove(tmp_path, facts_of(same))
    other = [make_wheel(tmp_path, package="other", tag=t, files={"other/x.py": t.encode()}) for t in tags]
    with pytest.raises(
        AuditError, match=r"win_arm64\.whl is not what .*win_amd64\.whl is: other/x\.py has another content"
    ):
        prove(tmp_path, facts_of([*same, *other]))
    assert [w.exists() for w in (*same, *other)] == [True, True, True, False]
