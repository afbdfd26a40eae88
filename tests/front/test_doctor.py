"""`invoke doctor` over the facts of whole machines: one recorded (a Debian server), one written down (an AI PC)."""

from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from front import doctor, lane_checks
from front.doctor import examine, to_json, to_text
from front.lane_checks import BELOW_CHECKOUT, Lane
from wheelhouse.machine.facts import Facts
from wheelhouse.machine.host_windows import numbers

FACTS = Path(__file__).parent / "facts"


def facts_of(name: str, **changed: Any) -> Facts:
    """Decode a machine's facts, with some of their parts replaced."""
    content = json.loads((FACTS / f"{name}.json").read_text(encoding="utf-8"))
    return msgspec.convert(content | changed, Facts)


def lanes_of(facts: Facts) -> dict[str, Lane]:
    return {lane.name: lane for lane in examine(facts, cmake="3.28").lanes}


def states(facts: Facts) -> dict[str, str]:
    return {name: lane.state for name, lane in lanes_of(facts).items()}


def said(lane: Lane) -> str:
    return " ".join([*(f"{g.what} {g.remedy}" for g in lane.gaps), *lane.notes])


def test_a_debian_server_can_do_all_but_compile_directml_once_it_has_a_newer_cmake() -> None:
    lanes = lanes_of(facts_of("debian-server"))
    assert {name: lane.state for name, lane in lanes.items()} == {
        "published": "ready",
        "git-cpu": "missing",
        "git-dml": "impossible",
        "smoke": "ready",
        "wine": "ready",
        "directml": "impossible",
        "webgpu": "ready",
    }
    (gap,) = lanes["git-cpu"].gaps
    assert "3.25.1" in gap.what
    assert "pip install 'cmake>=3.28'" in gap.remedy
    assert "published lane" in lanes["git-dml"].gaps[0].remedy
    assert "no Intel NPU" in said(lanes["smoke"])


def test_an_ai_pc_with_everything_is_ready_for_all_but_wine() -> None:
    lanes = lanes_of(facts_of("windows-ai-pc"))
    assert {name for name, lane in lanes.items() if lane.state == "ready"} == {
        "published",
        "git-cpu",
        "git-dml",
        "smoke",
        "directml",
        "webgpu",
    }
    assert lanes["wine"].state == "impossible"
    assert [name for name, lane in lanes.items() if lane.notes] == ["directml", "webgpu"]
    assert "adapter: Direct3D 12 (Intel(R) Arc" in said(lanes["webgpu"])


def without(name: str, part: str, *path: str) -> Facts:
    content = json.loads((FACTS / f"{name}.json").read_text(encoding="utf-8"))
    place = content
    for key in path:
        place = place[key]
    del place[part]
    return msgspec.convert(content, Facts)


@pytest.mark.parametrize(
    ("facts", "lane", "words"),
    [
        (without("debian-server", "git", "tools"), "git-cpu", "apt install git"),
        (without("debian-server", "c++", "tools"), "git-cpu", "apt install g\\+\\+"),
        (without("debian-server", "ninja", "tools"), "git-cpu", "pip install ninja"),
        (without("windows-ai-pc", "git", "tools"), "git-dml", "winget install Git.Git"),
        (without("windows-ai-pc", "cmake", "tools"), "git-dml", "CMake 3.28 or newer "),
    ],
)
def test_a_missing_tool_is_named_with_its_remedy(facts: Facts, lane: str, words: str) -> None:
    import re

    found = lanes_of(facts)[lane]
    assert found.state == "missing"
    assert re.search(words, said(found))


def replaced(name: str, part: str, **changed: Any) -> Facts:
    facts = facts_of(name)
    inner = getattr(facts, part)
    return msgspec.structs.replace(facts, **{part: msgspec.structs.replace(inner, **changed)})


def deep(long_paths: bool | None) -> Facts:
    facts = replaced("windows-ai-pc", "windows", long_paths=long_paths)
    return msgspec.structs.replace(facts, places={"checkout": "C:\\" + "x" * 196, "cache": "C:\\w"})


def test_a_deep_checkout_is_no_gap_where_long_paths_are_on() -> None:
    assert lanes_of(deep(True))["published"].state == "ready"


@pytest.mark.parametrize(
    ("facts", "lane", "words"),
    [
        (replaced("debian-server", "this_python", pip=False), "published", "ensurepip"),
        (replaced("debian-server", "this_python", venv=False), "smoke", "apt install python3-venv"),
        (replaced("debian-server", "this_python", headers=False), "git-cpu", "python3-dev"),
        (replaced("debian-server", "memory", total=2_000_000_000), "smoke", "tiny-phi3"),
        (replaced("windows-ai-pc", "windows", visual_studios=()), "git-dml", "BuildTools"),
        (replaced("windows-ai-pc", "windows", visual_studios=()), "git-cpu", "Desktop development"),
        (replaced("windows-ai-pc", "windows", sdks=()), "git-dml", "DXCoreHardwareIDParts"),
        (replaced("windows-ai-pc", "windows", long_paths=False), "git-dml", "LongPathsEnabled"),
        (deep(None), "published", "is 199 characters long"),
        (deep(False), "published", "Clone the project again into a short folder"),
    ],
)
def test_a_gap_is_named_with_its_remedy(facts: Facts, lane: str, words: str) -> None:
    found = lanes_of(facts)[lane]
    assert found.state == "missing"
    assert words in said(found)


