"""What runs without a network reaches nobody, and is otherwise the same process."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from wheelhouse.processes import alone


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    alone.prefix.cache_clear()
    yield
    alone.prefix.cache_clear()


def test_nobody_is_reached_and_the_exit_code_is_its_own() -> None:
    if not alone.prefix():
        pytest.skip("this system lets us take no network away")
    code = (
        "import socket, sys; names = {name for _, name in socket.if_nameindex()}; "
        "sys.exit(7 if names <= {'lo'} and socket.socket().connect_ex(('127.0.0.1', 9)) else 1)"
    )
    done = subprocess.run((*alone.prefix(), sys.executable, "-I", "-S", "-c", code), check=False)
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("refused", "expected"),
    [((), ("--net", "--")), (("--net",), ("--user", "--map-current-user", "--net", "--")), (("--net", "--user"), ())],
)
def test_what_is_permitted_is_tried(
    monkeypatch: pytest.MonkeyPatch, refused: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(
        subprocess, "run", lambda argv, **_: subprocess.CompletedProcess(argv, int(argv[1] in refused), b"", b"")
    )
    assert alone.prefix()[1:] == expected


@pytest.mark.parametrize("error", [OSError("no"), subprocess.TimeoutExpired("unshare", 10)])
def test_a_program_that_cannot_be_tried_is_none(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    assert alone.prefix() == ()


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_nothing_is_started(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    assert alone.prefix() == ()
