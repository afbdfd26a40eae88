import sys

import pytest
from packaging.requirements import Requirement

from recipes.audit import ask_index as index
from recipes.audit import pip_answers
from recipes.audit.ask_index import IndexAsker, _answer, _target_options, _where
from recipes.audit.auditing import read_wheels
from recipes.audit.surroundings import Offer

from .factory import GENAI, RUNTIME, make


def test_versions_are_read_from_what_pip_prints():
    offer = _answer("PyPI", 0, "x (1.2)\nAvailable versions: 1.2, 1.1, 1.0\n", "")
    assert offer.versions == ("1.2", "1.1", "1.0")


def test_not_found_is_an_answer():
    offer = _answer("PyPI", 1, "", "ERROR: No matching distribution found for x\n")
    assert (offer.versions, offer.unknown) == ((), "")


@pytest.mark.parametrize(
    "stderr",
    [
        "WARNING: Retrying (Retry(total=0)) after connection broken\nERROR: No matching distribution found for x\n",
        "ERROR: HTTP error 503 while getting x\nERROR: No matching distribution found for x\n",
        "/usr/bin/python: No module named pip\n",
        "",
    ],
)
def test_an_index_that_did_not_answer_is_unknown_not_empty(stderr):
    assert _answer("PyPI", 1, "", stderr).unknown


def test_the_connection_is_named_as_the_reason():
    stderr = "WARNING: Retrying after connection broken by X: /simple/x/\nERROR: No matching distribution found for x\n"
    assert "could not connect" in _answer("PyPI", 1, "", stderr).unknown


def test_a_target_is_given_with_every_older_manylinux():
    options = _target_options("manylinux_2_31_x86_64", "3.12")
    assert {"manylinux_2_31_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64"} <= set(options)
    assert "manylinux_2_28_x86_64" in _target_options("linux_x86_64", "3.12")  # what is compiled here runs here
    assert _target_options("any", "3.12") == []
    assert _target_options("win_arm64", "3.12")[-2:] == ["--platform", "win_arm64"]


def test_an_index_may_be_a_url_or_a_folder(tmp_path):
    assert _where("https://example.org/simple") == ["--index-url", "https://example.org/simple"]
    assert _where(str(tmp_path)) == ["--no-index", "--find-links", str(tmp_path)]
    (tmp_path / "simple").mkdir()
    (tmp_path / "simple" / "index.html").write_text("", encoding="utf-8")
    assert _where(str(tmp_path))[1] == (tmp_path / "simple").as_uri()


def asked(tmp_path, asker):
    wheel = read_wheels([make(tmp_path / "genai", GENAI)])[0]
    try:
        return asker(Requirement("onnxruntime-directml==1.24.4"), wheel)
    finally:
        asker.close()


def test_a_folder_of_wheels_is_asked_through_pip(tmp_path):
    make(tmp_path / "wheels", RUNTIME)
    offers = asked(tmp_path, IndexAsker(str(tmp_path / "wheels"), configured=False, time_limit=120))
    assert [offer.versions for offer in offers] == [("1.24.4",)]


def test_what_a_private_index_lacks_is_unknown_while_pypi_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "_ask", lambda *_, index, **__: Offer(source=index))
    offers = asked(tmp_path, IndexAsker("mine", configured=False))
    assert [(offer.source, offer.unknown) for offer in offers] == [("mine", ""), ("PyPI", "it was not asked")]


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Python is a shell script")
def test_an_answer_that_takes_too_long_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "_target_options", lambda *_: [])
    hang = tmp_path / "hang.py"
    hang.write_text("import time; time.sleep(600)", encoding="utf-8")
    monkeypatch.setattr(pip_answers.sys, "executable", str(_script(tmp_path, hang)))
    offers = asked(tmp_path, IndexAsker(time_limit=0.3))
    assert "no answer within" in offers[0].unknown


def _script(folder, target):
    script = folder / "python"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} {target}\n", encoding="utf-8")
    script.chmod(0o755)
    return script


def test_a_pip_that_cannot_be_started_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(pip_answers.sys, "executable", str(tmp_path / "gone"))
    assert "could not be started" in asked(tmp_path, IndexAsker())[0].unknown


def test_one_process_answers_all_questions(tmp_path):
    make(tmp_path / "wheels", RUNTIME)
    pip = pip_answers.Pip()
    where = ["--no-index", "--find-links", str(tmp_path / "wheels"), "--disable-pip-version-check"]
    try:
        found = pip.ask(
            ["index", "versions", "onnxruntime-directml", *_target_options("win_amd64", "3.12"), *where], seconds=120
        )
        started = pip._process.pid
        missing = pip.ask(["index", "versions", "no-such-thing", *where], seconds=120)
        refused = pip.ask(["index", "--no-such-option"], seconds=120)
        again = pip.ask(
            ["index", "versions", "onnxruntime-directml", *_target_options("win_amd64", "3.12"), *where], seconds=120
        )
        assert pip._process.pid == started
    finally:
        pip.end()
    assert (found.code, _answer("x", *found).versions) == (0, ("1.24.4",))
    assert _answer("x", *missing) == Offer(source="x")
    assert refused.code == 2
    assert "no such option" in refused.err
    assert again == found


def test_a_pip_that_ends_in_the_middle_is_unknown_and_the_next_question_gets_another(tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    child.write_text("import sys; sys.stdin.readline(); sys.exit(7)", encoding="utf-8")
    pip = pip_answers.Pip()
    with monkeypatch.context() as patched:
        patched.setattr(pip_answers, "_CHILD", child)
        assert "exit code 7" in pip.ask(["--version"], seconds=120).err
    try:
        assert pip.ask(["--version"], seconds=120).out.startswith("pip ")
    finally:
        pip.end()
