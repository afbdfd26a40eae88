"""Settings for all tests: no test fails because the machine was slow, and none writes into the user's cache."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from wheelhouse.paths import CACHE_VARIABLE
from wheelhouse.processes.effort import in_wine

settings.register_profile("default", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=2000)
# What holds of any input was tried on Linux; in Wine a few show that nothing there is the system's doing.
settings.register_profile("wine", deadline=None, max_examples=20)
settings.load_profile("wine" if in_wine() else "default")

_NUMBERS = itertools.count()


def pytest_configure() -> None:
    """Take Ctrl-C seriously: a shell starts its background jobs with it ignored, which all they start inherits.

    And on Windows let no code page decide what tests read: those of the code pages say their own (test_streams.py).
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform == "win32":  # tests read what the Pythons that they start print, a folder with an umlaut, as UTF-8
        os.environ.setdefault("PYTHONIOENCODING", "utf-8")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Spread the unit tests over the processors; what builds and infers has them to itself."""
    alone = "not integration" not in str(config.option.markexpr) or in_wine()
    return 0 if alone else os.cpu_count() or 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with its reason, what cannot pass because Wine is not Windows."""
    for item in items if in_wine() else []:
        for mark in item.iter_markers("not_in_wine"):
            item.add_marker(pytest.mark.skip(reason=f"Wine is not Windows: {mark.args[0]}"))


@pytest.fixture(autouse=True)
def _own_cache(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give every test its own cache folder; integration tests share the real one, whose making takes minutes.

    Most tests never look at it, so it is a name only: a folder of its own (`tmp_path`) for each of five thousand tests
    takes minutes where files are slow.
    """
    if any(request.node.get_closest_marker(name) for name in ("integration", "network", "wine")):
        yield
        return
    folder = tmp_path_factory.getbasetemp() / f"cache-{next(_NUMBERS)}"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    yield
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
