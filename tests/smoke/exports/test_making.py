"""Exporting with a stand-in for the exporters: a process that writes small files, or fails as the real ones do."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from smoke.environments import pinned
from smoke.environments.source import Environment
from smoke.exports import exporters
from smoke.exports import making as exporting
from smoke.exports import needs as export_needs
from smoke.models.model import Model
from tests.smoke.models import building
from wheelhouse import process
from wheelhouse.errors import ResourceError, StepFailedError, UnsupportedError, UsageError
from wheelhouse.machine import facts, host

STAND_IN = """
import os, pathlib, signal, sys
arguments = sys.argv[1:]
out = pathlib.Path(arguments[-1] if "openvino" in arguments else arguments[arguments.index("-o") + 1])
kind = out.name.removesuffix(".partial").lstrip(".")
plan = pathlib.Path(__file__).parent / kind
with (plan.parent / "started").open("a") as log:
    log.write(kind + "\\n")
do = plan.read_text() if plan.exists() else ""
if do == "fail":
    sys.exit("RuntimeError: unsupported architecture")
if do == "full":
    sys.exit("OSError: [Errno 28] No space left on device")
if do == "too new":
    sys.exit("ValueError: The current version of Transformers does not allow for the export of the model. "
             "Maximum required is 5.0, got: 5.5.4")
if do == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if do == "hang":
    import time
    time.sleep(600)
names = {files!r}[kind]
for name in names[: -1 if do == "incomplete" else None]:
    (out / name).write_text(name)
"""


FACTS = building.facts(hidden_size=576, num_attention_heads=9, num_key_value_heads=3, head_dim=64)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return Model(name="owner/demo", folder=folder, key="0" * 64, label="demo", facts=FACTS)


@pytest.fixture
def plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which a file named after a kind says what its exporter is to do."""
    folder = tmp_path / "stand-in"
    folder.mkdir()
    script = folder / "exporter.py"
    files = {kind: exporter.files for kind, exporter in exporters.EXPORTERS.items()}
    script.write_text(STAND_IN.replace("{files!r}", repr(files)), encoding="utf-8")

    def prepare(name: str) -> Environment:
        assert name == pinned.MAIN
        return Environment(name=name, python=(sys.executable, str(script)), env={}, label="stand-in", key="k")

    monkeypatch.setattr(pinned, "prepare", prepare)
    monkeypatch.setattr(exporting, "stabilise", lambda made, **_: made)  # what is exported here is no graph
    return folder


def started(plans: Path) -> list[str]:
    log = plans / "started"
    return sorted(log.read_text(encoding="utf-8").split()) if log.exists() else []


def test_all_are_made_once_and_say_what_they_are(model: Model, plans: Path) -> None:
    first = exporting.export_all(model, exporting.EXPORTS)
    assert sorted(first) == sorted(exporting.EXPORTS) == started(plans)
    assert exporting.export_all(model, exporting.EXPORTS) == first
    assert started(plans) == sorted(exporting.EXPORTS), "the second time starts nothing"
    folder = first["openvino-int4"]
    assert isinstance(folder, Path)
    info = exporting.info(folder)
    assert (info.kind, info.model, info.model_key) == ("openvino-int4", "owner/demo", model.key)
    assert info.settings[-2:] == ("--group-size-fallback", "adjust")


def test_one_failure_is_a_value_and_the_others_are_made(model: Model, plans: Path) -> None:
    (plans / "dml-fp16").write_text("fail", encoding="utf-8")
    made = exporting.export_all(model, exporting.EXPORTS)
    error = made.pop("dml-fp16")
    assert isinstance(error, StepFailedError)
    assert "unsupported architecture" in error.message
    assert error.log is not None
    assert "unsupported architecture" in error.log.read_text(encoding="utf-8")
    assert all(isinstance(folder, Path) for folder in made.values())
    (plans / "dml-fp16").unlink()
    assert exporting.export(model, "dml-fp16").is_dir()


@pytest.mark.parametrize(
    ("plan", "kind", "says"),
    [
        ("full", ResourceError, "disk filled up"),
        ("incomplete", StepFailedError, "wrote no"),
        ("too new", UnsupportedError, r"with transformers up to 5\.0; 5\.5\.4 is pinned"),
        pytest.param(
            "killed",
            ResourceError,
            "lack of memory",
            marks=pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows"),
        ),
    ],
)
def test_failure_is_explained_and_leaves_nothing(
    model: Model, plans: Path, plan: str, kind: type[Exception], says: str
) -> None:
    (plans / "cpu-int4").write_text(plan, encoding="utf-8")
    with pytest.raises(kind, match=says):
        exporting.export(model, "cpu-int4")
    (plans / "cpu-int4").unlink()
    folder = exporting.export(model, "cpu-int4")
    assert (folder / "model.onnx").read_text(encoding="utf-8") == "model.onnx"


