"""Whether an environment still holds what was installed into it, by the RECORD of every package."""

from __future__ import annotations

import base64
import binascii
import csv
from collections.abc import Iterator
from pathlib import Path

from wheelhouse.files import by_name, sha256_file

_PACKAGES = ("lib/python*/site-packages", "Lib/site-packages")


def damage(folder: Path) -> str | None:
    """Say which installed file below `folder` is gone or has been changed, or None. Reads every file: takes seconds."""
    records = (record for place in _PACKAGES for record in folder.glob(f"{place}/*.dist-info/RECORD"))
    for record in sorted(records, key=by_name):
        for path, digest in _rows(record):
            if (what := _harm(path, digest)) is not None:
                return what
    return None


def _rows(record: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files with a hash: compiled Python has none, and the scripts beside the packages are not kept."""
    with record.open(encoding="utf-8", newline="") as stream:
        for row in csv.reader(stream):
            if len(row) == 3 and row[1].startswith("sha256=") and not row[0].startswith(".."):
                yield record.parent.parent / row[0], row[1].removeprefix("sha256=")


def _harm(path: Path, digest: str) -> str | None:
    try:
        expected = base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4))
        actual = bytes.fromhex(sha256_file(path))
    except FileNotFoundError:
        return f"{path.name} is gone"
    except (OSError, binascii.Error):
        return f"{path.name} cannot be read"
    return None if actual == expected else f"{path.name} has been changed"
