"""A walk over every task and all that it takes: nothing typed wrongly starts anything or is a traceback."""

from __future__ import annotations

import os
import sys

import pytest

import tasks
from front.door import helping
from front.door.program import FrontDoor
from front.door.reading import HELP
from recipes.lanes import LANES
from smoke.backends.registry import BACKENDS
from smoke.suites.all_suites import SUITES
from smoke.suites.npu_check import settings
from wheelhouse.paths import CACHE_VARIABLE

TASKS = tasks.namespace.tasks
CONTEXTS = {context.name: context for context in tasks.namespace.to_contexts()}
VALUES = [(name, value) for name, context in CONTEXTS.items() for value in context.args.values()]
TAKING = [(name, value) for name, value in VALUES if value.takes_value and not value.positional]
IDS = [f"{name} {value.names[0]}" for name, value in TAKING]


def words_of(name):
    return ["x" for value in CONTEXTS[name].positional_args]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("flag", HELP)
def test_help(typed, name, flag):
    found = typed(name, flag)
    assert (found.code, found.called, found.err) == (0, [], "")
    assert f"Usage: invoke {name}" in found.out
    for value in CONTEXTS[name].args.values():
        assert value.names[0].upper() in found.out or f"--{value.names[0]}" in found.out


@pytest.mark.parametrize("name", TASKS)
def test_unknown_options(typed, name):
    found = typed(name, *words_of(name), "--no-such-thing")
    assert (found.code, found.called, found.out) == (2, [], "")
    assert "has no option --no-such-thing" in found.err


@pytest.mark.parametrize(("name", "value"), TAKING, ids=IDS)
@pytest.mark.parametrize("form", [["{}"], ["{}="], ["{}", ""], ["{}", " "], ["{}", "--strict"]])
def test_empty_values(typed, name, value, form):
    found = typed(name, *words_of(name), *(part.format(value.flag) for part in form))
    assert (found.code, found.called, found.out) == (2, [], "")
    assert f"A value is required for {value.flag}" in found.err


@pytest.mark.parametrize(("name", "value"), TAKING, ids=IDS)
def test_values_of_the_wrong_kind(typed, name, value):
    if value.kind in {int, float} or value.option.choices:
        found = typed(name, *words_of(name), value.flag, "x")
        assert (found.code, found.called, found.out) == (2, [], "")
        assert f"Invalid value 'x' for {value.flag}" in found.err
        assert found.err.count(", ".join(value.option.choices)) == 1 or not value.option.choices
    if value.option.least is not None:
        assert "at least" in typed(name, *words_of(name), value.flag, "0").err


@pytest.mark.parametrize(("name", "value"), VALUES, ids=[f"{name} {value.names[0]}" for name, value in VALUES])
def test_given_twice(typed, name, value):
    words = [value.flag] if not value.takes_value else [value.flag, _right(value)]
    if value.positional:
        return
    once = typed(name, *words_of(name), *words)
    assert (once.code, once.err, len(once.called)) == (0, "", 1)
    twice = typed(name, *words_of(name), *words, *words)
    if value.kind is list:
        assert (twice.code, len(twice.called)) == (0, 1)
    else:
        assert (twice.code, twice.called, twice.out) == (2, [], "")
        assert f"{value.flag} was given twice" in twice.err


def _right(value):
    return value.option.choices[0].upper() if value.option.choices else "3" if value.kind in {int, float} else "x"


@pytest.mark.parametrize("name", TASKS)
def test_more_words_than_a_task_takes(typed, name):
    found = typed(name, *words_of(name), "surplus")
    if TASKS[name].rest:
        assert found.called
    else:
        assert (found.code, found.called, found.out) == (2, [], "")
        assert f"{name} does not know what to do with 'surplus'" in found.err


