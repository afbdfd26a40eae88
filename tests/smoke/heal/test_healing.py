"""Checking and healing whole folders, with the real job; only the tokenizer is a stand-in.

The job runs in this process, which has its libraries loaded already; one test starts it as it is really started.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from smoke.environments import pinned
from smoke.environments.source import Environment
from smoke.heal import healing, hook, known_norms, norm_table
from smoke.heal.norms import job
from smoke.heal.norms.find import find
from tests.not_in_wine import LINKS
from tests.smoke.heal import decoder
from wheelhouse import manifests
from wheelhouse.errors import InputError, StepFailedError, UnsupportedError, UsageError
from wheelhouse.files import sha256_tree
from wheelhouse.process import Command


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = tmp_path / "stand-in"
    stand_in.mkdir()
    (stand_in / "tokenizers.py").write_text(decoder.TOKENIZERS, encoding="utf-8")
    made = Environment(
        name="main", python=(sys.executable,), env={"PYTHONPATH": str(stand_in)}, label="stand-in", key="k"
    )
    monkeypatch.setattr(pinned, "prepare", lambda name: made)
    tokenizers = types.ModuleType("tokenizers")
    exec(decoder.TOKENIZERS, tokenizers.__dict__)
    monkeypatch.setitem(sys.modules, "tokenizers", tokenizers)


@pytest.fixture
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: Command, **_: object) -> None:
        assert command.argv[:2] == (sys.executable, str(healing.SCRIPTS))
        with contextlib.redirect_stdout(io.StringIO()):
            job.main(command.argv[2:])

    monkeypatch.setattr(healing.process, "run", run)


in_process = pytest.mark.usefixtures("_in_process")


def logits(folder: Path) -> np.ndarray:
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    ids = np.array([[0, 3, 7]])
    past = np.zeros((1, 2, 0, 4), np.float16)
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "past_key_values.0.key": past}
    result: np.ndarray = session.run(["logits"], feeds)[0]
    return result


def test_a_copy_is_healed(tmp_path: Path) -> None:
    source = decoder.folder(tmp_path / "model")
    before = sha256_tree(source)
    found = healing.heal(source, out=tmp_path / "healed")
    assert sha256_tree(source) == before, "the original is as it was"
    assert [norm.verdict for norm in found.norms] == ["safe", "overflows", "near"]
    first, second, third = found.norms
    assert (second.layer, second.name, second.form) == (1, "/model/layers.1/norm", "skip")
    # 20000² / 64 elements = 6.25e6, times the headroom of 4, needs 1/32
    assert second.worst_mean_square == pytest.approx(6.25e6, rel=0.01)
    assert (first.scale, second.scale) == (None, 32)
    assert third.scale == 2
    assert second.worst_token == 0
    assert found.calibration.chat_template
    assert found.calibration.longest == 96
    assert 0 <= (found.cpu_difference or 0) < 2e-3
    healed = find(ir.load(tmp_path / "healed" / "model.onnx"))
    assert [norm.present for norm in healed] == [1, 32, 2]
    assert np.allclose(logits(source), logits(tmp_path / "healed"), rtol=1e-2, atol=2e-2)
    assert known_norms.load(tmp_path / "healed") == found
    assert "showed no overflow on" in known_norms.advice(tmp_path / "healed")
    assert "--prompts FILE" in known_norms.advice(tmp_path / "healed")


@in_process
def test_original_and_copy_can_both_be_loaded_by_the_onnx_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses data files with several hard links, as "a potential hardlink attack"."""
    monkeypatch.setattr(healing, "_COPIED", 0)  # the model is too small to be shared otherwise
    source = decoder.folder(tmp_path / "model")
    healing.heal(source, out=tmp_path / "healed")
    for folder in (source, tmp_path / "healed"):
        assert onnx.load(folder / "model.onnx").graph.node


@in_process
def test_in_place_the_old_graph_is_kept_and_a_second_healing_changes_nothing(tmp_path: Path) -> None:
    folder = decoder.folder(tmp_path / "model")
    original = (folder / "model.onnx").read_bytes()
    data = (folder / "model.onnx.data").read_bytes()
    found = healing.heal(folder)
    assert len(found.rewritten) == 2
    assert (folder / "model.onnx.unhealed").read_bytes() == original
    assert (folder / "model.onnx.data").read_bytes() == data
    once = sha256_tree(folder)
    assert healing.heal(folder) == found
    assert sha256_tree(folder) == once
    again = healing.check(folder)
    assert again.at_risk == ()
    assert "2 of them were healed before" in again.summary


@in_process
def test_check_changes_nothing_and_names_the_first_norm(tmp_path: Path) -> None:
    folder = decoder.folder(tmp_path / "model")
    before = sha256_tree(folder)
    answer = healing.check(folder)
    assert sha256_tree(folder) == before
    assert not answer.rewritten
    assert "2 of 3 norms" in answer.summary
    assert "layer 1, /model/layers.1/norm" in answer.summary
    assert "62" in answer.summary
    assert len(norm_table.table(answer).rows) == 3
    assert any("single tokens" in line for line in norm_table.lines(answer))


