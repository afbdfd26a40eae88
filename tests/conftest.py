"""Settings for all tests: no test fails because the machine was slow, and none writes into the user's cache."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from wheelhouse.paths import CACHE_VARIABLE

settings.register_profile("default", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile("default")


def pytest_configure() -> None:
    """Take Ctrl-C seriously: a shell starts its background jobs with it ignored, which all they start inherits."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test its own cache folder; integration tests share the real one, whose making takes minutes."""
    shares = any(request.node.get_closest_marker(name) for name in ("integration", "network", "wine"))
    if not shares:
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
