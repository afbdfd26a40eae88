"""Visual Studio and the Windows SDK: found, entered and checked.

Everything that decides is a pure function over text or a folder, so that it is tested on any system.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath

from recipes.spec.schema import SdkProbe
from recipes.spec.target import Arch
from wheelhouse.errors import ToolchainError
from wheelhouse.files import by_name, write_atomic
from wheelhouse.paths import cache_dir, log_dir
from wheelhouse.process import Command, run

VSWHERE = PureWindowsPath(r"C:\Program Files (x86)\Microsoft Visual Studio\Installer\vswhere.exe")
INSTANCES = PureWindowsPath(r"C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances")
KITS = PureWindowsPath(r"C:\Program Files (x86)\Windows Kits\10\Include")
ASSUMED_VS = PureWindowsPath(r"C:\Program Files\Microsoft Visual Studio\2022\Community")
"""Where a transcript made on another system supposes Visual Studio to be."""
COMPONENTS: Mapping[Arch, str] = {
    "x64": "Microsoft.VisualStudio.Component.VC.Tools.x86.x64",
    "arm64": "Microsoft.VisualStudio.Component.VC.Tools.ARM64",
}
ENVIRONMENT = "environment.txt"
PROMPT_SCRIPT = "DML_WHEELHOUSE_VSDEVCMD"
_VS_ARCH: Mapping[Arch, str] = {"x64": "amd64", "arm64": "arm64"}
_VARIABLE = re.compile(r"^([^=\s][^=]*)=(.*)$")


def vswhere_command(arch: Arch) -> Command:
    """Return the command that prints where the newest Visual Studio with a compiler for `arch` is installed."""
    requires = ("-products", "*", "-requires", COMPONENTS[arch])
    return Command(
        argv=(str(VSWHERE), "-latest", *requires, "-property", "installationPath", "-utf8"),
        timeout=60,
    )


def enter_line(installation: PureWindowsPath, arch: Arch, host_arch: Arch) -> str:
    """Return what a person types into cmd to get the compiler for `arch` on PATH."""
    return f'call "{prompt_script(installation)}" {_prompt_options(arch, host_arch)}'


def prompt_script(installation: PureWindowsPath) -> PureWindowsPath:
    """Return where a Visual Studio has the script that enters its developer prompt."""
    return installation / "Common7" / "Tools" / "VsDevCmd.bat"


def _prompt_options(arch: Arch, host_arch: Arch) -> str:
    return f"-arch={_VS_ARCH[arch]} -host_arch={_VS_ARCH[host_arch]} -no_logo"


def environment_script(arch: Arch, host_arch: Arch) -> str:
    """Return a batch file that calls the script in the variable PROMPT_SCRIPT and writes the variables to ENVIRONMENT.

    A file, because cmd's quoting of a command line and that of process creation do not agree; with nothing in it that
    depends on the machine, because cmd reads it in the console's code page. `cmd /u` makes `set` write UTF-16: in a
    code page, the name of a user may be lost.
    """
    enter = f'call "%{PROMPT_SCRIPT}%" {_prompt_options(arch, host_arch)}'
    return f"@{enter} || exit /b 1\r\n@cmd /d /u /c set >{ENVIRONMENT}\r\n"


def parse_environment(output: bytes) -> dict[str, str]:
    """Return the variables that `cmd /u /c set` printed; cmd's own per-drive folders ("=C:") are passed over."""
    lines = output.decode("utf-16-le", errors="surrogatepass").split("\r\n")
    found = (_VARIABLE.match(line) for line in lines)
    return {m[1]: m[2] for m in found if m}


