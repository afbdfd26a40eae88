"""Everything that the commands of a git-lane build depend on, in one value; they are pure functions of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath

from recipes.building.tools import Tools
from recipes.sources.dependencies import Project
from recipes.spec.schema import GenAI, OnnxRuntime, Recipe, TargetPython
from recipes.spec.target import BuildOptions, Layout, Target
from wheelhouse.errors import RecipeError, UsageError

CONFIG = "Release"


@dataclass(frozen=True, kw_only=True)
class Context:
    """One build: what (recipe, target, options), where (host, layout), with what (tools)."""

    recipe: Recipe
    target: Target
    host: Target
    options: BuildOptions
    tools: Tools
    layout: Layout

    @property
    def ort(self) -> OnnxRuntime:
        """The recipe's ONNX Runtime. Raise UsageError when the recipe compiles nothing."""
        return compiled_parts(self.recipe)[0]

    @property
    def genai(self) -> GenAI:
        """The recipe's GenAI. Raise UsageError when the recipe compiles nothing."""
        return compiled_parts(self.recipe)[1]

    @property
    def ort_project(self) -> Project:
        """ONNX Runtime and what its CMake downloads."""
        return Project(part=self.ort, target=self.target, layout=self.layout)

    @property
    def genai_project(self) -> Project:
        """GenAI and what its CMake downloads."""
        return Project(part=self.genai, target=self.target, layout=self.layout)

    @property
    def projects(self) -> tuple[Project, ...]:
        """Those whose CMake runs in this build."""
        return (self.ort_project, self.genai_project) if self.builds_ort else (self.genai_project,)

    @property
    def cross(self) -> bool:
        """Whether the target's programs do not run on the host."""
        return self.target != self.host

    @property
    def zig(self) -> bool:
        """Whether the recipe's cross-compiler compiles for Windows on Linux."""
        return self.host.os != self.target.os

    @property
    def visual_studio(self) -> bool:
        """Whether CMake generates for Visual Studio: ONNX Runtime's build.py refuses Ninja together with --arm64."""
        return self.cross and self.host.os == "windows"

    @property
    def builds_ort(self) -> bool:
        """Whether ONNX Runtime is compiled (and its checkout is needed)."""
        return self.options.ort == "build"

    @property
    def ort_source(self) -> PurePath:
        """ONNX Runtime's checkout."""
        return self.ort_project.checkout

    @property
    def genai_source(self) -> PurePath:
        """GenAI's checkout."""
        return self.genai_project.checkout

    @property
    def ort_build(self) -> PurePath:
        """ONNX Runtime's build folder: a short name, for the paths below are long and Windows has a limit."""
        return self.layout.work / "ort"

    @property
    def ort_home(self) -> PurePath:
        """The staged headers and libraries."""
        return self.layout.work / "ort-home"

    @property
    def core_build(self) -> PurePath:
        """The core's build folder; it stays, so that an interrupted build goes on from there."""
        return self.layout.work / "core-build"

    @property
    def core(self) -> PurePath:
        """The installed core."""
        return self.layout.work / "core"

    @property
    def prefix(self) -> PurePath:
        """Header-only packages that the Python module is compiled with."""
        return self.layout.work / "prefix"

    def target_python(self, python: str) -> TargetPython | None:
        """The development files of a Python for the target's processor; None when the host's own serve.

        Raise RecipeError when the build is a cross-compilation and the recipe does not name them.
        """
        if not self.cross:
            return None
        found = self.recipe.target_pythons.get(self.target.name, {}).get(python)
        if found is None:
            raise RecipeError(
                f"Recipe '{self.recipe.name}' names no Python {python} for {self.target.name} to compile against.",
                remedy=f"Build on a {self.target.name} machine, or add [target-pythons.{self.target.name}] to it.",
            )
        return found

    def target_python_folder(self, python: str) -> PurePath:
        """Where those development files lie once fetched."""
        return self.layout.dependency(
            f"python{python}-{self.target.arch}", PurePosixPath(self._python_url(python)).name
        )

    def _python_url(self, python: str) -> str:
        found = self.target_python(python)
        return found.url if found else ""

    def wheel(self, python: str) -> PurePath:
        """The folder of one Python's wheel."""
        return self.layout.work / f"wheel-{python_tag(python)}"


def compiled_parts(recipe: Recipe) -> tuple[OnnxRuntime, GenAI]:
    """Return what a recipe compiles. Raise UsageError when it is for the published lane only."""
    if recipe.onnxruntime is None or recipe.genai is None:
        raise UsageError(
            f"Recipe '{recipe.name}' compiles nothing.",
            remedy="`invoke build-dml --lane published` assembles it; `invoke recipes` lists all recipes.",
        )
    return recipe.onnxruntime, recipe.genai


def python_tag(version: str) -> str:
    """Return the wheel tag of a Python version: '3.12' is 'cp312'."""
    return f"cp{version.replace('.', '')}"
