"""`invoke export`: which kinds a backend's name stands for, and what happens when one cannot be made."""

from pathlib import Path

import pytest

from smoke import commands
from smoke.exports import making as exporting
from smoke.models import resolving
from smoke.models.model import Model
from tests.smoke.models import building
from wheelhouse.errors import StepFailedError, UsageError, WheelhouseError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...], str]]:
    calls: list[tuple[str, tuple[str, ...], str]] = []

    def export_all(
        model: Model, kinds: tuple[str, ...], *, stable_norms: str, ignore_memory: bool
    ) -> dict[str, object]:
        assert not ignore_memory
        calls.append((model.name, kinds, stable_norms))
        failed: dict[str, WheelhouseError] = {"cpu-int4": StepFailedError("it failed")}
        return {kind: failed.get(kind, Path("cache") / kind) for kind in kinds}

    monkeypatch.setattr(
        resolving,
        "resolve",
        lambda spec: Model(name=spec, folder=Path("m"), key="k", label="a model", facts=building.facts()),
    )
    monkeypatch.setattr(exporting, "export_all", export_all)
    return calls


def test_a_backend_stands_for_all_its_exports(asked: list[object]) -> None:
    lines = commands.export(backends=["dml"], model="m", stable_norms="always")
    assert asked == [("m", ("dml-fp16", "dml-int4"), "always")]
    assert lines == [f"dml-fp16: {Path('cache/dml-fp16')}", f"dml-int4: {Path('cache/dml-int4')}"]


def test_a_variant_stands_for_its_own(asked: list[object]) -> None:
    commands.export(backends=["ort-cpu:fp32", "dml:int4"], model="m", stable_norms="")
    assert asked == [("m", ("cpu-fp32", "dml-int4"), "")]


def test_an_option_names_the_variant_of_those_without_one(asked: list[object]) -> None:
    commands.export(backends=["openvino", "dml:fp16"], variant="int4", model="m", stable_norms="")
    assert asked == [("m", ("dml-fp16", "openvino-int4"), "")]
    with pytest.raises(UsageError, match="has no variant 'int5'"):
        commands.export(backends=["openvino"], variant="int5", model="m", stable_norms="")


def test_a_failed_export_is_raised(asked: list[object]) -> None:
    with pytest.raises(StepFailedError, match="it failed"):
        commands.export(backends=["ort-cpu:int4"], model="m", stable_norms="")


@pytest.mark.parametrize(
    ("names", "says"), [([], "Which backend"), (["reference"], "nothing to export"), (["dmll"], "dml")]
)
def test_names_that_stand_for_nothing(asked: list[object], names: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        commands.export(backends=names, model="m", stable_norms="")
    assert asked == []
