"""`invoke doctor --python`: small environments of every layout, each with one thing wrong."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from front.installed.answer import look_into
from tests.recipes.audit.pe_builder import build_pe
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError


def runtime_dll(*, directml: bool = True, machine: str = "x64", mark: bytes = b"") -> bytes:
    delayed = {"DirectML.dll": ["DMLCreateDevice1"]} if directml else {}
    imports = {"MSVCP140.dll": ["x"], "KERNEL32.dll": ["y"]}
    return build_pe(machine=machine, imports=imports, delayed=delayed, exports={"OrtGetApiBase": 1}, payload=mark)


def genai_dll(machine: str = "x64") -> bytes:
    imports = {"onnxruntime.dll": [1], "d3d12.dll": ["D3D12CreateDevice"], "VCRUNTIME140.dll": ["z"]}
    return build_pe(machine=machine, imports=imports, exports={"OgaCreateModel": 1})


class Environment:
    """A Windows environment on another system's disk."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self.root = disk / "Users" / "Zoë" / "env"
        self.site = self.root / "Lib" / "site-packages"
        (self.root / "Scripts").mkdir(parents=True)
        (self.root / "Scripts" / "python.exe").write_bytes(b"")
        (self.root / "pyvenv.cfg").write_text("home = C:\\Python312\nversion = 3.12.4\n", encoding="utf-8")
        self.site.mkdir(parents=True)

    def install(
        self, name: str, version: str, files: dict[str, bytes], *requires: str, tag: str = "cp312-cp312"
    ) -> None:
        headers = tuple(f"Requires-Dist: {r}" for r in requires)
        folder = self.disk / "wheels"
        wheel = make_wheel(folder, package=name, version=version, tag=f"{tag}-win_amd64", headers=headers, files=files)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.site)

    def runtime(self, name: str = "onnxruntime-directml", version: str = "1.30.0", **how: Any) -> None:
        files = {"__init__.py": b"", "capi/onnxruntime.dll": runtime_dll(mark=name.encode(), **how)}
        if how.get("directml", True):
            files["capi/DirectML.dll"] = build_pe(machine=how.get("machine", "x64"), exports={"DMLCreateDevice1": 1})
        self.install(name, version, {f"onnxruntime/{path}": data for path, data in files.items()})

    def genai(self, *requires: str, loader: bool = True, **more: Any) -> None:
        files = {"__init__.py": b"", "onnxruntime-genai.dll": genai_dll(), **more}
        if loader:
            files["_dll_directory.py"] = b""
        named = {f"onnxruntime_genai/{path}": data for path, data in files.items()}
        self.install("onnxruntime-genai-directml", "0.18.0", named, *requires)

    def windows(self, *dlls: str) -> None:
        (self.disk / "WINDOWS" / "System32").mkdir(parents=True, exist_ok=True)
        for dll in dlls:
            (self.disk / "WINDOWS" / "System32" / dll).write_bytes(runtime_dll(directml=False))

    def said(self, path: Path | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(look_into(path or self.root, as_json=True))
        return answer

    def problems(self) -> list[str]:
        return [p["id"] for p in self.said()["problems"]]


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path / "disk" / "WINDOWS"))  # what Windows itself looks at
    return Environment(tmp_path / "disk")


@pytest.fixture
def good(env: Environment) -> Environment:
    env.runtime()
    env.genai("onnxruntime-directml==1.30.0", "numpy>=1")
    env.windows("msvcp140.dll")
    return env


def test_a_good_pair_has_nothing_wrong(good: Environment) -> None:
    said = good.said()
    assert said["problems"] == []
    assert (said["windows"], said["python"]) == (True, "3.12")
    winner = said["winner"]
    assert winner["file"].endswith("onnxruntime/capi/onnxruntime.dll".replace("/", os.sep))
    assert (winner["of"], winner["directml"], winner["machine"]) == ("onnxruntime-directml 1.30.0", True, "x64")
    assert winner["ort_api"] == 30
    assert list(said["vc_runtime"]) == ["msvcp140.dll"]
    text = look_into(good.root, as_json=False)
    assert "✓ Nothing clashes." in text
    assert "with DirectML, ORT API 30" in text


