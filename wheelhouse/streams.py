"""Standard streams that take everything we print, whatever the system's code page or locale is."""

from __future__ import annotations

import io
import os
import signal
import sys


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


def _settle(stream: io.TextIOWrapper) -> None:
    if stream.isatty():
        stream.reconfigure(errors="replace")
    elif "PYTHONIOENCODING" in os.environ:
        stream.reconfigure(errors="replace", newline="\n")
    else:
        stream.reconfigure(encoding="utf-8", errors="replace", newline="\n")
