"""The transitive closure of C headers over #include: what an ORT_HOME must hold, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from wheelhouse.errors import InputError

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_API_VERSION = re.compile(r"^[ \t]*#[ \t]*define[ \t]+ORT_API_VERSION[ \t]+(\d+)", re.MULTILINE)


def closure(roots: Iterable[str], include_dirs: Sequence[Path], *, optional: Iterable[str] = ()) -> dict[str, Path]:
    """Return name (as an #include writes it, below include/) to file, for `roots` and all that they include.

    `<…>` that no folder has is a system header; `"…"` that no folder has is an InputError, unless it is `optional`:
    those are never followed, because a header that merely exists can switch a feature on.
    """
    skipped = set(optional)
    found: dict[str, Path] = {}
    queue = [(root, "", True) for root in roots]
    while queue:
        name, includer, quoted = queue.pop()
        if name in skipped or PurePosixPath(name).name in skipped:
            continue
        located = _locate(name, includer, include_dirs)
        if located is None:
            if not quoted:
                continue
            by = f", which {includer} includes," if includer else ""
            places = ", ".join(str(d) for d in include_dirs)
            raise InputError(
                f"The header {name}{by} is in none of: {places}.",
                remedy="Give an ORT_HOME with all headers of ONNX Runtime's C API in include/, "
                "or correct [onnxruntime.staging] in the recipe.",
            )
        key, path = located
        if key not in found:
            found[key] = path
            queue += [(inner, key, is_quoted) for inner, is_quoted in includes_of(path)]
    return found


def includes_of(path: Path) -> list[tuple[str, bool]]:
    """Return the #include directives of a header, outside comments: name, and whether it is in quotes."""
    text = _COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))
    return [(m[1] or m[2], m[1] is not None) for m in _INCLUDE.finditer(text)]


def _locate(name: str, includer: str, include_dirs: Sequence[Path]) -> tuple[str, Path] | None:
    """Find a header as a compiler does: beside the header that includes it, then in each folder in order."""
    beside = _normal(str(PurePosixPath(includer).parent / name)) if includer else None
    for candidate in dict.fromkeys(c for c in (beside, _normal(name)) if c):
        for folder in include_dirs:
            path = folder / candidate
            if path.is_file():
                return candidate, path
    return None


def _normal(name: str) -> str | None:
    """Return the path without '.' and '..', or None when it would leave the include folder or is absolute."""
    if "\\" in name or PurePosixPath(name).is_absolute():
        return None
    parts: list[str] = []
    for part in PurePosixPath(name).parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts) or None


def api_version(headers: Path) -> int:
    """Return ORT_API_VERSION of the headers in a folder. Raise InputError when they do not define it."""
    header = headers / "onnxruntime_c_api.h"
    try:
        found = _API_VERSION.search(header.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise InputError(f"{header} cannot be read: {error.strerror}.") from error
    if found is None:
        raise InputError(f"{header} does not define ORT_API_VERSION: it is truncated or not ONNX Runtime's.")
    return int(found[1])
