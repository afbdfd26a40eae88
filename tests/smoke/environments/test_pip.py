"""pip's failures, as it really words them, played by a stand-in."""

import sys
from pathlib import Path

import pytest

from smoke.environments import pip
from wheelhouse.console import task
from wheelhouse.errors import NetworkError, ResourceError, StepFailedError, ToolchainError

RETRY = (
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(\"Failed to establish a new "
    "connection: [Errno -3] Temporary failure in name resolution\")': /simple/torch/\n"
)
MISSING = (
    "ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: 2.1.0)\n"
    "ERROR: No matching distribution found for torch==2.13.0\n"
)
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"


def stand_in(folder: Path, output: str, code: int) -> tuple[str, ...]:
    script = folder / "pip.py"
    script.write_text(f"import sys\nsys.stdout.write({output!r})\nsys.exit({code})\n", encoding="utf-8")
    return (sys.executable, str(script))


@pytest.mark.parametrize(
    ("output", "kind", "says"),
    [
        (RETRY + MISSING, NetworkError, "cannot reach the package index"),
        (MISSING, NetworkError, "does not offer torch==2.13.0"),
        (FULL, ResourceError, "disk filled up"),
        ("ERROR: something new\n", StepFailedError, "something new"),
    ],
)
def test_failure_is_explained(tmp_path: Path, output: str, kind: type[Exception], says: str) -> None:
    with task("demo") as shown, pytest.raises(kind, match=says) as caught:
        pip.install(
            stand_in(tmp_path, output, 1), ["torch"], title="demo", shown=shown, temporary=tmp_path / "temporary"
        )
    assert type(caught.value) is kind
    assert "demo.log" in str(caught.value)


def test_lines_become_the_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    with task("demo") as shown:
        monkeypatch.setattr(shown, "update", notes.append)
        pip.install(
            stand_in(tmp_path, "Collecting numpy\nInstalling\n", 0),
            [],
            title="demo",
            shown=shown,
            temporary=tmp_path / "temporary",
        )
    assert notes == ["Collecting numpy", "Installing"]


def test_users_settings_for_other_places_do_not_reach_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["PIP_USER", "PIP_TARGET", "PYTHONPATH"]
    for name in names:
        monkeypatch.setenv(name, "1")
    script = tmp_path / "show.py"
    script.write_text(f"import os\nprint([os.environ.get(name) for name in {names!r}])\n", encoding="utf-8")
    notes: list[str] = []
    with task("demo") as shown:
        monkeypatch.setattr(shown, "update", notes.append)
        pip.install((sys.executable, str(script)), [], title="demo", shown=shown, temporary=tmp_path / "temporary")
    assert notes == ["['0', None, None]"]


def test_python_without_pip_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ToolchainError, match="ensurepip"):
        pip.download("demo==1", tmp_path)


@pytest.mark.parametrize(("version", "can"), [("22.2.1", False), ("22.3", True), ("27.0.dev1", True)])
def test_old_pip_cannot_install_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, can: bool
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: version)
    assert (pip.own(tmp_path / "python") is not None) is can
