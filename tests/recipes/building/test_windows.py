"""Visual Studio and the SDK: every decision, without Windows."""

from pathlib import PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recipes.building import windows
from recipes.spec.schema import SdkProbe
from wheelhouse.errors import ToolchainError
from wheelhouse.process import Completed, render

VS = PureWindowsPath(r"C:\Program Files\Microsoft Visual Studio\2022\Enterprise")
PROBE = SdkProbe(
    header="um/dxcore_interface.h", symbol="DXCoreHardwareIDParts", reason="ONNX Runtime's device discovery uses it."
)


def test_vswhere_is_asked_for_the_compiler_of_the_target():
    text = render(windows.vswhere_command("arm64"), "cmd")
    assert text.startswith(
        r'"C:\Program Files (x86)\Microsoft Visual Studio\Installer\vswhere.exe" -latest -products *'
    )
    assert "-requires Microsoft.VisualStudio.Component.VC.Tools.ARM64 -property installationPath" in text


def test_the_prompt_is_entered_with_target_and_host():
    line = windows.enter_line(VS, "arm64", "x64")
    script = rf"{VS}\Common7\Tools\VsDevCmd.bat"
    assert line == f'call "{script}" -arch=arm64 -host_arch=amd64 -no_logo'
    assert str(windows.prompt_script(VS)) == script


def test_the_batch_file_has_nothing_of_the_machine_in_it():
    """cmd reads it in the console's code page: a path with an umlaut in it would be another one there."""
    text = windows.environment_script("arm64", "x64")
    call = f'@call "%{windows.PROMPT_SCRIPT}%" -arch=arm64 -host_arch=amd64 -no_logo || exit /b 1'
    assert text == f"{call}\r\n@cmd /d /u /c set >{windows.ENVIRONMENT}\r\n"
    assert text.isascii()


def test_variables_are_read_and_what_is_none_is_passed_over():
    output = "[DEBUG] x\r\nPATH=C:\\a;C:\\b=c\r\nEMPTY=\r\n=C:=C:\\x\r\nProgramFiles(x86)=C:\\P\r\n"
    read = windows.parse_environment(output.encode("utf-16-le"))
    assert read == {"PATH": "C:\\a;C:\\b=c", "EMPTY": "", "ProgramFiles(x86)": "C:\\P"}


@given(
    variables=st.dictionaries(
        st.text("ABCxyz_()", min_size=1), st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")))
    )
)
@example(variables={"TEMP": r"C:\Users\Zoë Müller\名"})
def test_what_set_prints_is_read_back(variables):
    output = "".join(f"{k}={v}\r\n" for k, v in variables.items()).encode("utf-16-le")
    assert windows.parse_environment(output) == variables


def test_only_what_the_prompt_changes_is_applied():
    variables = {"Path": r"C:\vc;C:\a", "TEMP": r"C:\t", "INCLUDE": "new"}
    assert windows.changed(variables, {"PATH": r"C:\a", "Temp": r"C:\t"}) == {"Path": r"C:\vc;C:\a", "INCLUDE": "new"}


def fake_run(lines):
    def run(command, *, log, on_line, **_):
        for line in lines:
            on_line(line)
        return Completed(returncode=0, tail=tuple(lines), seconds=0.0)

    return run


def test_no_visual_studio(monkeypatch):
    monkeypatch.setattr(windows, "run", fake_run([]))
    with pytest.raises(ToolchainError, match="No Visual Studio with a C\\+\\+ compiler for arm64") as missing:
        windows.find_visual_studio("arm64")
    assert "VC.Tools.ARM64" in missing.value.remedy


