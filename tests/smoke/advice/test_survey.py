"""What doctor says of DirectML is what `backends` says and `smoke` does: one choice of wheels and of Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from front.directml_lane import directml
from smoke import backend_list
from smoke.advice import survey
from smoke.backends import dml, selection
from smoke.backends.registry import BACKENDS
from smoke.environments import pinned, wheel_fit
from smoke.running import order
from tests.front.test_doctor import facts_of
from tests.smoke.backends.test_dml import machine, make, supported


@pytest.fixture
def windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Windows machine with Python 3.13; returns its wheels/."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setattr(wheel_fit, "_supported", supported)
    monkeypatch.setattr(dml, "wheels_dir", lambda: wheels)
    monkeypatch.setattr(dml, "source", dml.NativeWindows)
    own = [replace(one, source=dml.source()) if one.name == "dml" else one for one in BACKENDS]
    monkeypatch.setattr(backend_list, "BACKENDS", tuple(own))
    monkeypatch.setattr(survey.host, "gather", lambda: facts_of("windows-ai-pc"))
    monkeypatch.setattr(survey, "_openvino", lambda: None)
    machine(monkeypatch, running="3.13", others=("3.11",))
    return wheels


def states() -> tuple[tuple[bool, str], ...]:
    """Return whether DirectML can be used, and why not, as doctor, `backends` and `smoke` have it."""
    lane = directml(survey.collect())
    (row,) = (row for row in backend_list.listed() if row.backend == "dml")
    (backend,) = (one for one in backend_list.BACKENDS if one.name == "dml")
    refused = order.why_not(selection.Planned(backend=backend, variant=backend.variants[0]))
    return (
        (not lane.gaps, " ".join(gap.what for gap in lane.gaps)),
        (row.state != "missing", row.reason),
        (refused is None, refused.reason if refused else ""),
    )


@pytest.mark.parametrize(
    ("pythons", "reason"),
    [
        ((), "no pair of DirectML wheels"),
        (("cp314",), "Python 3.14 is needed and was not found (this one is 3.13)"),
        (("cp312", "cp314"), "is needed and was not found (this one is 3.13)"),
        (("cp311", "cp314"), ""),  # another Python that is found
        (("cp311", "cp313", "cp314"), ""),
    ],
)
def test_all_three_have_one_answer(windows: Path, pythons: tuple[str, ...], reason: str) -> None:
    for python in pythons:
        for package in ("onnxruntime_directml", "onnxruntime_genai_directml"):
            make(windows / f"{package}-1.24.4-{python}-{python}-win_amd64.whl")
    (ready, said), *others = states()
    assert ready == (not reason)
    assert reason in said
    assert others == [(ready, said)] * 2


def test_the_environment_is_made_with_this_python_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = pinned.environment_recipes.environment("dml")
    for running, others, chosen in (("3.13", (), "3.13"), ("3.10", ("3.14",), "3.14"), ("3.10", (), recipe.python)):
        machine(monkeypatch, running=running, others=others)
        assert pinned._python_version(recipe, ()) == chosen
