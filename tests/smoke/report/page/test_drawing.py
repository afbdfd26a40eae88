"""Charts drawn by the real library, in the process that a report starts."""

import xml.etree.ElementTree as ET

import pytest

from smoke.report.page import charts, drawing, pictures
from smoke.report.page.chart_data import Chart, Series
from tests.smoke.report.page.making import WHOLE


@pytest.fixture(scope="module", autouse=True)
def prepared():
    drawing.prepare("test")


def test_a_report_s_charts_are_drawn_in_a_process_of_their_own():
    drawn = pictures.draw(charts.of(WHOLE))
    assert len(drawn) == 9
    ids = [value for one in drawn for element in ET.fromstring(one.svg).iter() if (value := element.get("id"))]
    assert len(ids) == len(set(ids)), "what one picture refers to must not be another's"
    for one in drawn:
        text = "".join(ET.fromstring(one.svg).itertext())
        for series in one.chart.series:
            assert series.label in text
        assert "#0a0" not in one.svg, "a colour that the style sheet does not know"
        assert "http" not in one.svg.replace("http://www.w3.org/", "")
        assert len(one.svg) < 60_000


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "$x_{1}$ & \\frac", "_hidden", "日本語", "x" * 300])
@pytest.mark.parametrize("kind", ["bars", "lines", "map", "spans"])
def test_any_label_can_be_drawn(kind, label):
    y = {"bars": (1.0,), "lines": (1.0, None), "map": (0.5, None), "spans": (1.0, 2.0)}[kind]
    x = (1.0, 1.0, 1.0) if kind == "bars" else (0.0, 3.0)
    one = Series(label=label, style=9, x=x, y=y, shown=label)
    other = Series(label="other", style=1, x=x, y=y)
    text = drawing.draw(
        Chart(title="t", note="n", kind=kind, series=(one, other), columns=("1", "2") * (kind == "map"))
    )
    assert "".join(ET.fromstring(text).itertext()).count(label) >= 1
    assert "<script" not in text


@pytest.mark.parametrize("log", [False, True])
def test_values_of_nothing_can_be_drawn(log):
    zero = Series(label="zero", style=0, x=(0.0, 0.0, 0.0), y=(0.0,))
    one = Series(label="one", style=0, x=(1.0, 1.0, 1.0), y=(1.0,))
    assert "<svg" in drawing.draw(Chart(title="t", note="n", kind="bars", series=(zero, one), log=False))
    points = Series(label="points", style=0, x=(1.0,), y=(None,))
    assert "<svg" in drawing.draw(Chart(title="t", note="n", kind="lines", series=(points,), log=log))


def test_a_library_that_fails_costs_pictures_only(monkeypatch, capsys):
    monkeypatch.setattr(pictures.sys, "executable", "/nowhere/python")
    drawn = pictures.draw(charts.of(WHOLE))
    assert [one.svg for one in drawn] == [""] * 9
    assert "could not be drawn" in capsys.readouterr().err
