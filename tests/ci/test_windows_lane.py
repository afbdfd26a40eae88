"""What the lane for Windows runs in Wine is what the workflow runs on Windows itself."""

from __future__ import annotations

import re
from typing import Any

from smoke.wine.whole import installing, pythons
from tests.ci.test_workflows import read
from wheelhouse.paths import ROOT


def job() -> dict[str, Any]:
    return dict(read(ROOT / ".github/workflows/windows.yml")["jobs"]["check"])


def test_the_workflow_and_the_lane_run_the_same() -> None:
    install, tests, user = [step["run"] for step in job()["steps"] if "run" in step]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert install == "python " + " ".join(f'"{word}"' if "[" in word else word for word in installing.INSTALL)
    (lane,) = re.findall(r"lane windows-unit invoke wine-python -- (.+)", ci)
    assert tests == f"python {lane}"
    (script,) = re.findall(r"lane windows (\S+) ", ci)
    assert user.split()[0] == script


def test_the_workflow_has_the_lanes_python_and_no_encoding_that_a_user_lacks() -> None:
    (python,) = [step["with"]["python-version"] for step in job()["steps"] if "setup-python" in step.get("uses", "")]
    assert python == pythons.recipe().pythons[0].minor
    assert job()["env"] == {"PYTHONUTF8": "0"}  # over the workflow's, which compiles
