"""What a recipe may say: frozen structures that msgspec decodes strictly, and from which the JSON schema is made.

A recipe is data (`recipes/*.toml`): nothing that depends on a version hides in code. Two optional parts say how the
wheels come about: `onnxruntime` + `genai` (compiled from source) and `published` (assembled from published binaries).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, field

from recipes.spec.fetched import Dependency, Source, require_unique
from recipes.spec.schema_parts import Commit, LocalVersion, OsName, Part, TargetName
from recipes.spec.schema_published import Added, Artifact, Dropped, Edited, Origin, Proof, Published, Repack
from wheelhouse.strict_toml import Inside, PythonVersion, Sha256

__all__ = [
    "Added",
    "Artifact",
    "Commit",
    "Dropped",
    "Edited",
    "LocalVersion",
    "Origin",
    "OsName",
    "Proof",
    "Published",
    "PythonVersion",
    "Repack",
    "Sha256",
    "TargetName",
]


class Staging(Part, frozen=True, kw_only=True):
    """What an ORT_HOME must hold: the closure of `headers` over #include, found in `include-dirs` of the source."""

    headers: tuple[str, ...]
    include_dirs: tuple[str, ...]
    optional_headers: tuple[str, ...] = ()
    """Never staged although a header mentions them: their mere presence switches features on."""
    libraries: dict[OsName, tuple[str, ...]]


class ReleaseArchive(Part, frozen=True, kw_only=True):
    """A release of ONNX Runtime with headers and libraries (a NuGet package, a .tgz): for `--ort published`.

    Without `sha256` the hash is recorded on first fetch and verified afterwards.
    """

    url: str
    sha256: Sha256 | None = None
    include_root: str
    """The folder inside the archive that holds the headers."""
    library_root: str
    """The folder inside the archive that holds the libraries."""


class TargetPython(Part, frozen=True, kw_only=True):
    """Headers and import library of a Python for another processor, to cross-compile a module for it.

    Without `sha256` the hash is recorded on first fetch and verified afterwards.
    """

    url: str
    sha256: Sha256 | None = None
    include_root: str
    library: str
    """The import library inside the archive, as 'tools/libs/python312.lib'."""


class OnnxRuntime(Part, frozen=True, kw_only=True):
    """The ONNX Runtime that the wheel is compiled against and pinned to."""

    package: str
    version: str
    local_version: LocalVersion = ""
    """Added to the version of the wheels that are built here, so that they are told from upstream's."""
    api_version: int
    """ORT_API_VERSION of its headers."""
    source: Source
    build_flags: tuple[str, ...] = ()
    target_flags: dict[TargetName, tuple[str, ...]] = field(default_factory=dict)
    cmake_defines: dict[str, str] = field(default_factory=dict)
    mirror: str = ""
    """Upstream's table of archives (cmake/deps.txt) that go to mirror/ in its checkout, where its CMake looks first."""
    leave_out: tuple[str, ...] = ()
    """Names of that table that no build of this recipe needs."""
    dependencies: tuple[Dependency, ...] = ()
    """What its CMake would download past that table."""
    staging: Staging
    published: dict[TargetName, ReleaseArchive] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_unique(self.dependencies)


class WheelMetadata(Part, frozen=True, kw_only=True):
    """What the wheel's METADATA says; files are relative to the GenAI checkout."""

    summary: str
    readme: str
    licence: str
    licence_files: tuple[Inside, ...]
    author: str = ""
    author_email: str = ""
    homepage: str = ""
    requires_python: str = ""


class GenAI(Part, frozen=True, kw_only=True):
    """The GenAI core and its Python package."""

    package: str
    version: str
    import_name: str
    """The folder of the Python package inside the wheel."""
    local_version: LocalVersion = ""
    """Added to the version as PEP 440 has it, so that our wheel is told from upstream's, and preferred."""
    metadata: WheelMetadata
    source: Source
    cmake_defines: dict[str, str] = field(default_factory=dict)
    build_targets: tuple[str, ...]
    dependencies: tuple[Dependency, ...] = ()
    requires: tuple[str, ...] = ()
    """Further requirements of the wheel; the paired ONNX Runtime is added, exactly pinned."""
    extra_files: dict[OsName, tuple[str, ...]] = field(default_factory=dict)
    """Files that the package carries besides, as 'dependency-name:path/inside'; {arch} is x64 or arm64."""
    smoke: tuple[str, ...] = ()
    """Lines of Python that a fresh environment with the finished wheels runs after `import IMPORT-NAME`."""

    def __post_init__(self) -> None:
        require_unique(self.dependencies)


class SdkProbe(Part, frozen=True, kw_only=True):
    """Something that a header of the Windows SDK must declare; a probe beats a version number that somebody guessed."""

    header: str
    """Below Include/<version>/, as 'um/dxcore_interface.h'."""
    symbol: str
    reason: Annotated[str, Meta(min_length=10)]


class Toolchain(Part, frozen=True, kw_only=True):
    """The oldest tools that can build the sources."""

    cmake: str = "3.26"
    cross_compiler: Literal["", "zig"] = ""
    """What compiles the Windows targets on Linux, for sources that need no Visual Studio; empty: nothing does."""
    sdk_probes: tuple[SdkProbe, ...] = ()


class Needs(Part, frozen=True, kw_only=True):
    """What compiling takes, by estimate: said before a build, and what its disk and memory are held to."""

    hours: Annotated[float, Meta(ge=0)] = 0.0
    disk_gb: Annotated[float, Meta(gt=0)] = 2.0
    job_memory_mb: Annotated[int, Meta(ge=100)] = 1100
    """Of one compiler; the largest file of GenAI v0.15.2 was measured at 965 MiB."""
    basis: str = ""
    """What the estimates go by; said with them."""


class Recipe(Part, frozen=True, kw_only=True):
    """One recipe. `name` is the file's name and is filled in by `recipes.spec.load`."""

    description: str
    name: str = ""
    extends: str = ""
    """The recipe that this one changes: tables are merged key by key, anything else is replaced."""
    targets: tuple[TargetName, ...] = ()
    pythons: tuple[PythonVersion, ...] = ()
    toolchain: Toolchain = Toolchain()
    needs: Needs = Needs()
    target_pythons: dict[TargetName, dict[PythonVersion, TargetPython]] = field(default_factory=dict)
    """For cross-compiling: target and Python to its development files."""
    onnxruntime: OnnxRuntime | None = None
    genai: GenAI | None = None
    published: Published | None = None

    def __post_init__(self) -> None:
        if (self.onnxruntime is None) != (self.genai is None):
            raise ValueError("[onnxruntime] and [genai] come together")
        if self.genai is None and self.published is None:
            raise ValueError("a recipe needs [onnxruntime] with [genai], or [published]")
        if self.genai is not None and not (self.targets and self.pythons):
            raise ValueError("a recipe that compiles needs targets and pythons")
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*|", self.name):
            raise ValueError(f"'{self.name}' is not a recipe name: use small letters, digits, '.', '_' and '-'")