@pytest.mark.parametrize("harm", [lambda p: p.write_text("model", encoding="utf-8"), lambda p: p.unlink()])
def test_harmed_export_is_made_again(model: Model, plans: Path, harm) -> None:  # type: ignore[no-untyped-def]
    folder = exporting.export(model, "cpu-fp32")
    harm(folder / "model.onnx")
    assert (exporting.export(model, "cpu-fp32") / "model.onnx").read_text(encoding="utf-8") == "model.onnx"
    assert started(plans) == ["cpu-fp32", "cpu-fp32"]


def test_what_an_export_depends_on(model: Model, plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    first = exporting.export(model, "openvino-int4")
    assert exporting.export(dataclasses.replace(model, key="1" * 64), "openvino-int4") != first
    wide = dataclasses.replace(model, facts=building.facts(hidden_size=128, head_dim=32))
    assert exporting.export(wide, "openvino-int4") == first
    assert "--group-size-fallback" not in exporting.info(first).settings
    assert len(started(plans)) == 3


def test_unknown_kind_starts_nothing(model: Model, plans: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'dml-fp16'"):
        exporting.export_all(model, ["cpu-fp32", "dml-fp"])
    assert started(plans) == []


class Memory:
    """Stands in for the host's memory and swap, in bytes."""

    def __init__(self, available: int, swap: int = 0) -> None:
        self.available, self.swap = available, swap

    def take_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(host, "memory", lambda: facts.Memory(total=self.available, available=self.available))
        monkeypatch.setattr(host, "free_swap", lambda: self.swap)


def test_as_many_at_once_as_the_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    Memory(5_000_000_000).take_over(monkeypatch)
    assert [export_needs.at_once(size, 2) for size in (0, 2_000_000_000, 3_000_000_000, 9_000_000_000)] == [2, 2, 1, 1]


def test_memory_that_is_too_small_is_told_before_anything_runs(
    model: Model, plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Memory(500_000_000).take_over(monkeypatch)
    with pytest.raises(ResourceError, match=r"needs about 600 MB of memory, 500 MB are free\.") as caught:
        exporting.export(model, "cpu-int4")
    assert "--ignore-memory" in caught.value.remedy
    assert isinstance(exporting.export_all(model, ["cpu-int4"])["cpu-int4"], ResourceError)
    assert started(plans) == []
    assert exporting.export(model, "cpu-int4", ignore_memory=True).is_dir()
    assert exporting.export(model, "cpu-int4").is_dir(), "what is there needs no memory"


def test_swap_makes_it_a_warning(
    model: Model, plans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Memory(500_000_000, swap=200_000_000).take_over(monkeypatch)
    assert exporting.export(model, "cpu-int4").is_dir()
    assert "it will be slow, or fail" in capsys.readouterr().err


MEASURED = {
    # parameters, bytes of the files, and for each export: megabytes of memory that were its own (not files mapped into
    # it), of the result, of temporary files
    (134_515_008, 538_090_408): {
        "cpu-fp32": (559, 519, 0),
        "cpu-int4": (1204, 86, 0),
        "dml-fp16": (518, 262, 0),
        "dml-int4": (856, 131, 0),
        "openvino-fp16": (680, 265, 4),
        "openvino-int4": (776, 109, 575),
        "openvino-npu-int4": (762, 89, 633),
        "openvino-npu-int4-channel": (760, 87, 577),
    },
    (542_410_752, 1_084_827_328): {
        "cpu-fp32": (1087, 2072, 0),
        "cpu-int4": (3433, 537, 0),
        "dml-fp16": (627, 1036, 0),
        "dml-int4": (1971, 383, 0),
        "openvino-fp16": (1588, 1036, 0),
        "openvino-int4": (1210, 405, 1440),
        "openvino-npu-int4": (1113, 329, 1430),
        "openvino-npu-int4-channel": (1101, 323, 1423),
    },
}
"""SmolLM2-135M in float32, and a Phi-3 of 540 million parameters in bfloat16."""


@pytest.mark.parametrize("size", MEASURED)
def test_estimates_cover_what_was_measured_without_exaggeration(size: tuple[int, int]) -> None:
    facts = building.facts(parameters=size[0], size=size[1])
    for kind, (memory, result, temporary) in MEASURED[size].items():
        needs = export_needs.of(facts, exporters.EXPORTERS[kind])
        assert memory < needs.memory / 1e6 < 2.1 * memory, kind
        assert result + temporary < needs.disk / 1e6 < 4 * (result + temporary), kind


def test_disk_without_room_is_told_before_anything_runs(
    model: Model, plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match=r"only 1\.0 kB are free"):
        exporting.export(model, "cpu-fp32")
    assert started(plans) == []


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_interrupt_ends_the_exporters(model: Model, plans: Path) -> None:
    for kind in ("cpu-fp32", "cpu-int4"):
        (plans / kind).write_text("hang", encoding="utf-8")

    def interrupt_when_started() -> None:
        while len(started(plans)) < 2:
            time.sleep(0.02)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt_when_started, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        exporting.export_all(model, ["cpu-fp32", "cpu-int4", "dml-fp16"])
    assert not process._running
    assert "dml-fp16" not in started(plans)
