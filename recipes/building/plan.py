"""The transcript of a git-lane build: every command, as a person would type it, without running or downloading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from recipes.building import forecast, genai_build, ort_build, packing, windows, zig
from recipes.building.context import Context
from recipes.sources.checkout import commands, source_name
from recipes.sources.declared import MIRROR
from recipes.sources.dependencies import plan
from wheelhouse.process import Command, render
from wheelhouse.processes.quoting import Shell, quote


@dataclass(frozen=True, kw_only=True)
class Note:
    """A remark in the transcript."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A line that is typed into the shell itself and is no process of ours: one spelling per shell."""

    lines: Mapping[Shell, str]


Item = Command | Note | Typed


def transcript(build: Context) -> list[Item]:
    """Return the whole build, in order. What this program does itself appears as the `invoke` task that does it."""
    compiled = [*_ort(build), *_stage(build), *_core(build), *_wheels(build)]
    return [
        *(Note(text=line) for line in forecast.lines(build)),
        *_fetch(build),
        *_prompt(build),
        *_variables(compiled),
        *(_bare(item) for item in compiled),
    ]


def _variables(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the variables that the commands share, to be set once, as a person would."""
    shared = {name: value for item in items if isinstance(item, Command) for name, value in item.env.items()}
    if shared:
        yield Note(text="keep the place and time of the build out of the binaries")
    for name, value in shared.items():
        yield Typed(
            lines={
                "cmd": f"set {name}={value}",
                "powershell": "$env:{} = '{}'".format(name, value.replace("'", "''")),  # unquoted, it is a command
                "posix": f"export {name}={quote(value, 'posix')}",
            }
        )


def _bare(item: Item) -> Item:
    return replace(item, env={}) if isinstance(item, Command) else item


def lines(items: Iterable[Item], shell: Shell) -> list[str]:
    """Return the transcript as lines to read and to type into `shell`."""
    remark = "rem" if shell == "cmd" else "#"
    found: list[str] = []
    for item in items:
        if isinstance(item, Note):
            apart = [] if found[-1:] and found[-1].startswith(f"{remark} ") else [""]
            found += [*apart, f"{remark} {item.text}"]
        elif isinstance(item, Typed):
            found.append(item.lines[shell])
        else:
            found.append(render(item, shell))
    return found[1:] if found[:1] == [""] else found


def _fetch(build: Context) -> Iterator[Item]:
    mirror = build.options.source_mirror
    wanted = [(build.genai.source, build.genai_source)]
    if build.builds_ort:
        wanted.insert(0, (build.ort.source, build.ort_source))
    for source, folder in wanted:
        pin = f"{source.tag}, commit {source.commit}" if source.tag and source.commit else source.pin
        yield Note(text=f"fetch {source_name(source)} ({pin})")
        yield from commands(source, folder, build.layout.patches, mirror=mirror)
    yield Note(text="fetch what CMake would download while configuring")
    for project in build.projects:
        for dependency in project.needed:
            for step in plan(project, dependency, mirror=mirror):
                yield step if isinstance(step, Command) else Note(text=step)
    if build.builds_ort and build.ort.mirror:
        folder = build.ort_source / MIRROR
        yield Note(text=f"fetch the archives of {source_name(build.ort.source)}'s {build.ort.mirror} to {folder}")
    for python in build.tools.pythons:
        files = build.target_python(python)
        if files is not None:
            yield Note(text=f"download {files.url} and unpack it to {build.target_python_folder(python)}")


def _prompt(build: Context) -> Iterator[Item]:
    if build.zig:
        yield Note(text=f"compile with Zig: CMake's toolchain file is written to {zig.folder(build)} by:")
        yield _task(build, "build-ort")
        return
    if build.target.os != "windows":
        return
    target, host = build.target.arch, build.host.arch
    yield Note(text=f"enter Visual Studio's developer prompt for {target}")
    yield windows.vswhere_command(target)
    enter = windows.enter_line(windows.ASSUMED_VS, target, host)
    module = windows.ASSUMED_VS / "Common7" / "Tools" / "Launch-VsDevShell.ps1"
    arch = {"x64": "amd64", "arm64": "arm64"}
    powershell = f"& '{module}' -Arch {arch[target]} -HostArch {arch[host]} -SkipAutomaticLocation"
    yield Typed(lines={"cmd": enter, "powershell": powershell})


def _ort(build: Context) -> Iterator[Item]:
    if build.builds_ort:
        yield Note(text=f"build ONNX Runtime {build.ort.version} and one wheel per Python")
        yield from ort_build.commands(build)
        if build.ort.local_version:
            yield Note(
                text=f"the wheels become {packing.ort_version(build)} by: {_task(build, 'build-ort').lines['posix']}"
            )


def _task(build: Context, name: str) -> Typed:
    recipe = build.options.recipe or build.recipe.name
    origin = {
        "build": (),
        "published": ("--ort", "published"),
        "given": ("--ort-home", str(build.options.ort_home)),
    }[build.options.ort]
    words = ("invoke", name, "--recipe", recipe, "--target", build.target.name, *origin)
    shells: tuple[Shell, ...] = ("cmd", "powershell", "posix")
    return Typed(lines={shell: " ".join(quote(word, shell) for word in words) for shell in shells})


def _stage(build: Context) -> Iterator[Item]:
    headers = ", ".join(build.ort.staging.headers)
    libraries = ", ".join(build.ort.staging.libraries.get(build.target.os, ()))
    yield Note(text=f"stage {headers} with all that they include, and {libraries}, to {build.ort_home}")
    yield _task(build, "stage")


def _core(build: Context) -> Iterator[Item]:
    packages = genai_build.prefix_commands(build, build.prefix)
    if packages:
        yield Note(text="install the header packages that the Python module is compiled with")
        yield from packages
    yield Note(text=f"build GenAI {build.genai.version}'s core, once for all Pythons")
    yield from genai_build.core_commands(build, build.core)


def _wheels(build: Context) -> Iterator[Item]:
    for python in build.tools.pythons:
        folder = build.wheel(python)
        yield Note(text=f"build the module for Python {python}, and pack {packing.filename(build, python)}")
        yield from genai_build.module_commands(build, python, folder)
        yield _epoch(build)
        yield Note(text=f"the project that pip packs is written by: {_task(build, 'wheel').lines['posix']}")
        packed = packing.command(build, python, folder, "")
        yield Command(argv=packed.argv, timeout=packed.timeout)


def _epoch(build: Context) -> Typed:
    ask = Command(argv=("git", "-C", str(build.genai_source), "log", "-1", "--format=%ct"))
    return Typed(
        lines={
            "posix": f"export SOURCE_DATE_EPOCH=$({render(ask)})",
            "powershell": f"$env:SOURCE_DATE_EPOCH = {render(ask, 'powershell')}",
            "cmd": f"for /f %i in ('{render(ask, 'cmd')}') do set SOURCE_DATE_EPOCH=%i",
        }
    )
