"""Makes small real wheels, with a right RECORD, for tests that need some."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def make_wheel(
    folder: Path,
    *,
    package: str = "demo-pkg",
    version: str = "1.0",
    tag: str = "cp312-cp312-win_amd64",
    headers: tuple[str, ...] = (),
    files: Mapping[str, bytes] | None = None,
    extra: Mapping[str, bytes] | None = None,
    break_record: bool = False,
) -> Path:
    """Write a wheel with package `files` and further `.dist-info` files (`extra`); return its path."""
    name = package.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    metadata = "\n".join(
        ["Metadata-Version: 2.4", f"Name: {package}", f"Version: {version}", *headers, "", "# Demo", ""]
    )
    members = dict(files or {f"{name}/__init__.py": b"x = 1\n"})
    members[f"{info}/METADATA"] = metadata.encode()
    members[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    members |= {f"{info}/{key}": value for key, value in (extra or {}).items()}
    lines = [f"{key},sha256={_digest(value, break_record)},{len(value)}" for key, value in members.items()]
    members[f"{info}/RECORD"] = ("\n".join([*lines, f"{info}/RECORD,,"]) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in members.items():
            archive.writestr(key, value)
    return path


def _digest(data: bytes, broken: bool) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data + b"x" * broken).digest()).rstrip(b"=").decode()