def test_the_environment_holds_inside_and_ends_outside(monkeypatch):
    monkeypatch.delenv("VSCMD_ARG_TGT_ARCH", raising=False)
    monkeypatch.setenv("INCLUDE", "mine")
    monkeypatch.setenv("TEMP", "same")
    monkeypatch.setattr(windows, "find_visual_studio", lambda _: VS)
    started = []

    def run(command, **_):
        started.append(command)
        variables = "INCLUDE=theirs\r\nVSCMD_ARG_TGT_ARCH=x64\r\n" + f"{windows.PROMPT_SCRIPT}=x\r\nTemp=same\r\n"
        (command.cwd / windows.ENVIRONMENT).write_bytes(variables.encode("utf-16-le"))

    monkeypatch.setattr(windows, "run", run)
    with windows.developer_environment("x64", "x64"):
        assert windows.os.environ["INCLUDE"] == "theirs"
        assert windows.PROMPT_SCRIPT not in windows.os.environ
        assert "Temp" not in list(windows.os.environ)  # nothing that the prompt leaves as it is
    assert windows.os.environ["INCLUDE"] == "mine"
    assert "VSCMD_ARG_TGT_ARCH" not in windows.os.environ
    # cmd takes a path with `&` or `(` apart, quoted or not: it gets a bare name in its own folder
    assert started[0].argv == ("cmd.exe", "/d", "/c", "enter.bat")
    assert started[0].env == {windows.PROMPT_SCRIPT: str(windows.prompt_script(VS))}


def test_a_prompt_that_is_open_already_is_used(monkeypatch):
    monkeypatch.setenv("VSCMD_ARG_TGT_ARCH", "arm64")
    monkeypatch.setattr(windows, "run", lambda *_, **__: pytest.fail("nothing to ask"))
    with windows.developer_environment("arm64", "x64"):
        pass


@pytest.mark.parametrize("text", [None, "struct DXCoreHardwareID {};", "struct DXCoreHardwareIDPartsOther {};"])
def test_an_old_sdk_is_named_with_its_version(tmp_path, text):
    if text is not None:
        (tmp_path / "um").mkdir()
        (tmp_path / PROBE.header).write_text(text, encoding="utf-8")
    with pytest.raises(ToolchainError, match=r"Windows SDK 10\.0\.19041\.0 is too old.*DXCoreHardwareIDParts"):
        windows.check_sdk(tmp_path, (PROBE,), "10.0.19041.0")


def test_a_new_sdk_is_found_through_the_environment(tmp_path):
    header = tmp_path / "Include/10.0.26100.0" / PROBE.header
    header.parent.mkdir(parents=True)
    header.write_text("struct DXCoreHardwareIDParts\n{\n};\n", encoding="utf-8")
    environ = {"WindowsSdkDir": f"{tmp_path}/", "WindowsSDKVersion": "10.0.26100.0\\"}
    windows.check_current_sdk((PROBE,), environ)
    with pytest.raises(ToolchainError, match="names no Windows SDK"):
        windows.check_current_sdk((PROBE,), {})


def test_installations_are_told_apart_without_a_process(tmp_path):
    assert windows.identity(tmp_path) == "none"
    for name, version in (("a", "17.14.1"), ("b", "18.0.2")):
        (tmp_path / name).mkdir()
        state = f'{{"installationVersion": "{version}", "installationPath": "C:\\\\VS\\\\{name}"}}'
        (tmp_path / name / "state.json").write_text(state, encoding="utf-8-sig")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/state.json").write_text("broken", encoding="utf-8")
    assert windows.identity(tmp_path) == r"17.14.1 in C:\VS\a; 18.0.2 in C:\VS\b"


@pytest.mark.parametrize(
    "folder",
    [r"\\server\share\cache", r"\\server\share", r"//server/share/Zoë Müller", r"\\?\C:\w", r"\\?\UNC\server\share\w"],
)
def test_where_cmd_cannot_stand_nothing_is_compiled(folder):
    with pytest.raises(ToolchainError, match=r"cmd\.exe cannot stand in it") as caught:
        windows.require_a_drive(PureWindowsPath(folder))
    assert "DML_WHEELHOUSE_CACHE=C:\\w" in caught.value.remedy
    assert "net use X: \\\\SERVER\\SHARE" in caught.value.remedy


def test_on_a_share_nothing_is_started(monkeypatch):
    monkeypatch.setattr(windows, "cache_dir", lambda *parts: PureWindowsPath(r"\\server\share", *parts))
    monkeypatch.setattr(windows, "run", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(ToolchainError, match="has no drive letter"), windows.developer_environment("x64", "x64"):
        pytest.fail("entered")


@pytest.mark.parametrize("folder", [r"C:\w", r"X:\a & b", r"c:relative", r"\rooted", "relative"])
def test_a_drive_by_any_letter_will_do(folder):
    windows.require_a_drive(PureWindowsPath(folder))
