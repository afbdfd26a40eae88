"""How a recipe differs from the upstream that it pins: versions and dependencies, read from the checked-out files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from recipes.sources.checkout import source_name
from recipes.spec.fetched import Dependency
from recipes.spec.schema import GenAI, Recipe
from recipes.spec.target import parse_target, real_layout

_SET = re.compile(r'set\((\w+_VERSION)\s+"([^"$]+)"\)')


def report(recipe: Recipe) -> Iterator[str]:
    """Yield the drift of a recipe, line by line, or that there is none, or that upstream is not checked out."""
    genai = recipe.genai
    if genai is None:
        yield f"{recipe.name}: compiles nothing, so there is no upstream to compare with"
        return
    layout = real_layout(recipe, parse_target(recipe.targets[0]))
    checkout = Path(layout.source(source_name(genai.source), genai.source.pin))
    if not checkout.is_dir():
        yield f"{recipe.name}: not checked out; run `invoke fetch --recipe {recipe.name}` first"
        return
    found = list(drift(recipe, checkout))
    yield from (f"{recipe.name}: {line}" for line in found)
    if not found:
        yield f"{recipe.name}: agrees with {source_name(genai.source)} at {genai.source.pin[:10]}"


def drift(recipe: Recipe, checkout: Path) -> Iterator[str]:
    """Yield each difference between a recipe and GenAI's VERSION_INFO, cmake/ortlib.cmake and cmake/deps.txt."""
    genai, ort = recipe.genai, recipe.onnxruntime
    if genai is None or ort is None:
        return
    version = _read(checkout / "VERSION_INFO").strip()
    if version and version != genai.version:
        yield f"VERSION_INFO says {version}, the recipe {genai.version}"
    directml = genai.cmake_defines.get("USE_DML", "OFF") == "ON"
    wanted = ort_versions(_read(checkout / "cmake" / "ortlib.cmake")).get("dml" if directml else "cpu")
    if wanted and wanted != ort.version:
        yield f"cmake/ortlib.cmake pairs with ONNX Runtime {wanted}, the recipe with {ort.version}"
    declared = declared_dependencies(_read(checkout / "cmake" / "deps.txt"))
    yield from _dependency_drift(genai, declared)


def ort_versions(cmake: str) -> dict[str, str]:
    """Return the ONNX Runtime versions of ortlib.cmake: 'cpu', and 'dml' (set inside `if (USE_DML)`, or the same)."""
    found: dict[str, str] = {}
    inside_dml = False
    for line in cmake.splitlines():
        if re.match(r"\s*(else)?if\s*\(", line):
            inside_dml = "USE_DML" in line
        elif re.match(r"\s*(else|endif)\s*\(", line):
            inside_dml = False
        elif (match := _SET.search(line)) and match[1] == "ORT_VERSION":
            found.setdefault("dml" if inside_dml else "cpu", match[2])
    if "cpu" in found:
        found.setdefault("dml", found["cpu"])
    return found


def declared_dependencies(text: str) -> dict[str, tuple[str, str]]:
    """Return name to (address, hash or commit) of deps.txt: semicolon-separated, '#' begins a remark."""
    rows = [line.strip().split(";") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {row[0]: (row[1], row[2]) for row in rows if len(row) >= 3}


def _dependency_drift(genai: GenAI, declared: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for dependency in genai.dependencies:
        name = dependency.name.removesuffix("_project")
        if name in declared and not _agrees(dependency, *declared[name]):
            address, pin = declared[name]
            yield f"cmake/deps.txt has {name} at {address} ({pin}), the recipe elsewhere"


def _agrees(dependency: Dependency, address: str, pin: str) -> bool:
    """Whether a pinned repository is what an archive's address, or a commit, names."""
    if dependency.source is None:
        return dependency.url in {None, address}  # what upstream itself declares cannot differ
    repository = dependency.source.repository.removesuffix(".git")
    if not address.startswith(repository):
        return False
    named = (dependency.source.commit or "", f"/{dependency.source.tag}.")
    return pin == named[0] or any(part and part in address for part in named if part != "/None.")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
