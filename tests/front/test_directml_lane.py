"""What doctor says of DirectML on an AI PC: each fault with its remedy, and nothing invented for a healthy one."""

import datetime as dt
import zipfile
from pathlib import Path

import msgspec
import pytest

from front import wheel_floors
from front.directml_lane import directml
from tests.front.test_doctor import facts_of, said
from wheelhouse.machine.host_windows import directml_libraries

TODAY = dt.date(2026, 11, 26)
PC = facts_of("windows-ai-pc", environments={})


def changed(**windows):
    return msgspec.structs.replace(PC, windows=msgspec.structs.replace(PC.windows, **windows))


def test_a_healthy_pc_is_ready_and_names_what_it_has():
    lane = directml(PC, today=TODAY)
    assert (lane.state, lane.gaps) == ("ready", ())
    text = said(lane)
    assert "device_id 0: Intel(R) Arc(TM) 140V GPU (16GB), feature level 12_2" in text
    assert "NPU driver: Intel(R) AI Boost, 32.0.100.4082 of 2026-06-02" in text
    assert "this Python loads 1.15.4.0" in text
    assert "there is also 1.8.0.0" in text
    assert "two years" not in text


@pytest.mark.parametrize(
    ("windows", "what", "remedy"),
    [
        ({"adapters": (), "adapters_problem": "no dxgi"}, "hardware DirectX adapter (no dxgi)", "newest driver"),
        ({"adapters": PC.windows.adapters[1:]}, "hardware DirectX adapter", "newest driver"),
        ({"adapters": (msgspec.structs.replace(PC.windows.adapters[0], feature_level=""),)}, "no feature level",
         "newest driver"),
        ({"build": 17763}, "build 17763", "Update Windows"),
        ({"vc_runtime": {"msvcp140.dll": "", "vcruntime140.dll": "14.1"}}, "msvcp140.dll", "VCRedist.2015+.x64"),
        ({"vc_runtime": {"msvcp140.dll": "14.29.30139.0"}}, "than 14.29.30139.0", "msvc-runtime"),
    ],
)  # fmt: skip
def test_each_fault_has_its_remedy(windows, what, remedy):
    lane = directml(changed(**windows), today=TODAY)
    (gap,) = lane.gaps
    assert lane.state == "missing"
    assert what in gap.what
    assert remedy in gap.remedy


def test_each_wheels_windows_is_asked_for(tmp_path):
    """Today's GenAI wheel for x64 carries D3D12Core.dll, which needs a newer Windows than DirectML.dll."""
    for name, carried in (
        ("onnxruntime_directml-1", "DirectML.dll"),
        ("onnxruntime_genai_directml-1", "D3D12Core.dll"),
    ):
        with zipfile.ZipFile(tmp_path / f"{name}-cp313-cp313-win_amd64.whl", "w") as wheel:
            wheel.writestr(f"module/{carried}", b"")
    (tmp_path / "broken-1-cp313-cp313-win_amd64.whl").write_bytes(b"PK")
    (tmp_path / "no wheel-win_amd64.whl").write_bytes(b"")
    floors = wheel_floors.of(tmp_path, "AMD64")
    assert [(f.distribution, f.build) for f in floors] == [
        ("onnxruntime-directml", 18362),
        ("onnxruntime-genai-directml", 18363),
    ]
    assert wheel_floors.of(tmp_path, "ARM64") == wheel_floors.of(tmp_path / "none", "AMD64") == ()
    (gap,) = directml(changed(build=18362), floors, TODAY).gaps
    assert "build 18363 or newer, for d3d12core.dll in onnxruntime-genai-directml; this is build 18362" in gap.what
    assert len(directml(changed(build=17763), floors, TODAY).gaps) == 2
    assert directml(changed(build=18363), floors, TODAY).gaps == ()


def test_an_arm64_pc_is_told_of_its_own_runtime():
    facts = msgspec.structs.replace(changed(vc_runtime={"msvcp140.dll": ""}), machine="ARM64")
    assert "VCRedist.2015+.arm64" in said(directml(facts, today=TODAY))


def test_an_old_driver_is_told_with_its_day():
    old = msgspec.structs.replace(PC.windows.drivers[0], date="2021-01-05")
    lane = directml(changed(drivers=(old,)), today=TODAY)
    assert lane.state == "ready"
    assert "of 2021-01-05, more than two years old. Install the newest driver" in said(lane)
    undated = msgspec.structs.replace(old, date="")
    assert "years" not in said(directml(changed(drivers=(undated,)), today=TODAY))


def test_elsewhere_it_says_where_to_look():
    lane = directml(facts_of("debian-server"), today=TODAY)
    assert lane.state == "impossible"
    assert "wine-setup" in said(lane)


def test_the_library_beside_onnxruntime_comes_before_the_systems(tmp_path: Path):
    for folder in ("site/onnxruntime/capi", "System32"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "DirectML.dll").write_bytes(b"not a DLL")
    found = directml_libraries([tmp_path / "none", tmp_path / "site", tmp_path / "site"], tmp_path / "System32")
    assert [Path(each.path).parent.name for each in found] == ["capi", "System32"]
    assert {each.version for each in found} == {"unknown"}
    assert directml_libraries([], tmp_path / "none") == ()