def outcome_into(monkeypatch, where, words, err=None):
    """Return the exit code of a command whose standard output (and error) is that file."""
    with monkeypatch.context() as patch, open(where, "w", encoding="utf-8") as out:  # noqa: PTH123 - a descriptor, or a device
        patch.setattr(sys, "stdout", out)
        if err is not None:
            patch.setattr(sys, "stderr", err)
        for found in TASKS.values():
            patch.setattr(type(found), "__call__", lambda self, _c, **given: print("line\n" * 100_000))
        try:
            FrontDoor(tasks.namespace).run(["invoke", *words])
        except SystemExit as left:
            return left.code
    return 0


def closed_pipe():
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("flag", [[], ["--help"]])
def test_a_reader_that_has_seen_enough(monkeypatch, capfd, name, flag):
    assert outcome_into(monkeypatch, closed_pipe(), [name, *words_of(name), *flag]) == 141
    assert capfd.readouterr() == ("", "")


def test_a_reader_of_both_that_has_seen_enough(monkeypatch, capfd):
    with os.fdopen(closed_pipe(), "w", encoding="utf-8") as err:
        assert outcome_into(monkeypatch, closed_pipe(), ["no-such-task"], err=err) == 141
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("flag", [[], ["--help"]])
def test_a_full_device(monkeypatch, capfd, name, flag):
    assert outcome_into(monkeypatch, "/dev/full", [name, *words_of(name), *flag]) == 9
    assert capfd.readouterr().err == "error: standard output cannot be written: No space left on device.\n"


def test_the_list_fits_80_columns_with_one_line_a_task():
    lines = helping.tasks_text(tasks.namespace.groups, 80).splitlines()
    assert max(map(len, lines)) <= 80
    for name in TASKS:
        assert len([line for line in lines if line.split()[:1] == [name]]) == 1
    groups = len(tasks.namespace.groups)
    assert len(lines) == len(TASKS) + 2 * groups + 1


@pytest.mark.parametrize("columns", [40, 59, 60, 80, 120])
@pytest.mark.parametrize("name", TASKS)
def test_help_fits_any_terminal(name, columns):
    text = helping.task_text(TASKS[name], CONTEXTS[name], columns)
    unbroken = max(len(word) for word in text.split())
    assert max(map(len, text.splitlines())) <= max(columns, unbroken + 6)


def test_short_names_mean_the_same_everywhere():
    meanings = {(short, value.names[0]) for _, value in VALUES for short in value.names[1:] if len(short) == 1}
    core = {(s, a.names[0]) for a in FrontDoor(tasks.namespace).core_args() for s in a.names[1:] if len(s) == 1}
    shorts = [short for short, _ in meanings | core]
    assert len(shorts) == len(set(shorts))


def test_names_that_are_read_in_lower_case_are_written_so():
    names = [name for each in BACKENDS for name in (each.name, *(variant.name for variant in each.variants))]
    assert [name for name in [*names, *(suite.name for suite in SUITES)] if name != name.lower()] == []


WITH_A_CACHE = [
    ["advise"],
    ["doctor"],
    ["smoke", "--model", "tiny-phi3"],
    ["reference", "--dump", "golden"],
    ["generate", "x", "--model", "tiny-phi3"],
    ["export", "--backend", "dml", "--model", "tiny-phi3"],
    ["model", "--model", "tiny-phi3"],
    ["npu-check", "--model", "tiny-phi3"],
]


@pytest.mark.parametrize("words", WITH_A_CACHE, ids=[words[0] for words in WITH_A_CACHE])
def test_a_cache_that_is_a_file(monkeypatch, tmp_path, capsys, words):
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(SystemExit) as left:
        FrontDoor(tasks.namespace).run(["invoke", *words])
    said = capsys.readouterr().err.splitlines()[-1]
    assert (left.value.code, said[:7]) == (4, "error: "), said
    assert f"{CACHE_VARIABLE} names the folder that everything is kept in: it is {tmp_path / 'file'} now." in said


def test_choices_are_those_of_the_code_behind():
    choices = {value.names[0]: value.option.choices for _, value in VALUES}
    assert choices["platform"] == settings.platforms("")
    assert choices["lane"] == LANES