@pytest.mark.parametrize("lane", ["published", "git-cpu", "smoke", "wine"])
def test_a_full_disk_is_a_gap_of_every_lane(lane: str) -> None:
    facts = msgspec.structs.replace(facts_of("debian-server"), disk={"cache": 1_000_000, "checkout": 10**12})
    assert "DML_WHEELHOUSE_CACHE" in said(lanes_of(facts)[lane])


def test_a_small_machine_is_told_how_many_compilers_fit() -> None:
    facts = replaced("windows-ai-pc", "memory", available=3_000_000_000)
    assert "2 compilers at a time, not for 8" in said(lanes_of(facts)["git-cpu"])


def test_an_old_compiler_or_sdk_is_named_with_its_version() -> None:
    facts = facts_of("debian-server")
    old = msgspec.structs.replace(facts.tools["c++"], version="9.4.0")
    assert "9.4.0" in said(lanes_of(msgspec.structs.replace(facts, tools=facts.tools | {"c++": old}))["git-cpu"])
    windows = facts_of("windows-ai-pc").windows
    assert windows is not None
    only_old = replaced("windows-ai-pc", "windows", sdks=windows.sdks[1:])
    assert "found 10.0.19041.0" in said(lanes_of(only_old)["git-dml"])


def test_why_wine_cannot_be_set_up_is_passed_on() -> None:
    facts = replaced("debian-server", "wine", makeable=False, reason="It needs root.", remedy="Use sudo.")
    lane = lanes_of(facts)["wine"]
    assert (lane.state, lane.gaps[0].what, lane.gaps[0].remedy) == ("missing", "It needs root.", "Use sudo.")


@pytest.mark.parametrize(("name", "state"), [("main", "missing"), ("npu-legacy", "ready"), ("dml", "ready")])
def test_an_environment_that_cannot_be_made_matters_when_every_backend_needs_it(name: str, state: str) -> None:
    lacking = {"ready": False, "makeable": False, "reason": "Python 3.12 was not found.", "remedy": "Install it."}
    lane = lanes_of(facts_of("windows-ai-pc", environments={name: lacking, "ort": {"ready": True, "makeable": True}}))[
        "smoke"
    ]
    assert lane.state == state
    assert "Python 3.12 was not found. Install it." in said(lane)


@pytest.mark.parametrize(
    ("usable", "library", "words"),
    [
        (False, True, "add the user to group render"),
        (True, False, "libze_intel_npu.so.1 is not"),
        (True, True, ""),
    ],
)
def test_an_npu_that_is_there_but_cannot_be_used(usable: bool, library: bool, words: str) -> None:
    node = {"kind": "npu", "node": "/dev/accel/accel0", "driver": "intel_vpu", "vendor-id": 0x8086,
            "device-id": 0x643E, "usable": usable}  # fmt: skip
    facts = facts_of("debian-server", devices=[node], libraries={"libze_intel_npu.so.1": library})
    notes = [n for n in lanes_of(facts)["smoke"].notes if "NPU" in n]
    assert len(notes) == bool(words)
    assert words in " ".join(notes)


def test_flavours_that_overwrite_each_other_are_a_warning() -> None:
    pair = [{"name": "onnxruntime", "version": "1.31.1"}, {"name": "onnxruntime-directml", "version": "1.24.4"}]
    report = examine(facts_of("debian-server", onnxruntimes=pair), cmake="3.28")
    assert "onnxruntime 1.31.1 and onnxruntime-directml 1.24.4" in report.warnings[0]
    assert report.warnings[0] in to_text(report)


@pytest.mark.parametrize(
    "names",
    [
        ["onnxruntime-directml", "onnxruntime-genai-directml"],
        ["onnxruntime", "onnxruntime-extensions", "onnxruntime-genai"],
        [],
    ],
)
def test_what_belongs_together_is_no_warning(names: list[str]) -> None:
    packages = [{"name": name, "version": "1"} for name in names]
    assert examine(facts_of("debian-server", onnxruntimes=packages), cmake="3.28").warnings == ()


def test_a_stray_dll_in_system32_is_a_warning() -> None:
    facts = replaced("windows-ai-pc", "windows", system_onnxruntime="1.17.1.0")
    (said,) = examine(facts, cmake="3.28").warnings
    assert "System32 has an onnxruntime.dll 1.17.1.0" in said
    assert "put yours beside the program's .exe" in said


