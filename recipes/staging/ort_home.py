"""ORT_HOME: the headers and libraries of ONNX Runtime that GenAI is compiled against, checked and listed with hashes.

Three origins (built here, published, the user's own folder) end in the same folder with the same checks, and the
manifest is verified before every compilation: a file that was removed, swapped or cut short is named.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recipes.spec.schema import OnnxRuntime, Staging
from recipes.spec.target import Target
from recipes.staging.binaries import library_version, read_binary
from recipes.staging.header_closure import api_version, closure
from wheelhouse.errors import InputError, IntegrityError
from wheelhouse.files import by_name, files_below, sha256_file, write_atomic

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where staging takes things from: folders to search headers in, and one file per library to stage."""

    label: str
    include_dirs: tuple[Path, ...]
    libraries: Mapping[str, Path]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What was staged: path to SHA-256, ORT_API_VERSION of the headers, (major, minor) of the library if it says so."""

    files: Mapping[str, str]
    api_version: int
    library_version: tuple[int, int] | None


def origin_from_home(home: Path, staging: Staging, target: Target) -> Origin:
    """Return a user's ORT_HOME as an origin. Raise InputError when a folder or library is missing."""
    for folder in (home / "include", home / "lib"):
        if not folder.is_dir():
            raise InputError(
                f"{home} is no ORT_HOME: it has no {folder.name}/.",
                remedy="--ort-home wants a folder with include/ (the C API headers) and lib/ (the library), as ONNX "
                "Runtime's release archives have.",
            )
    return Origin(
        label=str(home),
        include_dirs=(home / "include",),
        libraries=find_libraries([home / "lib"], staging, target),
    )


def find_libraries(folders: Sequence[Path], staging: Staging, target: Target) -> dict[str, Path]:
    """Return library name to file, each from the first folder that has it. Raise InputError naming a missing one.

    `libonnxruntime.so` may also be there with its version, as `libonnxruntime.so.1.26.0`.
    """
    found = {}
    for name in staging.libraries.get(target.os, ()):
        hits = [
            hit
            for folder in folders
            for hit in [folder / name, *sorted(folder.glob(f"{name}.*"), key=by_name)]
            if hit.is_file()
        ]
        if not hits:
            places = ", ".join(str(f) for f in folders)
            raise InputError(f"The library {name} is in none of: {places}.", remedy="Build or give ONNX Runtime again.")
        found[name] = hits[0]
    return found


def stage(ort: OnnxRuntime, target: Target, origin: Origin, into: Path) -> Manifest:
    """Copy the header closure and the libraries into `into`/include and /lib, check them, write the manifest.

    Raises InputError for a missing header or library, a wrong processor, a truncated file, or headers that are newer
    than the library.
    """
    headers = closure(ort.staging.headers, origin.include_dirs, optional=ort.staging.optional_headers)
    for name, path in headers.items():
        _copy(path, into / "include" / name)
    for name, path in origin.libraries.items():
        facts = read_binary(path)
        if facts.arch != target.arch:
            raise InputError(
                f"{path} is for {facts.arch}, but the target is {target.name}.",
                remedy=f"Give the {target.arch} library, or build for another target with --arch.",
            )
        _copy(path, into / "lib" / name)
    manifest = Manifest(
        files={p.relative_to(into).as_posix(): sha256_file(p) for p in files_below(into)},
        api_version=api_version(into / "include"),
        library_version=_version_of(origin),
    )
    _check_versions(ort, manifest, origin)
    write_atomic(into / MANIFEST, json.dumps(_as_json(manifest), indent=1, sort_keys=True) + "\n")
    return manifest


def verify(home: Path) -> Manifest:
    """Return the manifest of a staged ORT_HOME whose files are all there with their hashes.

    Raise IntegrityError naming the first that is missing, or has another content than was staged.
    """
    manifest = read_manifest(home)
    remedy = f"Remove {home} and run again: it is staged anew."
    for name, expected in manifest.files.items():
        path = home / name
        if not path.is_file():
            raise IntegrityError(f"The staged file {name} is missing from {home}.", remedy=remedy)
        actual = sha256_file(path)
        if actual != expected:
            how = f"has SHA-256 {actual[:12]}…, but {expected[:12]}… was staged"
            raise IntegrityError(f"The staged file {name} in {home} {how}.", remedy=remedy)
    return manifest


def read_manifest(home: Path) -> Manifest:
    """Return the manifest without looking at the files. Raise IntegrityError when it is missing or not whole."""
    try:
        content = json.loads((home / MANIFEST).read_text(encoding="utf-8"))
        version = content["library-version"]
        return Manifest(
            files={str(k): str(v) for k, v in content["files"].items()},
            api_version=int(content["api-version"]),
            library_version=None if version is None else (int(version[0]), int(version[1])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"{home / MANIFEST} is missing or damaged.", remedy=f"Remove {home} and run again: it is staged anew."
        ) from error


def _as_json(manifest: Manifest) -> dict[str, object]:
    version = manifest.library_version
    return {
        "files": dict(manifest.files),
        "api-version": manifest.api_version,
        "library-version": None if version is None else list(version),
    }


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)  # follows links: the staged file is the library itself


def _version_of(origin: Origin) -> tuple[int, int] | None:
    for name, path in origin.libraries.items():
        if name in {"onnxruntime.dll", "libonnxruntime.so"}:
            return library_version(path)
    return None


def _check_versions(ort: OnnxRuntime, manifest: Manifest, origin: Origin) -> None:
    """The API version of a library is its minor version: headers beyond it ask for functions that are not there."""
    wanted = (int(ort.version.split(".")[0]), int(ort.version.split(".")[1]))
    version = manifest.library_version or wanted
    if manifest.api_version > version[1]:
        raise InputError(
            f"The headers of {origin.label} are of ORT API {manifest.api_version}, newer than its library "
            f"{version[0]}.{version[1]}: what is compiled with them would not load.",
            remedy="Take headers and library from the same release (older headers are fine).",
        )
    if version < wanted:
        raise InputError(
            f"The library of {origin.label} is {version[0]}.{version[1]}, but the recipe pairs with {ort.version}.",
            remedy="Give that release, or write a recipe that pairs with yours: the wheel will require it exactly.",
        )
