"""What the Hugging Face hub says a model consists of at one commit; asked in seconds, not after a row of time-outs."""

from __future__ import annotations

import fnmatch
import os
import re
import urllib.error
import urllib.parse
import urllib.request

import msgspec
from msgspec import Struct

from wheelhouse.errors import IntegrityError, NetworkError, UsageError

ENDPOINT_VARIABLE = "HF_ENDPOINT"
WANTED = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "*.py")
"""No *.bin: a pickle may run code, and a model whose weights are only that cannot be checked without running it."""
_REACH_SECONDS = 10.0
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Large(Struct, frozen=True):
    """What git keeps in place of a large file."""

    sha256: str


class File(Struct, frozen=True, rename={"name": "rfilename", "blob": "blobId"}):
    """One file: its size in bytes, and git's hash of it; for a large file its SHA-256 instead."""

    name: str
    size: int
    blob: str = ""
    lfs: Large | None = None


class Listing(Struct, frozen=True):
    """A model at a commit (`sha`)."""

    sha: str
    siblings: tuple[File, ...] = ()

    @property
    def files(self) -> tuple[File, ...]:
        """The files that a causal language model needs: those at the top, not what other frameworks keep below it."""
        return tuple(
            file
            for file in self.siblings
            if "/" not in file.name and any(fnmatch.fnmatch(file.name, pattern) for pattern in WANTED)
        )


def endpoint() -> str:
    """Return the hub's address: $HF_ENDPOINT, as the hub's own library understands it, or the public hub."""
    return os.environ.get(ENDPOINT_VARIABLE, "https://huggingface.co").rstrip("/")


def ask(identifier: str, revision: str) -> Listing:
    """Return what the model `owner/name` holds at a branch, tag or commit.

    Raise UsageError when there is no such model or revision (or it may not be read), NetworkError when the hub cannot
    be reached or gives no listing, IntegrityError when it answers with another commit than the one asked for.
    """
    by_hand = f"Download {identifier} elsewhere and give its folder: `--model ./{identifier.split('/')[1]}`."
    try:
        listing = msgspec.json.decode(_get(identifier, revision), type=Listing)
    except urllib.error.HTTPError as error:
        error.close()  # it holds what was answered
        if error.code in {401, 403, 404}:
            raise UsageError(
                f"{endpoint()} has no model '{identifier}' at '{revision}' that you may read (it answered "
                f"{error.code}).",
                remedy="Check the spelling; for a gated model set HF_TOKEN. If you meant a folder: it does not exist.",
            ) from error
        raise NetworkError(f"{endpoint()} answered {error.code} for {identifier}.", remedy=by_hand) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NetworkError(f"{endpoint()} gave no listing of {identifier}: {error}.", remedy=by_hand) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NetworkError(
            f"The Hugging Face hub ({endpoint()}) cannot be reached: {reason}.", remedy=by_hand
        ) from error
    if _COMMIT.fullmatch(revision) and listing.sha != revision:
        raise IntegrityError(f"{endpoint()} answered with commit {listing.sha} of {identifier} instead of {revision}.")
    return listing


def _get(identifier: str, revision: str) -> bytes:
    """Ask in this process, so that a typo or a missing network is told at once."""
    headers = {"Authorization": f"Bearer {token}"} if (token := os.environ.get("HF_TOKEN")) else {}
    address = f"{endpoint()}/api/models/{identifier}/revision/{urllib.parse.quote(revision, safe='')}?blobs=true"
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - http(s), the user's own endpoint
    with urllib.request.urlopen(request, timeout=_REACH_SECONDS) as answer:  # noqa: S310
        return bytes(answer.read())
