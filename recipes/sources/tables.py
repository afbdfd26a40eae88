"""What upstream's own files say that its CMake downloads: cmake/deps.txt, CMake code, packages.config.

They are read at the pinned commit, so that no address and no hash is typed by us. Every mistake names file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from recipes.spec.fetched import REVISION
from wheelhouse.errors import InputError, nearest

NUGET = "https://www.nuget.org/api/v2/package"
ROWS = "cmake/deps.txt"
"""Upstream's table: name;url;sha1, '#' begins a remark. CMake code refers to it as DEP_URL_name and DEP_SHA1_name."""

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
_COMMAND = re.compile(r"\b(set|FetchContent_Declare|onnxruntime_fetchcontent_declare)\s*\(", re.IGNORECASE)
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s()"]+)')
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PACKAGE = re.compile(r'<package\s[^>]*?\bid="([^"]+)"[^>]*?\bversion="([^"]+)"', re.IGNORECASE)
_KEYWORD = re.compile(r"[A-Z][A-Z_]+")
_HASH = re.compile(r"(SHA1|SHA256)=([0-9a-fA-F]+)")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One thing that upstream downloads: an archive (`url`, and its hash if upstream has one), or a `repository` at
    `revision` (a commit or a tag). `place` is file and line; `patch` the command that changes it after unpacking."""

    name: str
    place: str
    url: str = ""
    sha1: str = ""
    sha256: str = ""
    repository: str = ""
    revision: str = ""
    patch: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where it comes from, for people and for comparing."""
        return f"{self.repository} at {self.revision}" if self.repository else self.url


def find(checkout: Path, file: str, entry: str) -> Declaration:
    """Return what `file` in a checkout declares under `entry`.

    Raises InputError: no such file or entry, a line that cannot be read, no hash, a name twice, an address that is
    not https.
    """
    known = declarations(checkout, file)
    if entry not in known:
        raise InputError(
            f"{checkout / file} declares no '{entry}'. {nearest(entry, known)}".rstrip(),
            remedy="Correct declared-in or entry of that dependency in the recipe: upstream may have renamed it.",
        )
    found = known[entry]
    if not (found.url or found.repository):
        raise _bad(found.place, f"'{entry}' has no address that can be read without running CMake")
    if not found.origin.startswith("https://"):
        raise _bad(found.place, f"'{entry}' is not fetched over https: {found.origin}")
    if ".." in re.split(r"[/\\]", found.url) or (found.repository and not REVISION.fullmatch(found.revision)):
        raise _bad(found.place, f"'{entry}' would lead elsewhere: {found.origin}")
    return found


def declarations(checkout: Path, file: str) -> dict[str, Declaration]:
    """Return name to declaration of one file of a checkout. Raises InputError as `find` does."""
    text = _read(checkout / file)
    if PurePosixPath(file).name == "packages.config":
        return _unique(_packages(text, file))
    if PurePosixPath(file).suffix == ".txt" and not file.endswith("CMakeLists.txt"):
        return _unique(rows(text, file))
    return _unique(_cmake(text, file, _row_variables(checkout)))


def rows(text: str, file: str) -> Iterator[Declaration]:
    """Yield the rows of upstream's table."""
    for number, line in enumerate(text.splitlines(), start=1):
        place, row = f"{file}:{number}", line.strip()
        if not row or row.startswith("#"):
            continue
        cells = [cell.strip() for cell in row.split(";")]
        if len(cells) < 3 or not _NAME.fullmatch(cells[0]):
            raise _bad(place, f"'{row}' is not name;url;sha1")
        name, address, pin = cells[:3]
        if not _SHA1.fullmatch(pin):
            raise _bad(place, f"'{name}' has no SHA-1: '{pin}'")
        if address.endswith(".git"):
            yield Declaration(name=name, place=place, repository=address, revision=pin.lower())
        else:
            yield Declaration(name=name, place=place, url=address, sha1=pin.lower())


def _packages(text: str, file: str) -> Iterator[Declaration]:
    for found in _PACKAGE.finditer(text):
        place = f"{file}:{_line(text, found.start())}"
        yield Declaration(name=found[1], place=place, url=f"{NUGET}/{found[1]}/{found[2]}")


def _cmake(text: str, file: str, variables: Mapping[str, str]) -> Iterator[Declaration]:
    """Yield the declarations of CMake code, in its order; conditions are not looked at."""
    code = re.sub(r"#[^\n]*", lambda remark: " " * len(remark[0]), text)
    known = dict(variables)
    for command in _COMMAND.finditer(code):
        end = _closing(code, command.end())
        arguments = [
            _expand(m[1] if m[1] is not None else m[2], known) for m in _ARGUMENT.finditer(code, command.end(), end)
        ]
        if not arguments:
            continue
        if command[1].lower() == "set":
            known[arguments[0]] = arguments[1] if len(arguments) > 1 else ""
        else:
            yield _declaration(arguments, f"{file}:{_line(code, command.start())}")


def _declaration(arguments: list[str], place: str) -> Declaration:
    fields: dict[str, list[str]] = {}
    current: list[str] = []
    for argument in arguments[1:]:
        if _KEYWORD.fullmatch(argument):
            current = fields.setdefault(argument, [])
        else:
            current.append(argument)
    hashes = {kind: digits.lower() for value in fields.get("URL_HASH", []) for kind, digits in _HASH.findall(value)}
    return Declaration(
        name=arguments[0],
        place=place,
        url=_first(fields, "URL"),
        sha1=hashes.get("SHA1", ""),
        sha256=hashes.get("SHA256", ""),
        repository=_first(fields, "GIT_REPOSITORY"),
        revision=_first(fields, "GIT_TAG"),
        patch=tuple(fields.get("PATCH_COMMAND", ())),
    )


def _first(fields: Mapping[str, list[str]], key: str) -> str:
    values = fields.get(key, [])
    return values[0] if values and "${" not in values[0] else ""


def _expand(argument: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: known.get(found[1], found[0]), argument)


def _closing(code: str, start: int) -> int:
    """Return where the parenthesis that was opened before `start` closes."""
    depth = 1
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[()]', code[start:]):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if not depth:
            return start + found.start()
    return len(code)


def _row_variables(checkout: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    if (checkout / ROWS).is_file():
        for row in rows(_read(checkout / ROWS), ROWS):
            found[f"DEP_URL_{row.name}"] = row.url or row.repository
            found[f"DEP_SHA1_{row.name}"] = row.sha1 or row.revision
    return found


def _unique(found: Iterator[Declaration]) -> dict[str, Declaration]:
    known: dict[str, Declaration] = {}
    for one in found:
        other = known.setdefault(one.name, one)
        if other.origin != one.origin:
            raise _bad(one.place, f"'{one.name}' is there twice: {one.origin}, and in {other.place} {other.origin}")
    return known


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _bad(place: str, what: str) -> InputError:
    return InputError(
        f"{place}: {what}.",
        remedy="This is upstream's file at the pinned commit: compare it with upstream's own, then change the tag, or "
        "give that dependency a source or url of its own in the recipe.",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", remedy="Correct declared-in or mirror in the recipe."
        ) from error
