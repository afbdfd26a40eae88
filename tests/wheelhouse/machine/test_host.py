"""Facts of a machine: what is read from files and programs, with folders and outputs of our own in their place."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelhouse.machine import host, host_linux, host_windows
from wheelhouse.machine.facts import Package
from wheelhouse.machine.host import find_tool, onnxruntimes, parse_version
from wheelhouse.machine.host_windows import compilers, dll_version, numbers, parse_vswhere, sdks


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("git version 2.39.5\n", "2.39.5"),
        ("cmake version 4.1.2\n\nCMake suite maintained and supported by Kitware", "4.1.2"),
        ("c++ (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software", "12.2.0"),
        ("Ubuntu clang version 18.1.3 (1ubuntu1)\nTarget: x86_64-pc-linux-gnu", "18.1.3"),
        ("wine-10.0 (Debian 10.0~repack-6)", "10.0"),
        ("wine-9", "9"),
        ("1.11.1\n", "1.11.1"),
        ("sccache v0.10.0", "0.10.0"),
        ("Python 3.13.0rc2", "3.13.0"),
        ("no version here", ""),
        ("", ""),
    ],
)
def test_versions_as_programs_print_them(output: str, version: str) -> None:
    assert parse_version(output) == version


@given(st.text())
def test_any_output_gives_a_version_or_nothing(output: str) -> None:
    assert set(parse_version(output)) <= set("0123456789.") or parse_version(output)[0].isdecimal()


def program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="shell scripts stand in for programs")
def test_a_tool_is_asked_for_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program(tmp_path, "demo-tool", "echo demo version 1.2.3")
    program(tmp_path, "demo-broken", "echo oops >&2; exit 3")
    program(tmp_path, "demo-hang", "sleep 30")
    monkeypatch.setattr(host, "TOOL_SECONDS", 0.3)
    tool = find_tool("demo-tool")
    assert tool is not None
    assert (tool.version, tool.path) == ("1.2.3", str(tmp_path / "demo-tool"))
    for name in ("demo-broken", "demo-hang"):
        silent = find_tool(name)
        assert silent is not None
        assert silent.version == ""
    assert find_tool("demo-absent") is None


def test_gathering_here_gives_facts_that_json_can_hold() -> None:
    import msgspec

    from wheelhouse.machine.facts import Facts

    facts = host.gather()
    assert facts.this_python.path == sys.executable
    assert facts.cpu.usable >= 1
    assert 0 < facts.memory.available <= facts.memory.total
    assert msgspec.json.decode(msgspec.json.encode(facts), type=Facts) == facts


def test_flavours_of_onnx_runtime_are_found_among_packages() -> None:
    names = ["numpy", "onnxruntime", "onnxruntime-directml", "onnxruntime-genai-winml", "onnx", "onnxruntimes"]
    found = onnxruntimes(Package(name=name, version="1") for name in [*names, "onnxruntime"])
    assert [p.name for p in found] == ["onnxruntime", "onnxruntime-directml", "onnxruntime-genai-winml"]


class TestLinux:
    def test_cpu_of_x86_and_of_arm(self, tmp_path: Path) -> None:
        info = tmp_path / "proc" / "cpuinfo"
        info.parent.mkdir()
        info.write_text(
            "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor\t: 1\n",
            encoding="utf-8",
        )
        assert host_linux.cpu(tmp_path) == ("Some CPU @ 2GHz", frozenset({"fpu", "avx2", "amx_bf16"}))
        info.write_text("processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n", encoding="utf-8")
        assert host_linux.cpu(tmp_path) == ("", frozenset({"fp", "asimd", "bf16", "i8mm"}))
        assert host_linux.cpu(tmp_path / "nowhere") == ("", None)

    @pytest.mark.parametrize(
        ("name", "text", "limit"),
        [
            ("memory.max", "8589934592\n", 8589934592),
            ("memory.max", "max\n", None),
            ("memory/memory.limit_in_bytes", "4294967296\n", 4294967296),
            ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
        ],
    )
    def test_memory_limit_of_a_container(self, tmp_path: Path, name: str, text: str, limit: int | None) -> None:
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        assert host_linux.memory_limit(tmp_path) == limit

    @pytest.mark.skipif(sys.platform == "win32", reason="links, as Linux has them in /sys")
    def test_devices_with_their_drivers(self, tmp_path: Path) -> None:
        for name, vendor, device, driver in (
            ("accel/accel0", "0x8086", "0x643e", "intel_vpu"),
            ("drm/renderD128", "0x8086", "0x64a0", "xe"),
            ("drm/renderD129", "", "", "vgem"),
        ):
            node = tmp_path / "sys/class" / name / "device"
            node.mkdir(parents=True)
            if vendor:
                (node / "vendor").write_text(f"{vendor}\n", encoding="utf-8")
                (node / "device").write_text(f"{device}\n", encoding="utf-8")
            (tmp_path / "drivers" / driver).mkdir(parents=True)
            (node / "driver").symlink_to(tmp_path / "drivers" / driver)
        (tmp_path / "sys/class/drm/card0").mkdir()
        (tmp_path / "dev/accel").mkdir(parents=True)
        (tmp_path / "dev/accel/accel0").touch()
        npu, gpu, virtual = host_linux.devices(tmp_path)
        assert (npu.kind, npu.driver, npu.vendor_id, npu.device_id, npu.usable) == (
            "npu",
            "intel_vpu",
            0x8086,
            0x643E,
            True,
        )
        assert (gpu.kind, gpu.driver, gpu.usable) == ("gpu", "xe", False)
        assert (virtual.driver, virtual.vendor_id) == ("vgem", 0)
        assert host_linux.devices(tmp_path / "nowhere") == ()

    def test_libraries_are_looked_for_where_the_loader_looks(self, tmp_path: Path) -> None:
        folder = tmp_path / "usr/lib/x86_64-linux-gnu"
        folder.mkdir(parents=True)
        (folder / "libOpenCL.so.1").touch()
        found = host_linux.libraries(tmp_path)
        assert [name for name, there in found.items() if there] == ["libOpenCL.so.1"]


class TestWindows:
    def test_visual_studios_newest_first_with_their_compilers(self, tmp_path: Path) -> None:
        for place in ("old", "new"):
            for target in ("x64", "arm64") if place == "new" else ("x86",):
                binary = tmp_path / place / "VC/Tools/MSVC/14.44.35207/bin/Hostx64" / target / "cl.exe"
                binary.parent.mkdir(parents=True)
                binary.touch()
        entries = [
            {"installationPath": str(tmp_path / "old"), "installationVersion": "16.11.9", "displayName": "VS 2019"},
            {"installationPath": str(tmp_path / "new"), "installationVersion": "17.14.1", "displayName": "VS 2022"},
        ]
        new, old = parse_vswhere(json.dumps(entries))
        assert (new.name, new.compilers) == ("VS 2022", ("arm64", "x64"))
        assert (old.version, old.compilers) == ("16.11.9", ("x86",))
        assert compilers(tmp_path / "nowhere") == ()

    @pytest.mark.parametrize("output", ["", "[]", "not json", "[{}]", '{"a": 1}', "[1]", "null"])
    def test_odd_output_of_vswhere_is_no_visual_studio(self, output: str) -> None:
        assert parse_vswhere(output) == ()

    def test_sdks_newest_first_and_whether_they_are_new_enough(self, tmp_path: Path) -> None:
        for version, text in (("10.0.19041.0", "enum X {};"), ("10.0.26100.0", "struct DXCoreHardwareIDParts {};")):
            header = tmp_path / version / "um" / "dxcore_interface.h"
            header.parent.mkdir(parents=True)
            header.write_text(text, encoding="utf-8")
        (tmp_path / "10.0.10240.0" / "ucrt").mkdir(parents=True)  # only the C runtime: no SDK
        assert [(s.version, s.hardware_id_parts) for s in sdks(tmp_path)] == [
            ("10.0.26100.0", True),
            ("10.0.19041.0", False),
        ]

    def test_a_dll_without_resources_has_an_unknown_version(self, tmp_path: Path) -> None:
        path = tmp_path / "onnxruntime.dll"
        assert dll_version(path) == ""
        path.write_bytes(b"MZ is not enough")
        assert dll_version(path) == "unknown"

    def test_elsewhere_windows_has_nothing_to_say(self) -> None:
        if sys.platform != "win32":
            assert host_windows.cpu() == ("", None)


@given(st.lists(st.integers(0, 99999), min_size=1, max_size=5))
def test_versions_are_compared_as_numbers(parts: list[int]) -> None:
    assert numbers(".".join(map(str, parts))) == tuple(parts)