def changed(variables: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return those variables that are new or different: names are the same in any case on Windows."""
    known = {name.upper(): value for name, value in environ.items()}
    return {name: value for name, value in variables.items() if known.get(name.upper()) != value}


def find_visual_studio(arch: Arch) -> PureWindowsPath:
    """Ask vswhere for an installation. Raise ToolchainError when there is none with a compiler for `arch`."""
    lines: list[str] = []
    try:
        run(vswhere_command(arch), log=log_dir() / "vswhere.log", on_line=lines.append)
    except ToolchainError:  # vswhere itself is missing: there is no Visual Studio 2017 or later
        lines = []
    found = [line for line in lines if line.strip()]
    if not found:
        raise no_visual_studio(arch)
    return PureWindowsPath(found[0].strip())


def no_visual_studio(arch: Arch) -> ToolchainError:
    """Return the error that says what to install for compiling to `arch`."""
    return ToolchainError(
        f"No Visual Studio with a C++ compiler for {arch} was found.",
        remedy="Install Visual Studio 2022 or its Build Tools with 'Desktop development with C++'"
        f"{', the ARM64 compiler' if arch == 'arm64' else ''} and a Windows 11 SDK (component {COMPONENTS[arch]}).",
    )


def require_a_drive(folder: PureWindowsPath) -> None:
    """Raise ToolchainError for a folder without a drive letter: cmd, and so every build.bat, cannot work in it."""
    if folder.drive.startswith("\\\\"):
        raise ToolchainError(
            f"{folder} has no drive letter: cmd.exe cannot stand in it, so nothing compiles there.",
            remedy="Set DML_WHEELHOUSE_CACHE=C:\\w, or give the share a letter: net use X: \\\\SERVER\\SHARE.",
        )


@contextmanager
def developer_environment(arch: Arch, host_arch: Arch) -> Iterator[None]:
    """Give this process, and all that it starts, the environment of Visual Studio's developer prompt for `arch`."""
    require_a_drive(PureWindowsPath(cache_dir()))
    if os.environ.get("VSCMD_ARG_TGT_ARCH") == arch:  # the user is in that prompt already
        yield
        return
    script = cache_dir("vsdevcmd", "enter.bat")
    write_atomic(script, environment_script(arch, host_arch))
    # In its folder and by its bare name: cmd takes `&`, `(`, `%`, `^` in a path apart, quoted or not.
    command = Command(
        argv=("cmd.exe", "/d", "/c", script.name),
        cwd=script.parent,
        env={PROMPT_SCRIPT: str(prompt_script(find_visual_studio(arch)))},
        timeout=300,
    )
    run(command, log=log_dir() / "vsdevcmd.log")
    variables = parse_environment((script.parent / ENVIRONMENT).read_bytes())
    before = dict(os.environ)
    os.environ.update({name: value for name, value in changed(variables, before).items() if name != PROMPT_SCRIPT})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def check_sdk(include: Path, probes: tuple[SdkProbe, ...], version: str) -> None:
    """Raise ToolchainError unless the SDK's headers declare what the sources need.

    `include` is the folder of one SDK version, with um/ and shared/ in it.
    """
    for probe in probes:
        header = include / probe.header
        text = header.read_text(encoding="utf-8", errors="replace") if header.is_file() else ""
        if re.search(rf"\b{re.escape(probe.symbol)}\b", text) is None:
            raise ToolchainError(
                f"Windows SDK {version} is too old: its {probe.header} does not declare {probe.symbol}. {probe.reason}",
                remedy="Install a newer Windows 11 SDK (10.0.26100 has it) with the Visual Studio Installer.",
            )


def check_installed_sdks(include: Path, probes: tuple[SdkProbe, ...]) -> None:
    """Raise ToolchainError when there are SDKs in `include` and none declares what the sources need: no build can then.

    Which one is used is known in the developer environment only.
    """
    found = [folder for folder in include.glob("10.*") if (folder / "um").is_dir()]
    failures = []
    for folder in sorted(found, key=lambda folder: [int(n) for n in re.findall(r"\d+", folder.name)]):
        try:
            check_sdk(folder, probes, folder.name)
        except ToolchainError as error:
            failures.append(error)
    if found and len(failures) == len(found):
        raise failures[-1]


def check_current_sdk(probes: tuple[SdkProbe, ...], environ: Mapping[str, str] = os.environ) -> None:
    """Check the SDK that the developer environment has chosen (WindowsSdkDir, WindowsSDKVersion)."""
    folder, version = environ.get("WindowsSdkDir"), environ.get("WindowsSDKVersion", "").strip("\\")
    if not folder or not version:
        raise ToolchainError(
            "Visual Studio's environment names no Windows SDK.",
            remedy="Install a Windows 11 SDK (10.0.26100) with the Visual Studio Installer.",
        )
    check_sdk(Path(folder) / "Include" / version, probes, version)


def identity(instances: Path) -> str:
    """Return version and place of the installed Visual Studios from their state files; starts no process."""
    found = []
    for file in sorted(instances.glob("*/state.json"), key=by_name):
        try:
            state = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            continue
        found.append(f"{state.get('installationVersion', '?')} in {state.get('installationPath', '?')}")
    return "; ".join(found) or "none"
