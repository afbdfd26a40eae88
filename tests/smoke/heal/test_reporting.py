from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from smoke.heal.known_norms import NAME, Calibration, NormRecord, Record
from smoke.heal.reporting import advised, section
from smoke.parity.verdicts import Verdict
from smoke.report.results import Result
from wheelhouse.files import sha256_bytes


def norm(layer: int, worst: float, scale: int | None) -> NormRecord:
    return NormRecord(
        name=f"/model/layers.{layer}/norm",
        layer=layer,
        kind="rms",
        form="skip",
        epsilon=1e-5,
        verdict="overflows" if worst > 65504 else "safe",
        worst_mean_square=worst,
        worst_token=0,
        least_mean_square=1.0,
        width=576,
        present_scale=1,
        scale=scale,
        imprecise=False,
    )


def write(folder: Path, *norms: NormRecord) -> Path:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    record = Record(
        mode="auto",
        limit=65504.0,
        headroom=4.0,
        calibration=Calibration(texts=1, chat_template=True, longest=9, tokens=9, single_tokens=9),
        unexamined=0,
        seconds=1.0,
        norms=norms,
        cpu_difference=0.0027,
        graph="model.onnx",
        graph_before="",
        graph_after=sha256_bytes(b"graph"),
    )
    (folder / NAME).write_bytes(msgspec.json.encode(record))
    return folder


def result(backend: str = "dml", verdict: Verdict = Verdict.DIVERGED) -> Result:
    return Result(backend=backend, variant="fp16", device="DirectML", verdict=verdict, remedy="See the log.")


def test_a_divergence_names_the_norm_where_it_starts_and_the_command(tmp_path: Path) -> None:
    folder = write(tmp_path / "dml-fp16", norm(11, 85.0, None), norm(12, 1346814.0, None), norm(13, 1346084.0, None))
    remedy = advised(result(), folder).remedy
    assert "layer 12, /model/layers.12/norm" in remedy
    assert f"`invoke heal {folder} --out HEALED`" in remedy
    assert remedy.endswith("See the log.")


def test_where_nothing_was_measured_the_remedy_is_to_measure(tmp_path: Path) -> None:
    assert "`invoke heal --check" in advised(result(), tmp_path).remedy


@pytest.mark.parametrize(
    "given", [result(verdict=Verdict.PASS), result(backend="ort-cpu"), result(verdict=Verdict.CRASHED)]
)
def test_other_results_stay_as_they_are(tmp_path: Path, given: Result) -> None:
    folder = write(tmp_path / "dml-fp16", norm(12, 1346814.0, None))
    assert advised(given, folder) == given


def test_norms_that_are_healed_or_harmless_are_not_blamed(tmp_path: Path) -> None:
    healed = write(tmp_path / "healed", norm(12, 1346814.0, 16))
    harmless = write(tmp_path / "harmless", norm(12, 85.0, None))
    assert advised(result(), None) == result()
    for folder in (healed, harmless):
        remedy = advised(result(), folder).remedy
        assert "showed no overflow on 1 texts and 9 first tokens" in remedy
        assert f"heal --check {folder} --prompts FILE" in remedy
        assert advised(result(verdict=Verdict.PASS), folder) == result(verdict=Verdict.PASS)


def test_the_section_lists_the_measured_exports(tmp_path: Path) -> None:
    folder = write(tmp_path / "dml-fp16", norm(11, 85.0, None), norm(12, 1346814.0, 16))
    found = section({"cpu-fp32": tmp_path, "dml-fp16": folder, "dml-int4": ValueError("failed")})
    assert found is not None
    assert found.rows == (("dml-fp16", 2, 1, "layer 12, /model/layers.12/norm", "1346814", 1, "1/16", "0.27%"),)
    assert section({"cpu-fp32": tmp_path}) is None
