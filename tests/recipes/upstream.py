"""The miniature upstreams of tests/upstream as git repositories, with a recipe that builds them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

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
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=os.environ | _GIT_ENV).stdout.strip()


def repository(content: Path, place: Path, *, tag: str = "") -> str:
    """Make a repository out of a folder's content; return its commit."""
    shutil.copytree(content, place, ignore=shutil.ignore_patterns("__pycache__"))
    git(place, "init", "--quiet")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", "first")
    if tag:
        git(place, "tag", tag)
    return git(place, "rev-parse", "HEAD")


def make_upstream(folder: Path, *, pybind11: bool = False) -> Upstream:
    """Make all repositories and the recipe `mini.toml` below `folder`."""
    mirror = folder / "mirror"
    commits = {name: repository(HERE / name, mirror / "mini" / name, tag="v1") for name in ("ort", "genai", "mathlib")}
    if pybind11:
        commits["pybind11"] = repository(_pybind11_sources(folder), mirror / "mini" / "pybind11")
    recipe = folder / "mini.toml"
    recipe.write_text(recipe_text(commits), encoding="utf-8")
    return Upstream(mirror=mirror, commits=commits, recipe=recipe)


def recipe_text(commits: dict[str, str]) -> str:
    """Return the recipe for the miniature upstreams at the given commits."""
    text = (HERE / "mini.toml").read_text(encoding="utf-8")
    for name, commit in commits.items():
        text = text.replace(f"COMMIT-OF-{name.upper()}", commit)
    return text.replace("HOST-TARGET", host_target().name)


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
