"""`invoke --list` must feel instant: what it imports is what it costs (seconds are measured by `invoke bench`)."""

import json
import subprocess
import sys

from wheelhouse.paths import ROOT

HEAVY = {"torch", "onnx", "onnxruntime", "openvino", "transformers", "numpy", "rich", "msgspec", "jinja2", "pooch"}
HEAVY |= {"psutil", "filelock", "pefile", "requests"}


def test_listing_the_tasks_imports_nothing_heavy() -> None:
    argv = [sys.executable, "-X", "importtime", "-m", "invoke", "--list"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8")
    imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "invoke" in imported
    assert imported & HEAVY == set()


def test_every_task_is_explained() -> None:
    argv = [sys.executable, "-m", "invoke", "--list", "--list-format", "json"]
    listed = json.loads(
        subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    )
    assert listed["tasks"]
    assert [t["name"] for t in listed["tasks"] if not t["help"]] == []