@in_process
@pytest.mark.parametrize(("spike", "options"), [(100.0, {}), (20000.0, {"weight": np.float32})])
def test_a_model_without_need_keeps_its_very_graph(tmp_path: Path, spike: float, options: dict[str, type]) -> None:
    """Small rows, and norms that DirectML computes in fp32 because their weights are."""
    source = fp32_norms(tmp_path / "model") if options else decoder.folder(tmp_path / "model", spike)
    found = healing.heal(source, out=tmp_path / "healed")
    assert not found.at_risk
    assert {norm.verdict for norm in found.norms} == ({"wide"} if options else {"safe"})
    assert ("compute in fp32" in found.summary) == bool(options)
    assert (tmp_path / "healed" / "model.onnx").read_bytes() == (source / "model.onnx").read_bytes()


def fp32_norms(path: Path) -> Path:
    """Write a folder whose norm has fp16 rows and fp32 weights, as exporters write them that keep norms in fp32."""
    from tests.smoke.heal.graphs import GraphBuilder

    folder = decoder.folder(path)
    g = GraphBuilder(opset=21)
    ids = g.input("input_ids", ("batch_size", "sequence_length"), ir.DataType.INT64)
    rows = g("Gather", g.constant("embed", np.full((decoder.VOCABULARY, 8), 30000, np.float16)), ids)
    weight = g.constant("w", np.ones(8, np.float32))
    normalized = g("SimplifiedLayerNormalization", rows, weight, axis=-1, epsilon=1e-5)
    ir.save(g.model(g("Cast", normalized, to=ir.DataType.FLOAT16.value)), folder / "model.onnx")
    return folder


@in_process
def test_always_scales_every_norm_and_never_none(tmp_path: Path) -> None:
    source = decoder.folder(tmp_path / "model", 100.0)
    every = healing.heal(source, out=tmp_path / "always", mode="always")
    assert len(every.rewritten) == 3
    assert not any(norm.imprecise for norm in every.norms)
    assert np.allclose(logits(source), logits(tmp_path / "always"), rtol=1e-2, atol=2e-2)
    none = healing.heal(decoder.folder(tmp_path / "risky"), out=tmp_path / "never", mode="never")
    assert none.at_risk
    assert not none.rewritten
    assert "`invoke heal" in known_norms.advice(tmp_path / "never")
    assert "layer 1, /model/layers.1/norm" in known_norms.advice(tmp_path / "never")


@in_process
def test_rows_that_are_not_finite_are_said_to_be_beyond_help(tmp_path: Path) -> None:
    found = healing.check(decoder.folder(tmp_path / "model", float("inf")))
    assert found.norms[1].verdict == "infinite"
    assert found.norms[1].worst_mean_square is None