@pytest.mark.parametrize("part", ["Scripts/python.exe", "Scripts", "Lib/site-packages", ""])
def test_an_environment_is_found_by_any_of_its_parts(good: Environment, part: str) -> None:
    assert good.said(good.root / part) == good.said()


def test_the_flavour_installed_last_wins_and_directml_is_lost(good: Environment) -> None:
    good.runtime("onnxruntime", "1.31.1", directml=False)
    said = good.said()
    assert [p["id"] for p in said["problems"]] == ["onnxruntime-clash", "directml-lost"]
    assert said["winner"]["of"] == "onnxruntime 1.31.1"
    clash = said["problems"][0]
    assert "The libraries are those of onnxruntime 1.31.1." in clash["what"]
    assert "pip uninstall onnxruntime onnxruntime-directml" in clash["remedy"]
    good.runtime()  # the other order
    said = good.said()
    assert [p["id"] for p in said["problems"]] == ["onnxruntime-clash"]
    assert said["winner"]["of"] == "onnxruntime-directml 1.30.0"


def test_two_genais(good: Environment) -> None:
    files = {"onnxruntime_genai/__init__.py": b"", "onnxruntime_genai/onnxruntime-genai.dll": genai_dll()}
    good.install("onnxruntime-genai", "0.17.1", files)
    assert "onnxruntime-genai-clash" in good.problems()


def test_extensions_and_plug_ins_are_no_flavours(good: Environment) -> None:
    good.install("onnxruntime-extensions", "0.14", {"onnxruntime_extensions/__init__.py": b""})
    good.install("onnxruntime-ep-webgpu", "0.4", {"onnxruntime_ep_webgpu/__init__.py": b""})
    assert good.problems() == []


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (lambda e: (e.site / "onnxruntime/capi/DirectML.dll").unlink(), ["files-missing", "directml-missing"]),
        (lambda e: (e.site / "onnxruntime/capi/onnxruntime.dll").write_bytes(runtime_dll()), ["files-altered"]),
        (lambda e: (e.disk / "WINDOWS/System32/msvcp140.dll").unlink(), ["vc-runtime-missing"]),
        (lambda e: e.runtime(version="1.29.0"), ["onnxruntime-clash", "requirement-unmet"]),
        (
            lambda e: (e.root / "pyvenv.cfg").write_text("version_info = 3.11.2.final.0", encoding="utf-8"),
            ["python-mismatch"] * 2,
        ),
    ],
)
def test_one_thing_wrong(good: Environment, broken: Any, problem: list[str]) -> None:
    broken(good)
    found = good.problems()
    assert [p for p in found if p in problem] == problem


def test_a_half_for_another_processor(env: Environment) -> None:
    env.runtime(machine="arm64")
    env.genai()
    assert "machine-mismatch" in env.problems()


def test_genai_alone_gets_windows_own_or_none(env: Environment) -> None:
    env.genai("onnxruntime-directml==1.30.0")
    assert env.problems() == ["runtime-missing", "requirement-unmet"]
    env.windows("msvcp140.dll", "onnxruntime.dll")
    said = env.said()
    assert said["winner"]["why"] == "Windows has it"
    assert [p["id"] for p in said["problems"]] == ["runtime-package-missing", "directml-lost", "requirement-unmet"]


@pytest.mark.parametrize(("loader", "folder"), [(True, "onnxruntime/capi"), (False, "onnxruntime_genai")])
def test_a_second_onnxruntime_beside_genai(env: Environment, loader: bool, folder: str) -> None:
    """GenAI's loader takes the package's; without a loader Windows takes the one beside the library."""
    env.runtime()
    env.genai(loader=loader, **{"onnxruntime.dll": runtime_dll(directml=False)})
    said = env.said()
    assert Path(said["winner"]["file"]).parent == env.site / folder
    assert len(said["others"]) == 1