@pytest.mark.parametrize(
    ("name", "foreign"),
    [("windows-ai-pc", ("apt", "Debian", "Ubuntu")), ("debian-server", ("winget", "HKLM", "Microsoft."))],
)
def test_remedies_are_for_this_system(name: str, foreign: tuple[str, ...]) -> None:
    """With everything missing that can be: what is to be typed is of this system, and of no other."""
    python = {"path": "python", "version": "3.13", "pip": False, "venv": False, "headers": False}
    bare = facts_of(name, tools={}, libraries={}, disk={"cache": 0}, **{"this-python": python})
    if bare.windows is not None:
        gone = {
            "visual_studios": (),
            "sdks": (),
            "adapters": (),
            "vc_runtime": {"msvcp140.dll": ""},
            "long_paths": False,
        }
        bare = msgspec.structs.replace(bare, windows=msgspec.structs.replace(bare.windows, **gone))
    lanes = [lane for lane in examine(bare, cmake="3.28").lanes if lane.state == "missing"]
    assert sum(len(lane.gaps) for lane in lanes) > 5
    for lane in lanes:
        for gap in lane.gaps:
            assert not [word for word in foreign if re.search(rf"\b{re.escape(word)}", gap.remedy)], gap


def test_no_adapter_says_why() -> None:
    facts = replaced("windows-ai-pc", "windows", adapters=(), adapters_problem="CreateDXGIFactory1 failed")
    assert "CreateDXGIFactory1 failed" in said(lanes_of(facts)["smoke"])


def test_json_holds_everything_and_can_be_read_back() -> None:
    facts = facts_of("windows-ai-pc")
    content = json.loads(to_json(examine(facts, cmake="3.28")))
    assert content["schema"] == 1
    assert msgspec.convert(content["facts"], Facts) == facts
    assert {lane["name"] for lane in content["lanes"]} == set(states(facts))


def test_text_names_what_was_found() -> None:
    text = to_text(examine(facts_of("windows-ai-pc"), cmake="3.28"))
    for word in ("Intel(R) Arc(TM) 140V", "(software)", "10.0.26100.0", "17.14", "AI Boost", "✓ git-dml", "- wine"):
        assert word in text


def test_the_cmake_that_is_asked_for_is_what_the_recipes_need() -> None:
    oldest = doctor._oldest_cmake()
    assert numbers(oldest) >= (3, 28)
    assert f"CMake {oldest} or newer" in said(lane_checks.git_cpu(facts_of("debian-server", tools={}), oldest))


@given(
    features=st.none() | st.lists(st.sampled_from(["avx2", "amx_bf16"]), unique=True).map(tuple),
    available=st.integers(0, 10**13),
    disk=st.integers(0, 10**13),
    version=st.text(max_size=8),
    machine=st.sampled_from(["x86_64", "aarch64", "AMD64", "ARM64", "riscv64"]),
    system=st.sampled_from(["linux", "win32", "darwin", "freebsd14"]),
)
def test_no_machine_breaks_the_doctor(
    features: tuple[str, ...] | None, available: int, disk: int, version: str, machine: str, system: str
) -> None:
    facts = facts_of("debian-server")
    tools = {name: msgspec.structs.replace(tool, version=version) for name, tool in facts.tools.items()}
    odd = msgspec.structs.replace(
        facts,
        system=system,
        machine=machine,
        cpu=msgspec.structs.replace(facts.cpu, features=features),
        memory=msgspec.structs.replace(facts.memory, available=available),
        disk={"cache": disk},
        tools=tools,
    )
    report = examine(odd, cmake="3.28")
    assert to_text(report)
    for lane in report.lanes:
        assert (lane.state == "ready") == (not lane.gaps)
        assert all(gap.what and gap.remedy for gap in lane.gaps)


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        (facts_of("debian-server", webgpu=None), "missing", "not looked at"),
        (facts_of("debian-server", webgpu={"problem": "no device", "remedy": "apt-get install it"}), "missing",
         "apt-get install it"),
        (facts_of("debian-server"), "ready", "which is software: it proves operators"),
        (facts_of("debian-server"), "ready", "A GPU is taken once its Vulkan driver"),
        (facts_of("debian-server", webgpu={"adapter": "the GPU's Vulkan driver"}), "ready", "the GPU's Vulkan driver"),
        (replaced("windows-ai-pc", "windows", adapters=()), "missing", "Install the GPU's driver"),
    ],
)  # fmt: skip
def test_webgpu_names_its_adapter_and_what_would_change_it(facts: Facts, state: str, words: str) -> None:
    lane = lanes_of(facts)["webgpu"]
    assert lane.state == state
    assert words in said(lane)
    assert ("software" in said(lane)) == bool(facts.webgpu and facts.webgpu.software)


def installed_with_the_project() -> set[str]:
    """Names of what `pip install -e .` installs, pip itself included."""
    found: set[str] = set()
    left = ["dml-wheelhouse", "pip"]
    while left:
        name = canonicalize_name(left.pop())
        if name not in found:
            found.add(name)
            wanted = map(Requirement, distribution(name).requires or [])
            left += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


def test_what_is_installed_into_a_checkout_has_room_there() -> None:
    files = [
        str(f) for name in installed_with_the_project() for f in distribution(name).files or () if ".." not in f.parts
    ]
    deepest = max(files, key=len)
    assert len(f".venv/Lib/site-packages/{deepest}") <= BELOW_CHECKOUT, deepest
