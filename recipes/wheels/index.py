"""A static package index over the finished wheels (PEP 503, 658, 691, 700) and their SHA256SUMS.

Links are relative and carry hashes, so that the folder works as it lies, from any web server, and from a USB stick.
Every file is replaced as a whole and none is missing in between: a resolver that reads meanwhile sees old or new.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from recipes.wheels.lockfiles import remove_outdated
from recipes.wheels.placing import WheelFacts, facts_of, folder_lock, read_metadata
from wheelhouse.errors import InputError
from wheelhouse.files import by_name, write_atomic

SUMS = "SHA256SUMS"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._+!-]+")


@dataclass(frozen=True, kw_only=True)
class Page:
    """One project's page: its normalized name and its wheels, newest first within nothing but file name order."""

    project: str
    wheels: tuple[WheelFacts, ...]


def write_index(folder: Path) -> list[WheelFacts]:
    """Write `simple/`, one `.metadata` file beside each wheel, and SHA256SUMS for all wheels in `folder`.

    Return the wheels' facts in name order. Raise InputError when a file there is no readable wheel.
    """
    with folder_lock(folder):
        wheels = facts_of(sorted(folder.glob("*.whl"), key=by_name))
        wanted = index_files(wheels)
        for wheel in wheels:
            _write_metadata(folder / wheel.filename, wheel)
        for name, content in wanted.items():
            _write_if_changed(folder / name, content)
        _remove_stale(folder, set(wanted) | {f"{w.filename}.metadata" for w in wheels})
        remove_outdated(folder, wheels)
    return wheels


def index_files(wheels: Sequence[WheelFacts]) -> dict[str, str]:
    """Return path (relative to the wheel folder) to content of every index file, for the given wheels."""
    pages = group(wheels)
    files = {"simple/index.html": _root_html(pages), "simple/index.json": _root_json(pages)}
    for page in pages:
        files[f"simple/{page.project}/index.html"] = _project_html(page)
        files[f"simple/{page.project}/index.json"] = _project_json(page)
    files[SUMS] = "".join(f"{w.sha256}  {w.filename}\n" for w in wheels)
    return files


def group(wheels: Sequence[WheelFacts]) -> list[Page]:
    """Sort the wheels by project, under their normalized names. Raise InputError for a name that is no wheel's."""
    projects: dict[str, list[WheelFacts]] = {}
    for wheel in wheels:
        projects.setdefault(_parse(wheel.filename)[0], []).append(wheel)
    return [Page(project=name, wheels=tuple(projects[name])) for name in sorted(projects)]


def _parse(filename: str) -> tuple[str, str]:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        if not _PLAIN_NAME.fullmatch(filename):  # a line end in it would forge a line of SHA256SUMS
            raise InvalidWheelFilename("it has characters that no wheel's name has")
        name, version, _, _ = parse_wheel_filename(filename)
    except ValueError as error:
        raise InputError(f"{filename} is not a wheel's file name: {error}", remedy="Remove or rename it.") from error
    return name, str(version)


_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="pypi:repository-version" content="1.1">
<title>{title}</title>
</head>
<body>
{body}</body>
</html>
"""


def _root_html(pages: Sequence[Page]) -> str:
    links = "".join(f'<a href="{p.project}/">{p.project}</a><br>\n' for p in pages)
    return _HTML.format(title="Simple index", body=links)


def _project_html(page: Page) -> str:
    return _HTML.format(title=f"Links for {page.project}", body="".join(_anchor(w) for w in page.wheels))


def _anchor(wheel: WheelFacts) -> str:
    target = f"../../{quote(wheel.filename)}#sha256={wheel.sha256}"
    digest = f"sha256={wheel.metadata_sha256}"
    attributes = f'data-dist-info-metadata="{digest}" data-core-metadata="{digest}"'
    if wheel.requires_python:
        attributes += f' data-requires-python="{html.escape(wheel.requires_python)}"'
    return f'<a href="{target}" {attributes}>{html.escape(wheel.filename)}</a><br>\n'


def _root_json(pages: Sequence[Page]) -> str:
    return _json({"meta": {"api-version": "1.1"}, "projects": [{"name": p.project} for p in pages]})


def _project_json(page: Page) -> str:
    files: list[dict[str, object]] = []
    for wheel in page.wheels:
        digest = {"sha256": wheel.metadata_sha256}
        entry: dict[str, object] = {
            "filename": wheel.filename,
            "url": f"../../{quote(wheel.filename)}",
            "hashes": {"sha256": wheel.sha256},
            "size": wheel.size,
            "core-metadata": digest,
            "dist-info-metadata": digest,
        }
        if wheel.requires_python:
            entry["requires-python"] = wheel.requires_python
        files.append(entry)
    versions = sorted({_parse(w.filename)[1] for w in page.wheels})
    return _json({"meta": {"api-version": "1.1"}, "name": page.project, "versions": versions, "files": files})


def _json(content: object) -> str:
    return json.dumps(content, indent=1) + "\n"


def _write_metadata(wheel: Path, facts: WheelFacts) -> None:
    """Write METADATA beside the wheel, unless a file of that name has not been touched since the wheel was placed."""
    from wheelhouse.files import sha256_file

    target = wheel.with_name(f"{wheel.name}.metadata")
    if not target.exists() or sha256_file(target) != facts.metadata_sha256:
        write_atomic(target, read_metadata(wheel))


def _write_if_changed(path: Path, content: str) -> None:
    try:
        if path.read_text(encoding="utf-8") == content:
            return
    except (OSError, UnicodeDecodeError):
        pass
    write_atomic(path, content)


def _remove_stale(folder: Path, wanted: set[str]) -> None:
    ours = [*folder.glob("simple/*.*"), *folder.glob("simple/*/*.*"), *folder.glob("*.whl.metadata")]
    for path in ours:
        if path.is_file() and not path.name.startswith(".") and path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for path in [p for p in folder.glob("simple/*") if p.is_dir() and not any(p.iterdir())]:
        path.rmdir()