def test_what_an_uninstall_left(good: Environment) -> None:
    for info in good.site.glob("onnxruntime_directml*.dist-info"):
        for file in info.iterdir():
            file.unlink()
        info.rmdir()
    assert "onnxruntime-orphaned" in good.problems()


def test_without_its_windows_the_vc_runtime_is_not_judged(env: Environment) -> None:
    env.runtime()
    env.genai()
    assert env.problems() == []
    assert "its Windows cannot be seen from here" in look_into(env.root, as_json=False)
    (env.site / "msvcp140.dll").write_bytes(b"MZ")
    assert env.said()["vc_runtime"]["msvcp140.dll"].endswith("msvcp140.dll")


def test_broken_libraries_are_no_traceback(good: Environment) -> None:
    for file in good.site.rglob("*.dll"):
        file.write_bytes(b"" if "ML" in file.name else b"MZ nonsense")
    assert "files-altered" in good.problems()


def test_this_tests_own_environment() -> None:
    said = json.loads(look_into(Path(sys.executable), as_json=True))
    assert said["python"] == f"3.{sys.version_info.minor}"
    assert "onnxruntime" in {f["name"] for f in said["installed"]}
    assert "onnxruntime-clash" not in {p["id"] for p in said["problems"]}


def test_what_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for path in (tmp_path, tmp_path / "lib", tmp_path / "gone", tmp_path / "lib" / "gone.exe"):
        with pytest.raises(InputError, match=r"There is no|no Python environment"):
            look_into(path, as_json=False)


def test_what_cannot_be_understood_is_passed_over(good: Environment) -> None:
    info = next(good.site.glob("onnxruntime_genai_directml*.dist-info"))
    metadata = info / "METADATA"
    metadata.write_text(
        metadata.read_text(encoding="utf-8").replace("Requires-Dist: numpy>=1", "Requires-Dist: ???\nRequires-Dist:"),
        encoding="utf-8",
    )
    record = info / "RECORD"
    record.write_text(record.read_text(encoding="utf-8") + ",,\n../../Scripts/x.exe,,\n", encoding="utf-8")
    assert good.problems() == []
    runtime = next(good.site.glob("onnxruntime_directml*.dist-info")) / "METADATA"
    runtime.write_text(
        runtime.read_text(encoding="utf-8").replace("Version: 1.30.0", "Version: of today"), encoding="utf-8"
    )
    assert good.problems() == ["requirement-unmet"]


def test_a_bare_name_is_looked_for_on_path(good: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    (good.root / "Scripts" / "python.exe").chmod(0o755)
    monkeypatch.setenv("PATH", str(good.root / "Scripts"))
    assert good.said(Path("python.exe")) == good.said()
    monkeypatch.setenv("HOME", str(good.root.parent))
    monkeypatch.setenv("USERPROFILE", str(good.root.parent))
    assert good.said(Path("~/env")) == good.said()


def test_an_empty_environment(env: Environment) -> None:
    assert "no onnxruntime, no GenAI" in look_into(env.root, as_json=False)
    assert env.problems() == []


def test_base_packages_count_where_the_environment_sees_them(tmp_path: Path) -> None:
    base, inner = Environment(tmp_path / "base"), tmp_path / "inner"
    base.runtime()
    (inner / "Lib" / "site-packages").mkdir(parents=True)
    config = inner / "pyvenv.cfg"
    config.write_text(f"home = {base.root}\ninclude-system-site-packages = false\n", encoding="utf-8")
    assert json.loads(look_into(inner, as_json=True))["installed"] == []
    config.write_text(config.read_text(encoding="utf-8").replace("false", "true"), encoding="utf-8")
    assert json.loads(look_into(inner, as_json=True))["installed"][0]["name"] == "onnxruntime-directml"
