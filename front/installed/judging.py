"""What the content of an environment comes to: which onnxruntime library wins, and what will go wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from front.installed.environment_layout import child
from front.installed.reading_files import Contents, facts
from front.installed.winning import Winner, candidates, winner_of
from recipes.audit.libraries import beyond_python
from recipes.audit.readers.binary import Binary

_GENAI = "onnxruntime-genai.dll"
_NATIVE = (".dll", ".pyd", ".so")
REDISTRIBUTABLE = "Install the Visual C++ Redistributable, or `pip install msvc-runtime` there."


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that goes wrong in the environment: a stable id, what it is, what to do about it."""

    id: str
    what: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The whole answer: who wins (None: there is none), who else is there, GenAI's library, and the problems."""

    winner: Winner | None
    others: tuple[Path, ...]
    genai: Binary | None
    runtime: dict[str, Path | None]
    problems: tuple[Problem, ...]


def judge(contents: Contents) -> Verdict:
    """Say which onnxruntime library wins in an environment, and what is wrong with it."""
    found = list(candidates(contents))
    winner = winner_of(contents, found)
    genai = next((facts(p, f) for p, f in contents.libraries.items() if _is_genai(p)), None)
    runtime = _runtime(contents, [b for b in (genai, winner.facts if winner else None) if b])
    problems = [
        *_clashes(contents),
        *_damage(contents),
        *(_without_runtime(contents) if winner is None else _pairing(contents, winner, genai)),
        *_python(contents),
        *_requirements(contents),
        *_vc_runtime(contents, runtime),
    ]
    return Verdict(
        winner=winner,
        others=tuple(file for file, _ in found if winner is None or file != winner.file),
        genai=genai,
        runtime=runtime,
        problems=tuple(problems),
    )


def _is_genai(path: str) -> bool:
    return path.rpartition("/")[2].lower() in (_GENAI, "libonnxruntime-genai.so")


def _clashes(contents: Contents) -> Iterator[Problem]:
    for module in ("onnxruntime", "onnxruntime_genai"):
        flavours = contents.of(module)
        if len(flavours) < 2:
            continue
        names = " and ".join(f.label for f in flavours)
        shared = [p for p in contents.libraries if sum(p in f.files for f in flavours) > 1]
        owners = {o.label for p in shared if (o := contents.owner(p))}
        who = f" The libraries are those of {' and '.join(sorted(owners))}." if owners else ""
        wanted = next((f.name for f in flavours if "directml" in f.name), flavours[0].name)
        yield Problem(
            id=f"{module.replace('_', '-')}-clash",
            what=f"{names} are installed together and share {len(shared) or 'the'} libraries of '{module}'.{who}",
            remedy=f"Uninstall all of them (`pip uninstall {' '.join(f.name for f in flavours)}`), then install one "
            f"again ({wanted} for DirectML): uninstalling one alone takes files of the other.",
        )


def _damage(contents: Contents) -> Iterator[Problem]:
    for module in ("onnxruntime", "onnxruntime_genai"):
        flavours = contents.of(module)
        held = [p for p in contents.libraries if p.startswith(f"{module}/")]
        if held and not flavours:
            yield Problem(
                id=f"{module.replace('_', '-')}-orphaned",
                what=f"{contents.site / module} has {len(held)} libraries, but no distribution that they are of.",
                remedy="Remove that folder, then install the distribution that you want.",
            )
        for flavour in flavours if len(flavours) == 1 else ():
            native = [p for p in flavour.files if p.lower().endswith(_NATIVE)]
            gone = [p for p in native if p not in contents.libraries]
            changed = [p for p in native if p in contents.libraries and contents.owner(p) is None]
            for paths, how in ((gone, "missing"), (changed, "not the ones that were installed")):
                if paths:
                    yield Problem(
                        id=f"files-{'missing' if paths is gone else 'altered'}",
                        what=f"Of {flavour.label}, {', '.join(paths)} {'is' if len(paths) == 1 else 'are'} {how}.",
                        remedy=f"`pip install --force-reinstall --no-deps {flavour.name}=={flavour.version}` there.",
                    )


def _without_runtime(contents: Contents) -> Iterator[Problem]:
    if genai := contents.of("onnxruntime_genai"):
        yield Problem(
            id="runtime-missing",
            what=f"{genai[0].label} is there, but no onnxruntime library: it raises ImportError, or ends the process.",
            remedy="Install the onnxruntime that it is paired with (`onnxruntime-directml` for DirectML).",
        )


