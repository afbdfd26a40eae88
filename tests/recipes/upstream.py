"""The miniature upstreams of tests/upstream as git repositories, with a recipe that builds them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from recipes.spec.target import host_target

HERE = Path(__file__).resolve().parent.parent / "upstream"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
_GIT_ENV = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.invalid",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.invalid",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Repositories below `mirror` (as OWNER/NAME) with the commit of each, and the recipe that pins them."""

    mirror: Path
    commits: dict[str, str]
    recipe: Path


def git(folder: Path, *arguments: str) -> str:
    """Run git with a fixed identity and date, so that commits are the same wherever a test runs."""
    argv = ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(
        argv, check=True, capture_output=True, text=True, env=os.environ | _GIT_ENV, encoding="utf-8"
    ).stdout.strip()


def repository(content: Path, place: Path, *, tag: str = "") -> str:
    """Make a repository out of a folder's content; return its commit."""
    shutil.copytree(content, place, ignore=shutil.ignore_patterns("__pycache__"))
    git(place, "init", "--quiet", "--template=")
    links = place / ".links"
    cacheinfo = [links.read_text(encoding="utf-8")] if links.exists() else []
    links.unlink(missing_ok=True)
    git(place, "add", "--all")
    for entry in cacheinfo:
        git(place, "update-index", "--add", "--cacheinfo", entry)
    git(place, "commit", "--quiet", "--message", "first")
    if tag:
        git(place, "tag", tag)
    return git(place, "rev-parse", "HEAD")


def make_upstream(folder: Path, *, pybind11: bool = False) -> Upstream:
    """Make all repositories, archives and the recipe `mini.toml` below `folder`."""
    mirror, commits = folder / "mirror", {}
    sums = {"numbers": archive(HERE / "numbers", mirror / "mini/numbers/archive/v1.zip", top="numbers-1/")}
    if pybind11:
        sums["pybind11"] = archive(
            _pybind11_sources(folder), mirror / "mini/pybind11/archive/v1.zip", top="pybind11-1/"
        )
    for name in ("words", "mathlib", "ort", "genai"):
        content = folder / "content" / name
        shutil.copytree(HERE / name, content, ignore=shutil.ignore_patterns("__pycache__"))
        for table in content.glob("cmake/deps.txt"):
            table.write_text(_filled(table.read_text(encoding="utf-8"), "SHA1", sums), encoding="utf-8")
        if name == "ort":
            _submodule(content, "cmake/external/words", commits["words"])
        commits[name] = repository(content, mirror / "mini" / name, tag="v1")
    recipe = folder / "mini.toml"
    recipe.write_text(recipe_text(commits), encoding="utf-8")
    return Upstream(mirror=mirror, commits=commits, recipe=recipe)


def archive(content: Path, place: Path, *, top: str = "") -> str:
    """Put a folder's content into a ZIP below `top`, the same bytes every time; return its SHA-1."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(path for path in content.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            made.writestr(zipfile.ZipInfo(top + file.relative_to(content).as_posix()), file.read_bytes())
    return hashlib.sha1(place.read_bytes(), usedforsecurity=False).hexdigest()


def _submodule(content: Path, path: str, commit: str) -> None:
    """Say in `content` that `path` is the repository mini/words at a commit; `repository` adds it to the index."""
    url = f"https://github.com/mini/{PurePosixPath(path).name}"
    (content / ".gitmodules").write_text(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n', encoding="utf-8")
    (content / ".links").write_text(f"160000,{commit},{path}", encoding="utf-8")


def _filled(text: str, what: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{what}-OF-{name.upper()}", value)
    return text


def recipe_text(commits: dict[str, str]) -> str:
    """Return the recipe for the miniature upstreams at the given commits."""
    text = (HERE / "mini.toml").read_text(encoding="utf-8")
    return _filled(text, "COMMIT", commits).replace("HOST-TARGET", host_target().name)


def _pybind11_sources(folder: Path) -> Path:
    """Return a CMake project that installs PyPI's pybind11, in place of its repository."""
    import pybind11

    place = folder / "pybind11-sources"
    shutil.copytree(pybind11.get_include() + "/pybind11", place / "include" / "pybind11")
    shutil.copytree(pybind11.get_cmake_dir(), place / "cmake")
    (place / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.26)\nproject(pybind11 LANGUAGES NONE)\n"
        "install(DIRECTORY include/pybind11 DESTINATION include)\n"
        "install(DIRECTORY cmake/ DESTINATION share/cmake/pybind11)\n",
        encoding="utf-8",
    )
    return place


def environment(tmp_path: Path) -> dict[str, str]:
    """Return variables that keep a build's cache and git's configuration inside the test's folder."""
    return {"DML_WHEELHOUSE_CACHE": str(tmp_path / "cache"), **{k: v for k, v in _GIT_ENV.items() if "CONFIG" in k}}


def step_inputs(folder: Path) -> dict[str, str]:
    """Return the recorded inputs of a finished step."""
    return dict(json.loads((folder / ".step.json").read_text(encoding="utf-8"))["inputs"])
