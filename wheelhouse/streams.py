"""Standard streams that take everything we print, and reading what others print, whatever the code page is."""

from __future__ import annotations

import codecs
import contextlib
import io
import locale
import os
import signal
import sys

WRITES_UTF_8 = {"PYTHONIOENCODING": "utf-8:backslashreplace"}
"""What makes a Python write UTF-8 into a pipe, and never fail at it."""
OR_CODE_PAGE = "or-code-page"
"""For `errors=` where UTF-8 is decoded: other bytes are read as what this system's programs write."""


def _by_code_page(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode(locale.getencoding(), errors="replace"), error.end


codecs.register_error(OR_CODE_PAGE, _by_code_page)


def settle() -> None:
    """Set the standard streams once, at the start, so that no character can raise; and take Ctrl+Break as Ctrl-C.

    A terminal keeps its encoding and shows `?` for what it does not have. A file or a pipe gets UTF-8 with \\n ends,
    the same bytes on every system, unless PYTHONIOENCODING asks for another encoding.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            _settle(stream)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, signal.default_int_handler)


def _code_page_of_console(stream: io.TextIOWrapper) -> str | None:
    """Return how a console reads the bytes that it is given; None where Python gives it characters, or was told how.

    With PYTHONLEGACYWINDOWSSTDIO Python writes them in the system's code page, and a console shows other letters.
    """
    raw = getattr(stream.buffer, "raw", None)
    if sys.platform == "win32" and "PYTHONIOENCODING" not in os.environ and isinstance(raw, io.FileIO):
        with contextlib.suppress(LookupError):  # a code page that Python does not know
            return codecs.lookup(os.device_encoding(stream.fileno()) or "").name
    return None


def _settle(stream: io.TextIOWrapper) -> None:
    if stream.isatty():
        stream.reconfigure(encoding=_code_page_of_console(stream), errors="replace")
    elif "PYTHONIOENCODING" in os.environ:
        stream.reconfigure(errors="replace", newline="\n")
    else:
        stream.reconfigure(encoding="utf-8", errors="replace", newline="\n")
