import json
import os
import sys

import pytest

from smoke.wine import namespace
from smoke.wine.inside import process_one
from smoke.wine.namespace import Spec
from wheelhouse.errors import ToolchainError, UnsupportedError


def test_what_runs_isolated_ends_with_us_and_with_its_namespaces():
    argv = namespace.isolated("program", "argument")
    assert argv[:3] == ("setpriv", "--pdeathsig", "KILL")
    assert {"--mount", "--pid", "--fork", "--kill-child=KILL"} <= set(argv)
    assert argv[-3:] == ("--", "program", "argument")


def test_the_spec_holds_everything_that_the_session_reads():
    spec = json.loads(Spec(root="/r", argv=("wine", "x")).text())
    assert set(spec) == {
        "root", "argv", "prefix", "writable", "display", "env", "pass_env", "binds", "plant", "cwd", "start", "uses",
    }  # fmt: skip
    assert spec["argv"] == ["wine", "x"]


def test_only_named_variables_reach_the_program(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LD_PRELOAD", "/evil.so")
    monkeypatch.setenv("DISPLAY", ":7")
    spec = json.loads(Spec(root="/r", argv=(), env={"WINEDEBUG": "-all"}, pass_env=("OMP_", "WINEDEBUG")).text())
    monkeypatch.setenv("WINEDEBUG", "+all")
    found = process_one.environment(spec)
    assert found["OMP_NUM_THREADS"] == "1"
    assert found["WINEDEBUG"] == "-all"
    assert not {"LD_PRELOAD", "DISPLAY"} & set(found)
    assert found["PATH"].startswith("/usr/bin")
    assert "OMP_NUM_THREADS" not in process_one.environment({**spec, "pass_env": []})


@pytest.fixture
def able(monkeypatch):
    """Make this host look like one on which everything is there."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "x", "6", "1", "x86_64")))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(namespace, "_may_mount", lambda: True)
    monkeypatch.setattr(namespace.shutil, "which", lambda name: f"/usr/bin/{name}")
    return monkeypatch


def test_a_host_with_everything_has_no_obstacle(able):
    assert namespace.obstacle() is None


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda m: m.setattr(sys, "platform", "darwin"), UnsupportedError, "Linux on x86_64"),
        (
            lambda m: m.setattr(os, "uname", lambda: os.uname_result(("Linux", "x", "6", "1", "aarch64"))),
            UnsupportedError,
            "Linux on x86_64",
        ),
        (lambda m: m.setattr(os, "geteuid", lambda: 1000), UnsupportedError, "needs root"),
        (lambda m: m.setattr(namespace, "_may_mount", lambda: False), UnsupportedError, "CAP_SYS_ADMIN"),
        (lambda m: m.setattr(namespace.shutil, "which", lambda _: None), ToolchainError, "util-linux"),
    ],
)
def test_every_obstacle_has_a_reason_and_a_remedy(able, change, kind, words):
    change(able)
    found = namespace.obstacle()
    assert isinstance(found, kind)
    assert words in found.message
    assert found.remedy