def _pairing(contents: Contents, winner: Winner, genai: Binary | None) -> Iterator[Problem]:
    """Compare GenAI with the onnxruntime that it gets."""
    yield from _beside(winner)
    if genai is None:
        return
    if contents.places.windows and not contents.of("onnxruntime"):
        yield Problem(
            id="runtime-package-missing",
            what="GenAI's loader asks for a Python package 'onnxruntime', which no distribution here brings.",
            remedy="Install the onnxruntime that it is paired with (`onnxruntime-directml` for DirectML).",
        )
    if genai.machine != winner.facts.machine:
        yield Problem(
            id="machine-mismatch",
            what=f"{genai.name} is for {genai.machine}, {winner.file} for {winner.facts.machine}.",
            remedy="Install both for the processor of this Python.",
        )
    if genai.imported_from("d3d12.dll") is not None and not winner.directml:
        yield Problem(
            id="directml-lost",
            what=f"GenAI is built with DirectML, but the {winner.facts.name} that it gets "
            f"({winner.owner.label if winner.owner else winner.file}) is not: DirectML models fail.",
            remedy="Uninstall that onnxruntime, then install onnxruntime-directml again.",
        )
    asked = genai.api_compiled.lowest or genai.api_compiled.value if genai.api_compiled else None
    if asked is not None and winner.api is not None and asked > winner.api:
        yield Problem(
            id="api-too-old",
            what=f"GenAI asks for ORT API {asked}, {winner.file} offers {winner.api}: the import fails.",
            remedy=f"Install an onnxruntime of version 1.{asked} or newer.",
        )


def _beside(winner: Winner) -> Iterator[Problem]:
    if not winner.directml:
        return
    dll = child(winner.file.parent, "DirectML.dll")
    if dll is None:
        yield Problem(
            id="directml-missing",
            what=f"No DirectML.dll lies beside {winner.file}: Windows' own is taken, which may be too old for it.",
            remedy="Install onnxruntime-directml again; its wheel brings the file.",
        )
    elif (machine := facts("DirectML.dll", dll).machine) != winner.facts.machine:
        yield Problem(
            id="machine-mismatch",
            what=f"{dll} is for {machine}, the onnxruntime.dll beside it for {winner.facts.machine}.",
            remedy="Install onnxruntime-directml again, for the processor of this Python.",
        )


def _python(contents: Contents) -> Iterator[Problem]:
    wanted = f"cp{contents.places.python.replace('.', '')}"
    for flavour in contents.flavours if contents.places.python else ():
        pythons = {part for tag in flavour.tags for part in tag.partition("-")[0].split(".")}
        if pythons and wanted not in pythons and not any(p.startswith("py") for p in pythons):
            yield Problem(
                id="python-mismatch",
                what=f"{flavour.label} is for {', '.join(sorted(pythons))}, this Python is {contents.places.python}.",
                remedy=f"`pip install --force-reinstall {flavour.name}` with this environment's own pip.",
            )


def _requirements(contents: Contents) -> Iterator[Problem]:
    for flavour in contents.flavours:
        for requirement in _readable(flavour.requires):
            name = str(canonicalize_name(requirement.name))
            if requirement.marker is not None or not name.startswith("onnxruntime"):
                continue
            found = contents.versions.get(name, ())
            others = [version for version in found if not _accepts(requirement, version)]
            if others or not found:
                yield Problem(
                    id="requirement-unmet",
                    what=f"{flavour.label} requires {requirement}; there is {' and '.join(others) or 'none'}.",
                    remedy=f"`pip install '{requirement}'` there, from the index that has it.",
                )


def _readable(lines: Iterable[str]) -> Iterator[Requirement]:
    for line in lines:
        with contextlib.suppress(InvalidRequirement):
            yield Requirement(line)


def _accepts(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False


def _runtime(contents: Contents, binaries: list[Binary]) -> dict[str, Path | None]:
    """Return where each DLL of the Visual C++ runtime lies that GenAI and its onnxruntime import."""
    if not contents.places.windows:
        return {}
    names = {i.library.lower() for b in binaries for i in b.imports if beyond_python(i.library)}
    return {name: contents.runtime.get(name) for name in sorted(names)}


def _vc_runtime(contents: Contents, runtime: dict[str, Path | None]) -> Iterator[Problem]:
    missing = [name for name, file in runtime.items() if file is None]
    if missing and contents.places.system32 is not None:
        verb = "is" if len(missing) == 1 else "are"
        what = f"{', '.join(missing)} of the Visual C++ runtime {verb} nowhere: DLL load failed."
        yield Problem(id="vc-runtime-missing", what=what, remedy=REDISTRIBUTABLE)
