"""Downloads files of a model from the Hugging Face hub, and goes on with a file where an earlier run was cut off.

Stand-alone: started as `python hub_download.py LISTING.json FOLDER` in an environment with huggingface_hub. LISTING has
`id`, `commit` and `files`, each with `name`, `size` (bytes), and `sha256` or `git` (git's hash of the file).

The hub's own snapshot_download (1.21) begins every file anew: what a killed run leaves has a name that no later one
looks for. Gigabytes over a home line are worth more, so a part keeps its name here, and the server is asked for the
rest. That the pieces fit is seen by the hash of the whole.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import httpx  # type: ignore[import-not-found]  # it comes with huggingface_hub
from huggingface_hub import constants, hf_hub_url
from huggingface_hub.file_download import http_get
from huggingface_hub.utils._headers import build_hf_headers

CHUNK = 1 << 20
FAILED = 75
SECONDS_BETWEEN = 1.0
WRITTEN_AT_ONCE = 1 << 16
"""What a cut line can cost at most; the library's own ten megabytes are a minute of a slow one."""


def is_right(path: Path, file: dict[str, Any]) -> bool:
    """Say whether a file is the one in the listing: SHA-256 of a large one, git's hash of any other."""
    size = path.stat().st_size
    if size != file["size"]:
        return False
    digest = hashlib.sha256() if file["sha256"] else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return bool(digest.hexdigest() == (file["sha256"] or file["git"]))


class _Counting:
    """A file that says now and then how much of it is there."""

    def __init__(self, opened: BinaryIO, file: dict[str, Any], done: int) -> None:
        self._opened, self._file, self._done, self._said = opened, file, done, time.monotonic()

    def write(self, data: bytes) -> int:
        self._done += len(data)
        if time.monotonic() - self._said > SECONDS_BETWEEN:
            self._said = time.monotonic()
            print(f"{self._file['name']}: {self._done} of {self._file['size']} bytes", flush=True)
        return self._opened.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)


def fetch(listing: dict[str, Any], file: dict[str, Any], folder: Path) -> None:
    """Have a file in `folder`. A part that does not fit what follows it is thrown away, once."""
    target = folder / file["name"]
    if target.is_file() and is_right(target, file):
        return
    part = target.with_name(f"{target.name}.part")
    url = hf_hub_url(listing["id"], file["name"], revision=listing["commit"])
    for _ in range(2):
        resumed = part.stat().st_size if part.exists() else 0
        if resumed > file["size"]:
            part.unlink()
            resumed = 0
        print(f"{file['name']}: {f'{resumed} of ' if resumed else ''}{file['size']} bytes", flush=True)
        with part.open("ab") as opened:
            sink: Any = _Counting(opened, file, resumed)
            http_get(url, sink, resume_size=resumed, headers=build_hf_headers(), expected_size=file["size"])
        if is_right(part, file):
            part.replace(target)
            return
        part.unlink()
        if not resumed:
            break
    raise SystemExit(f"{file['name']} is not the file that the hub's listing of commit {listing['commit']} names.")


def main() -> int:
    """Download; return 0, or 75 when the network failed."""
    constants.DOWNLOAD_CHUNK_SIZE = WRITTEN_AT_ONCE
    listing, folder = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2])
    print(f"{listing['id']} at {listing['commit']}", flush=True)
    for file in sorted(listing["files"], key=lambda f: f["size"]):  # what is missing is told before the gigabytes
        try:
            fetch(listing, file, folder)
        except (httpx.HTTPError, OSError) as error:
            if getattr(error, "errno", None):  # the disk's or the file's fault
                raise
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f"the download broke off at {file['name']}: {said}", flush=True)
            return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
