"""The page is what the generator makes of the numbers that lie beside it; the numbers are nobody's test."""

from pathlib import Path

import msgspec
import pytest

from front import bench as command
from front.benching import document, miniature
from front.benching.document import Measured
from front.benching.timing import Part, Row
from front.tasks_look import bench as task
from wheelhouse.errors import InputError, StepFailedError, UsageError

MISSED = Row(name="slow", what="a | b", unit="s", value=2.0, limit=1.0, cpu_s=0.5, parts=(Part("bare", 1.5),), note="n")


def measured(*rows, load=0.5):
    return Measured(
        created="2026-01-02T03:04:05+00:00",
        system="Debian",
        cpu="A CPU",
        cores=2,
        memory_bytes=1 << 34,
        gpu="no GPU",
        python="3.11.7",
        load=load,
        rows=rows,
    )


def test_the_page_is_the_generators():
    """When this fails: python -m front.benching.document."""
    assert document.PAGE.read_text(encoding="utf-8") == document.page(document.read())


def test_the_page_names_the_machine_and_every_row():
    rows = (MISSED, Row(name="fine", what="c", unit="times", value=1.0, limit=1.3))
    page = document.page(measured(*rows, Row(name="no", what="d", unit="s", limit=1.0, skipped="there is no e")))
    assert "2026-01-02, A CPU, 2 cores, 17.2 GB, no GPU; Debian, Python 3.11.7, load average 0.5." in page
    assert r"| a \| b | ≤ 1 s | 2.00 s | missed | 0.50 s | bare 1.50 s | n |" in page
    assert "| d | ≤ 1 s | - | not measured |  |  | there is no e |" in page
    assert page.endswith("1 targets met, 1 missed: slow.\n")


@pytest.mark.parametrize(("load", "busy"), [(0.5, False), (2.0, False), (2.1, True), (None, False)])
def test_other_work_is_named_as_a_reason(load, busy):
    assert ("other work had the machine" in document.why(MISSED, measured(MISSED, load=load))) is busy


def test_other_work_is_no_reason_for_what_takes_longer_than_its_target_by_itself():
    slow = msgspec.structs.replace(MISSED, cpu_s=1.8, limit=1.0)
    assert "other work" not in document.why(slow, measured(slow, load=4.0))


def test_what_is_measured_is_shown_and_written(tmp_path, monkeypatch, capsys):
    def broken():
        raise StepFailedError("it cannot be done here")

    monkeypatch.setattr(command, "GROUPS", {"slow": lambda: [MISSED], "broken": broken})
    command.bench([], as_json=True, out=str(tmp_path / "found.json"))
    found = msgspec.json.decode(capsys.readouterr().out, type=Measured)
    assert found == document.read(tmp_path / "found.json")
    assert [(row.name, row.verdict) for row in found.rows] == [("slow", "missed"), ("broken", "not measured")]
    assert found.rows[1].skipped == "it cannot be done here"
    command.bench(["slow"], as_json=False, out="")
    assert "missed" in capsys.readouterr().out


def test_only_what_is_known_can_be_asked_for():
    with pytest.raises(UsageError, match=r"nothing called 'adit' to measure. Did you mean 'audit'"):
        command.bench(["adit"], as_json=False, out="")


def test_the_help_names_everything_that_can_be_measured():
    (only,) = (value for value in task.get_arguments() if value.name == "only")
    assert [name for name in command.GROUPS if name not in only.help] == []


def test_what_compilers_took_is_read_from_ninja(tmp_path):
    folder: Path = tmp_path / "core-build"
    folder.mkdir()
    (folder / ".ninja_log").write_text(
        "# ninja log v7\n10\t260\t1\tx/core.c.o\tab\n260\t400\t1\tlib.so\tcd\n", encoding="utf-8"
    )
    assert list(miniature._objects(tmp_path)) == [0.25]


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GROUPS", {"slow": lambda: pytest.fail("it was measured")})
    (tmp_path / "file").write_text("", encoding="utf-8")
    for place in (tmp_path / "file" / "below.json", tmp_path):
        with pytest.raises(InputError, match="cannot be"):
            command.bench([], as_json=False, out=str(place))
