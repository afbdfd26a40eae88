"""The order of METADATA's licence files: the same on every system."""

from __future__ import annotations

_FIELD = b"License-File: "


def in_one_order(metadata: bytes) -> bytes:
    """Return METADATA with its License-File lines sorted by their bytes, in the places where such lines stand.

    The packer sorts them as paths, and Windows sorts paths without regard to case.
    """
    head, blank, body = metadata.partition(b"\n\n")
    lines = head.split(b"\n")
    ordered = iter(sorted(line for line in lines if line.startswith(_FIELD)))
    return b"\n".join(next(ordered) if line.startswith(_FIELD) else line for line in lines) + blank + body
