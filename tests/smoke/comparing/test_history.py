import msgspec
import pytest

from smoke.comparing import history, telling
from smoke.report.page import pictures
from smoke.report.page.chart_data import Drawn
from tests.smoke.comparing.test_baseline import run
from tests.smoke.report.page import making
from wheelhouse.errors import InputError


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr(pictures, "draw", lambda found: [Drawn(chart=chart, svg="") for chart in found])


@pytest.fixture
def folder(tmp_path):
    for day, report in enumerate((run(), run(slow=2.0), making.report(model=making.WHOLE.model), run(slow=2.0)), 1):
        (tmp_path / f"{9 - day}").mkdir()  # the order is that of time, not of names
        dated = msgspec.structs.replace(report, created=f"2026-02-0{day}T03:04:05+00:00")
        (tmp_path / f"{9 - day}" / "report.json").write_bytes(msgspec.json.encode(dated))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.json").write_text("{", encoding="utf-8")
    return tmp_path


def test_runs_are_told_by_time_and_what_got_worse(folder, capsys):
    telling.tell_history(str(folder), out="")
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "m, 2 prompts of up to 3 tokens, on CPU (2 cores):"
    assert [line.split()[0] for line in lines[1:] if line.startswith("  2")] == [
        "2026-02-01T03:04", "2026-02-02T03:04", "2026-02-04T03:04"
    ]  # fmt: skip
    assert [line for line in lines if "worse: b fp16: first token was 50 ms, is 100 ms (+100%)" in line]
    assert sum("worse:" in line for line in lines) == 2
    assert "not read" in said.err
    page = (folder / "history.html").read_text(encoding="utf-8")
    assert "3 runs, 2026-02-01 to 2026-02-04" in page
    assert "2 worse than the run before" in page
    assert "broken/report.json" in page.replace("\\", "/")


def test_lines_have_a_place_for_every_run(folder):
    reports, _ = history.load(folder)
    charts = {chart.title: chart for chart in history.lines(reports)}
    (_, second) = [one for one in charts["Tokens per second"].series if one.label != "reference fp32"]
    assert second.y == pytest.approx((20.0, 10.0, 10.0))
    assert charts["Drift"].log


def test_another_machine_is_another_line(folder):
    other = run(host=msgspec.structs.replace(making.WHOLE.host, cpu="another"), created="2026-03-01T00:00:00+00:00")
    (folder / "other").mkdir()
    (folder / "other" / "report.json").write_bytes(msgspec.json.encode(other))
    reports, _ = history.load(folder)
    assert [len(each) for each in history.by_subject(reports).values()] == [3, 1]


def test_a_folder_without_reports_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"report\.json|folder"):
            history.load(path)
