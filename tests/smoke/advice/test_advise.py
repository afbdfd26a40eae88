"""Advice rests on what was measured first, on what devices make likely second, and never invents a device."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.advice import advise, guesses, successor
from smoke.advice.guesses import Basis, Need
from smoke.backends import cuda
from smoke.backends.npu import Npu
from smoke.parity.dumps import Device as ReadBack
from smoke.parity.speeds import Performance
from smoke.parity.verdicts import Verdict
from smoke.report import writing as reports
from smoke.report.results import Report, Result
from smoke.suites.all_suites import empty_report
from wheelhouse.files import write_atomic
from wheelhouse.machine.facts import Adapter, Cpu, Device, Facts, Interpreter, Memory, WebGpu, Windows
from wheelhouse.paths import ROOT

GB = 10**9
PHI3 = Need(name="phi-3-mini-4k", parameters=3_821_079_552)


def adapter(name, *, vendor=0x1002, dedicated=0, shared=8 * GB, software=False):
    return Adapter(
        name=name, vendor="", vendor_id=vendor, device_id=1, dedicated_memory=dedicated, shared_memory=shared,
        software=software, remote=False,
    )  # fmt: skip


def machine(*adapters, system="win32", memory=16 * GB, devices=(), openvino=None):
    return Facts(
        system=system, name="a machine", machine="x86_64", root=False, disk={}, tools={}, pythons=(), onnxruntimes=(),
        cpu=Cpu(model="a processor", usable=8, features=("avx2", "avx_vnni")), memory=Memory(total=memory, available=1),
        this_python=Interpreter(path="python", version="3.11"), devices=devices, openvino=openvino,
        windows=Windows(visual_studios=(), sdks=(), adapters=adapters) if system == "win32" else None,
    )  # fmt: skip


def webgpu_on(facts, found):
    return msgspec.structs.replace(facts, webgpu=found)


def ways(facts, *, npus=(), need=PHI3, report=None):
    return {a.backend: a for a in advise.advise(facts, npus, need, report)}


def result(name, verdict=Verdict.PASS, rate=None, **fields):
    backend, variant = name.split(":")
    performance = Performance(tokens_per_s=rate, peak_memory_bytes=GB)
    return Result(backend=backend, variant=variant, device="CPU", verdict=verdict, performance=performance, **fields)


def report(*results) -> Report:
    return msgspec.structs.replace(empty_report(), results=results)


@pytest.fixture(autouse=True)
def _no_nvidia(monkeypatch):
    monkeypatch.setattr(cuda, "obstacle", lambda: "There is no NVIDIA GPU.")


def test_a_discrete_card_comes_before_an_integrated_one_and_both_before_the_cpu():
    found = advise.advise(machine(adapter("Radeon", dedicated=16 * GB)), (), PHI3, None)
    assert [a.backend for a in found if a.basis is Basis.EXPECTED] == ["dml:int4", "ort-cpu:int4", "openvino:int4"]
    shared = advise.advise(machine(adapter("Arc", vendor=guesses.INTEL)), (), PHI3, None)
    assert [a.backend for a in shared][:2] == ["openvino:gpu-int4", "dml:int4"]


def test_an_nvidia_card_offers_cuda_and_directml():
    found = ways(machine(adapter("RTX", vendor=guesses.NVIDIA, dedicated=12 * GB)))
    assert found["cuda:int4"].basis is found["dml:int4"].basis is Basis.EXPECTED


def test_software_adapters_and_small_ones_do_not_count():
    found = ways(machine(adapter("Basic Render", software=True)))
    assert found["dml:int4"].basis is Basis.IMPOSSIBLE
    small = ways(machine(adapter("Old card", dedicated=GB, shared=0)))
    assert "Old card cannot hold 3.0 GB" in small["dml:int4"].why


def test_linux_has_no_directml_to_use_and_an_intel_gpu_by_its_node():
    node = Device(kind="gpu", node="/dev/dri/renderD128", driver="xe", vendor_id=0x8086, device_id=1, usable=True)
    found = ways(machine(system="linux", devices=(node,)))
    assert found["dml:int4"].basis is Basis.IMPOSSIBLE
    assert found["openvino:gpu-int4"].basis is Basis.EXPECTED
    assert ways(machine(system="linux"))["openvino:gpu-int4"].basis is Basis.IMPOSSIBLE


def test_an_npu_is_offered_where_there_is_one():
    assert ways(machine())["npu:int4"].basis is Basis.IMPOSSIBLE
    found = ways(machine(), npus=(Npu(name="Intel AI Boost", driver="32.0"),))["npu:int4"]
    assert found.basis is Basis.EXPECTED
    assert "driver 32.0" in found.why


def test_a_model_that_does_not_fit_is_not_offered():
    found = advise.advise(machine(memory=2 * GB), (), PHI3, None)
    assert all(a.basis is Basis.IMPOSSIBLE for a in found)
    assert "smaller model" in advise.conclusion(found, PHI3, ())


def test_an_export_that_the_machine_cannot_hold_is_announced():
    small, large = ways(machine(memory=16 * GB)), ways(machine(memory=32 * GB))
    assert "its export, once, takes about 25.4 GB of memory, more than there is here" in small["ort-cpu:int4"].why
    assert "export" not in small["openvino:int4"].why
    assert "export" not in large["ort-cpu:int4"].why


def test_of_backends_on_the_processor_none_is_called_the_best_unmeasured():
    found = advise.advise(machine(system="linux"), (), PHI3, None)
    assert "Only the processor is left" in advise.conclusion(found, PHI3, ())
    card = advise.advise(machine(adapter("Radeon", dedicated=16 * GB)), (), PHI3, None)
    assert "dml:int4 is likely the best" in advise.conclusion(card, PHI3, ())


def test_what_was_measured_comes_first_by_speed_and_a_fault_rules_out():
    measured = report(
        result("ort-cpu:int4", rate=20.0),
        result("openvino:int4", rate=30.0),
        result("dml:int4", Verdict.DIVERGED, reason="its norms overflow"),
        result("npu:npuw-cpu", Verdict.FELL_BACK, rate=99.0),
        result("reference:fp32", rate=77.0),
        result("ort-cpu:dml-int4", rate=88.0),
    )
    found = advise.advise(machine(adapter("Radeon", dedicated=16 * GB)), (), PHI3, measured)
    assert [a.backend for a in found if a.basis is Basis.MEASURED] == ["openvino:int4", "ort-cpu:int4"]
    ruled_out = next(a for a in found if a.backend == "dml:int4")
    assert (ruled_out.basis, ruled_out.why) == (Basis.IMPOSSIBLE, "DIVERGED here: its norms overflow")
    assert not any(a.backend in {"npu:npuw-cpu", "reference:fp32"} for a in found)
    assert "Use openvino:int4" in advise.conclusion(found, PHI3, ())


def test_directml_in_wine_says_so_and_a_measurement_its_day():
    measured = report(result("dml:int4", rate=2.0))
    in_wine = ways(machine(system="linux"), report=measured)["dml:int4"]
    assert "in Wine, by software Direct3D" in in_wine.why
    assert in_wine.source == f"smoke report of {measured.created[:10]}"
    assert "Wine" not in ways(machine(adapter("Radeon", dedicated=16 * GB)), report=measured)["dml:int4"].why


def test_what_was_skipped_leaves_the_guess():
    measured = report(result("ort-cpu:int4", Verdict.SKIPPED))
    assert ways(machine(), report=measured)["ort-cpu:int4"].basis is Basis.EXPECTED


MEMORY = st.integers(0, 64).map(lambda n: n * GB)


@given(dedicated=MEMORY, shared=MEMORY, memory=MEMORY, software=st.booleans(), parameters=st.integers(0, 10**11))
def test_nothing_is_expected_of_memory_that_is_not_there(dedicated, shared, memory, software, parameters):
    need = Need(name="m", parameters=parameters)
    facts = machine(adapter("x", dedicated=dedicated, shared=shared, software=software), memory=memory)
    found = {a.backend: a for a in advise.advise(facts, (), need, None)}
    fits = not software and dedicated + shared >= need.room(guesses.QUARTER)
    assert (found["dml:int4"].basis is Basis.EXPECTED) == fits
    for backend, runtime in guesses.RUNTIME.items():
        assert (found[backend].basis is Basis.EXPECTED) == (memory >= need.room(guesses.QUARTER) + runtime)
    assert all(advice.source for advice in found.values())


def test_the_last_report_is_the_newest_of_that_model(tmp_path):
    assert advise.last_report("m", tmp_path) is None
    for name, model in (("a", "m"), ("b", "other")):
        (tmp_path / name).mkdir()
        made = report(result("ort-cpu:int4"))
        named = msgspec.structs.replace(made, model=msgspec.structs.replace(made.model, name=model))
        write_atomic(tmp_path / name / reports.JSON, msgspec.json.encode(named))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "report.json").write_text("{", encoding="utf-8")
    assert advise.last_report("m", tmp_path).model.name == "m"
    assert advise.last_report("elsewhere", tmp_path) is None


def test_the_need_of_a_recipe_is_known_without_a_download():
    need = advise.need_of("phi-3-mini-4k")
    assert need.parameters == pytest.approx(PHI3.parameters, rel=0.01)


SOFTWARE = WebGpu(adapter="SwiftShader", software=True, remedy="a GPU")


@pytest.mark.parametrize(
    ("facts", "basis", "words"),
    [
        (machine(system="linux"), Basis.IMPOSSIBLE, "not looked for"),
        (webgpu_on(machine(system="linux"), WebGpu(problem="no Vulkan device")), Basis.IMPOSSIBLE, "no Vulkan device"),
        (webgpu_on(machine(system="linux"), SOFTWARE), Basis.IMPOSSIBLE, "Only SwiftShader"),
        (webgpu_on(machine(system="linux"), WebGpu(adapter="the GPU's driver")), Basis.EXPECTED, "the GPU's driver"),
        (webgpu_on(machine(), WebGpu(adapter="Direct3D 12")), Basis.IMPOSSIBLE, "No DirectX 12 adapter"),
        (
            webgpu_on(machine(adapter("Radeon", dedicated=16 * GB)), WebGpu(adapter="Direct3D 12")),
            Basis.EXPECTED,
            "Radeon",
        ),
    ],
)
def test_webgpu_is_advised_where_there_is_hardware_for_it(facts, basis, words):
    way = ways(facts)["webgpu:int4"]
    assert way.basis is basis
    assert words in way.why


def test_webgpu_in_software_says_so_where_it_was_measured():
    device = ReadBack(name="WebGPU", description="SwiftShader (CPU, software: operators, not drivers or speed)")
    measured = report(result("webgpu:int4", rate=0.5, device_details=device), result("ort-cpu:webgpu-int4", rate=90.0))
    found = ways(webgpu_on(machine(system="linux"), SOFTWARE), report=measured)
    assert "in software, on the processor" in found["webgpu:int4"].why
    assert "ort-cpu:webgpu-int4" not in found


def test_directml_and_webgpu_are_compared_by_what_is_known_and_what_was_measured():
    plain = {name: sides for name, *sides in successor.rows(None)}
    assert "onnxruntime-directml 1.30.0" in plain["packages"][0]
    assert "onnxruntime-ep-webgpu 0.4.0" in plain["packages"][1]
    assert not any(name.endswith(" here") for name in plain)
    measured = report(result("webgpu:fp32", rate=2.5), result("dml:fp16", Verdict.SKIPPED))
    name, *sides = successor.rows(measured)[-1]
    assert name.endswith(" here")
    assert sides == ["not run", "fp32 PASS, 2.5 tokens/s"]


def test_the_comparison_in_the_docs_is_that_of_the_command():
    text = (ROOT / "docs" / "webgpu.md").read_text(encoding="utf-8")
    for row in successor.rows(None):
        assert "| " + " | ".join(row) + " |" in text