@in_process
def test_an_interrupted_healing_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = decoder.folder(tmp_path / "model")
    before = sha256_tree(folder)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(healing, "_keep", stop)
    with pytest.raises(KeyboardInterrupt):
        healing.heal(folder)
    assert sha256_tree(folder) == before
    monkeypatch.setattr(healing.process, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        healing.heal(folder, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def snapshot(tmp_path: Path) -> Path:
    """Return a model folder as the hub's download cache has it: every file a link to a blob of another name."""
    blobs, folder = tmp_path / "hub" / "blobs", tmp_path / "hub" / "snapshots" / "0123abcd"
    made = decoder.folder(tmp_path / "made")
    blobs.mkdir(parents=True)
    folder.mkdir(parents=True)
    for number, path in enumerate(sorted(made.iterdir())):
        path.rename(blobs / f"{number:040x}")
        (folder / path.name).symlink_to(Path("../../blobs") / f"{number:040x}")
    made.rmdir()
    return folder


@LINKS
@in_process
def test_a_download_cache_is_healed_and_what_comes_out_are_files(tmp_path: Path) -> None:
    folder = snapshot(tmp_path / "users")
    blobs = sha256_tree(tmp_path / "users" / "hub" / "blobs")
    assert len(healing.check(folder).at_risk) == 2
    found = healing.heal(folder, out=tmp_path / "users" / "out")
    assert len(found.rewritten) == 2
    assert all(path.is_symlink() for path in folder.iterdir())
    assert healing.heal(folder).graph_after == found.graph_after
    for made in (folder, tmp_path / "users" / "out"):
        assert not [path for path in made.rglob("*") if path.is_symlink()]
        assert onnx.load(made / "model.onnx").graph.node
        assert healing.check(made).at_risk == ()
    assert sha256_tree(tmp_path / "users" / "hub" / "blobs") == blobs
    assert {path.name for path in (tmp_path / "users").iterdir()} == {"hub", "out"}


@in_process
def test_a_failed_healing_leaves_nothing_and_names_the_users_folder(tmp_path: Path) -> None:
    folder = decoder.folder(tmp_path / "users" / "model")
    (folder / "tokenizer.json").write_text("broken", encoding="utf-8")
    before = sha256_tree(folder)
    for out in (tmp_path / "users" / "out", None):
        with pytest.raises(UnsupportedError, match=re.escape(f"norms of {folder} cannot be healed")):
            healing.heal(folder, out=out)
    assert sha256_tree(folder) == before
    assert [path.name for path in (tmp_path / "users").iterdir()] == ["model"]


@in_process
def test_a_stale_record_is_not_believed(tmp_path: Path) -> None:
    folder = decoder.folder(tmp_path / "model")
    healing.heal(folder)
    (folder / "model.onnx.unhealed").replace(folder / "model.onnx")
    assert known_norms.load(folder) is None
    assert "heal --check" in known_norms.advice(folder)


def config(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "genai_config.json").write_text(text, encoding="utf-8")


def graph_outside(folder: Path) -> None:
    (folder / "model.onnx").rename(folder.parent / "model.onnx")
    config('{"model": {"decoder": {"filename": "../model.onnx"}}}')(folder)


BROKEN: dict[str, Callable[[Path], object]] = {
    "no folder": lambda folder: folder.rename(folder.with_name("elsewhere")),
    "no config": lambda folder: (folder / "genai_config.json").unlink(),
    "no json": config("{"),
    "no decoder": config('{"model": {}}'),
    "no filename": config('{"model": {"decoder": {"filename": ""}}}'),
    "pipeline": config('{"model": {"decoder": {"filename": "", "pipeline": [{}]}}}'),
    "no graph": lambda folder: (folder / "model.onnx").unlink(),
    "outside": graph_outside,
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "broken tokenizer": lambda folder: (folder / "tokenizer.json").write_text("broken", encoding="utf-8"),
    "broken graph": lambda folder: (folder / "model.onnx").write_bytes(b"no graph at all"),
    "no weights": lambda folder: (folder / "model.onnx.data").unlink(),
}


@in_process
@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ("no folder", InputError, "is not a folder"),
        ("no config", InputError, "cannot be read"),
        ("no json", InputError, "not the configuration"),
        ("no decoder", InputError, "not the configuration"),
        ("no filename", InputError, "names no graph"),
        ("pipeline", UnsupportedError, "split into a pipeline"),
        ("no graph", InputError, "has no model.onnx"),
        ("outside", InputError, "outside the model folder"),
        ("no tokenizer", InputError, "has no tokenizer.json"),
        ("broken tokenizer", UnsupportedError, "tokenizer.json cannot be read"),
        ("broken graph", UnsupportedError, "cannot be read"),
        ("no weights", UnsupportedError, "cannot load the graph"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path: Path, how: str, error: type[Exception], says: str) -> None:
    folder = decoder.folder(tmp_path / "model")
    BROKEN[how](folder)
    with pytest.raises(error, match=says):
        healing.check(folder)


@in_process
def test_options_that_make_no_sense(tmp_path: Path) -> None:
    folder = decoder.folder(tmp_path / "model")
    with pytest.raises(UsageError, match="Did you mean 'always'"):
        healing.heal(folder, mode="allways")
    with pytest.raises(InputError, match="is there already"):
        healing.heal(folder, out=folder)
    with pytest.raises(UsageError, match="--check"):
        norm_table.show(str(folder), out="x", check=True, json=False, mode="auto")


@in_process
def test_show_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = decoder.folder(tmp_path / "model", 100.0)
    norm_table.show(str(folder), out="", check=True, json=True, mode="auto")
    printed = json.loads(capsys.readouterr().out)
    assert [norm["verdict"] for norm in printed["norms"]] == ["safe"] * 3


@in_process
def test_exports_are_stabilised_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = decoder.folder(tmp_path / "exports" / "dml-fp16")
    manifests.write(export)
    made = hook.stabilise(export, model="demo", mode="auto")
    assert made != export
    assert manifests.damage(made) is None
    assert known_norms.load(made) is not None
    raw = hook.stabilise(export, model="demo", mode="never")
    assert (raw / "model.onnx").read_bytes() == (export / "model.onnx").read_bytes()
    monkeypatch.setattr(healing.process, "run", lambda *_, **__: pytest.fail("nothing is to be started"))
    assert hook.stabilise(export, model="demo", mode="auto") == made


@in_process
def test_an_export_that_cannot_be_measured_is_used_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = decoder.folder(tmp_path / "exports" / "dml-fp16")
    BROKEN["broken tokenizer"](export)
    manifests.write(export)
    assert hook.stabilise(export, model="demo", mode="auto") == export
    assert "used as exported" in capsys.readouterr().err


def test_the_way_to_treat_norms_comes_from_option_recipe_or_default() -> None:
    assert hook.mode_for("no-recipe", "") == "auto"
    assert hook.mode_for("smollm2-135m", "") == "auto"
    assert hook.mode_for("smollm2-135m", "never") == "never"
    with pytest.raises(UsageError):
        hook.mode_for("smollm2-135m", "sometimes")


def test_a_crash_of_the_job_is_an_error_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "SCRIPTS", tmp_path / "nothing.py")
    with pytest.raises(StepFailedError) as caught:
        healing.check(decoder.folder(tmp_path / "model"))
    assert caught.value.log is not None
    assert caught.value.log.is_file()
