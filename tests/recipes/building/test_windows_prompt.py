"""Visual Studio's discovery and prompt, run on Windows: stand-ins for vswhere.exe and VsDevCmd.bat, and cmd.exe."""

import os
import sys
from pathlib import Path, PureWindowsPath

import pytest

from recipes.building import windows
from wheelhouse.errors import StepFailedError, ToolchainError
from wheelhouse.paths import CACHE_VARIABLE

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="cmd.exe is Windows'")

AWKWARD = ["plain", "Zoë Müller", "a & b", "x (86)", "100%TEMP%", "up^caret", "semi;colon,comma=eq", "bang!"]
"""Names of folders that a user may have; cmd takes most of these characters apart."""

VSWHERE = """
import sys
asked = sys.argv[sys.argv.index("-requires") + 1]
sys.stdout.buffer.write(({places!r}.get(asked, "") + "\\r\\n").encode("utf-8"))
"""
VSDEVCMD = """@echo off\r
if not "%1"=="-arch" exit /b 9\r
set "VSCMD_ARG_TGT_ARCH=%2"\r
set "INCLUDE=C:\\sdk;C:\\a & b;100%%"\r
set "PATH=C:\\stand-in-for-vc;%PATH%"\r
echo [vsdevcmd.bat] a stand-in has set the environment\r
"""


def program(folder: Path, name: str, script: str) -> Path:
    """Make a Windows program of a Python script, as pip makes those of packages."""
    from pip._vendor.distlib.scripts import ScriptMaker

    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    (source / f"{name}.py").write_text(f"#!python\n{script}", encoding="utf-8")
    maker = ScriptMaker(str(source), str(folder))
    maker.executable, maker.variants = sys.executable, {""}
    return Path(maker.make(f"{name}.py")[0])


@pytest.fixture(scope="module")
def vswhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vswhere stand-in")
    places = {windows.COMPONENTS["x64"]: str(folder / "Visual Stüdio & more")}
    return program(folder, "vswhere", VSWHERE.format(places=places))


@pytest.fixture
def studio(vswhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(windows, "VSWHERE", PureWindowsPath(vswhere))
    monkeypatch.delenv("VSCMD_ARG_TGT_ARCH", raising=False)
    found = Path(windows.find_visual_studio("x64"))
    script = Path(windows.prompt_script(PureWindowsPath(found)))
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes(VSDEVCMD.encode("ascii"))
    return found


def test_vswhere_is_asked_and_its_answer_read(studio: Path) -> None:
    assert studio.name == "Visual Stüdio & more"
    with pytest.raises(ToolchainError, match="for arm64"):
        windows.find_visual_studio("arm64")


@pytest.mark.parametrize("name", AWKWARD)
def test_the_prompts_environment_arrives_whole(
    studio: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / name))
    monkeypatch.setenv("KEPT", f"Zoë {name} 日本")
    before = dict(os.environ)
    with windows.developer_environment("x64", "x64"):
        inside = dict(os.environ)
    assert inside["VSCMD_ARG_TGT_ARCH"] == "amd64"
    assert inside["INCLUDE"] == r"C:\sdk;C:\a & b;100%"
    assert inside["PATH"].startswith("C:\\stand-in-for-vc;")
    assert inside["KEPT"] == before["KEPT"]  # through cmd and back, in no code page
    assert inside["TEMP"] == before["TEMP"]
    assert dict(os.environ) == before


def test_a_prompt_that_fails_is_said(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Path(windows.prompt_script(PureWindowsPath(studio)))
    script.write_bytes(b"@echo the stand-in cannot\r\n@exit /b 3\r\n")
    with pytest.raises(StepFailedError, match="the stand-in cannot"), windows.developer_environment("x64", "x64"):
        pytest.fail("entered")
