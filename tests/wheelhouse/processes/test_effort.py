"""What a process has computed is its own, and not what the one that asks has."""

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from wheelhouse.processes import effort

BUSY = "import sys, time\nwhile time.process_time() < 0.4: pass\nprint('done', flush=True)\nsys.stdin.read()"


@pytest.mark.parametrize(("code", "least", "most"), [(BUSY, 0.3, 60), (BUSY.replace("0.4", "0"), 0, 0.3)])
def test_a_busy_process_is_told_from_an_idle_one(code: str, least: float, most: float) -> None:
    own = psutil.Process()
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdin=-1, stdout=-1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        seconds = sum(effort.computed(each) for each in tree)
        process.stdin.close()
    assert least <= seconds < most
    assert effort.computed(own) > 0


def test_in_wine_the_threads_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked:
        def threads(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(user_time=1.0, system_time=0.5), SimpleNamespace(user_time=0.25, system_time=0.25)]

    monkeypatch.setattr(effort, "in_wine", lambda: True)
    assert effort.computed(Asked()) == 2  # type: ignore[arg-type]
