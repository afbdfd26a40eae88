"""How much of a wheel the audit is willing to read: beyond these sizes a wheel is reported, not read."""

from __future__ import annotations

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

MAX_ARCHIVE = 4 * GIB
"""Largest wheel file in bytes (PyPI's own limit is far below)."""

MAX_MEMBERS = 100_000
"""Most members; each costs about 1 KiB of memory."""

MAX_DIRECTORY = 24 * MIB
"""Largest central directory in bytes: it is read into memory as a whole."""

MAX_UNPACKED = 8 * GIB
"""Largest sum of unpacked sizes in bytes."""

MAX_RATIO = 150
"""Highest ratio of unpacked to packed size of a member above BOMB_FLOOR; DEFLATE's own limit is 1032."""

BOMB_FLOOR = 16 * MIB
"""Members up to this unpacked size cannot be bombs on their own."""

MAX_DENSE = 256 * MIB
"""Most unpacked bytes of all members beyond MAX_RATIO together, those below BOMB_FLOOR included."""

MAX_TEXT = 8 * MIB
"""Largest METADATA, RECORD, SBOM… that is decoded."""

MAX_NAME = 1024
"""Longest member name in bytes; Windows' longest path is 260 characters unless told otherwise."""

IN_MEMORY = 40 * MIB
"""Largest binary that is parsed from memory; larger ones are unpacked to a temporary file and mapped."""

MAX_BINARY = 1 * GIB
"""Largest binary that is parsed at all."""

MAX_CODE = 64 * MIB
"""Most machine code in which version numbers are looked for; GenAI's and onnxruntime's libraries have a third of it."""

CHUNK = 1 * MIB
"""Bytes read at a time."""

MAX_TEXTS = 24 * MIB
"""Most bytes of METADATA, RECORD, SBOM… that are kept of one wheel."""

MAX_SYMBOLS = 300_000
"""Most imported and exported names that are kept of one wheel."""

MAX_SYMBOL = 64 * KIB
"""Longest name of a symbol or library in bytes; C++'s longest in real libraries have some thousands."""

MAX_NAMES = 48 * MIB
"""Most bytes of names that are read from one binary, and its largest table of names."""

MAX_SEGMENTS = 512
"""Most segments of a Linux library, and sections of a Windows one; linkers make a dozen."""

MAX_HEADERS = 3000
"""Most header lines of METADATA or WHEEL: reading them takes time that grows with the square of their number."""

MAX_TRACES = 2000
"""Most leaked paths and secrets that are kept of one wheel: one in each file would do to report it."""

MAX_FINDINGS = 200
"""Most findings of one rule about one wheel; the others are counted."""

MAX_MEMORY = 300 * MIB
"""Most memory that reading one wheel may take; files that are mapped into it do not count."""

_SECONDS, _BYTES_PER_SECOND = 20.0, 10 * MIB


def seconds_for(size: int) -> float:
    """Return how many seconds reading a wheel of so many bytes may keep a processor busy."""
    return _SECONDS + size / _BYTES_PER_SECOND
