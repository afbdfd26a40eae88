"""What the lane for Windows runs in Wine is what the workflow runs on Windows itself."""

from __future__ import annotations

import re
from typing import Any

from smoke.wine.whole import installing, machine, pythons
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
    (words,) = re.findall(r"lane windows (\S+ .+)", ci)
    script, _, sums = words.split()  # the second is where the logs go
    assert (user.split()[0], user.split()[2].rpartition("/")[2]) == (script, sums.rpartition("/")[2])


def test_the_wheels_that_it_compares_with_are_made_on_linux() -> None:
    jobs = read(ROOT / ".github/workflows/windows.yml")["jobs"]
    made = jobs[job()["needs"]]
    assert made["runs-on"].startswith("ubuntu-")
    assert "invoke build-dml --lane published" in [step.get("run") for step in made["steps"]]
    (uploaded,) = [step["with"] for step in made["steps"] if "upload-artifact" in step.get("uses", "")]
    (taken,) = [step["with"] for step in job()["steps"] if "download-artifact" in step.get("uses", "")]
    (user,) = [step["run"] for step in job()["steps"] if step.get("shell") == "bash"]
    assert uploaded["name"] == taken["name"]
    assert user.split()[2] == f"{taken['path']}/{uploaded['path'].rpartition('/')[2]}"


def test_the_workflow_has_the_lanes_python_and_no_encoding_that_a_user_lacks() -> None:
    (python,) = [step["with"]["python-version"] for step in job()["steps"] if "setup-python" in step.get("uses", "")]
    assert python == pythons.recipe().pythons[0].minor
    kept = {"ONEDNN_MAX_CPU_ISA"}  # both run where a processor's AMX is shown and not given
    assert job()["env"] == {"PYTHONUTF8": "0"} | {name: machine._SETTINGS[name] for name in kept}
