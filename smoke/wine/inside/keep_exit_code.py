"""Runs a program in Wine's Python and leaves its exit code in a file: `python.exe keep_exit_code.py [-c|-m|FILE] …`.

wineserver kills a process that has not gone a second after it said that it ends (SIGKILL, exit code 137). Giving back
the gigabytes of a software GPU takes longer than that on a busy machine, so the exit code that Linux sees of a program
that ended well may be that of a murder. Only a program that never came to its end leaves no file.
"""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from pathlib import Path

EXIT_CODE = Path("C:/exit-code")
"""In the prefix's memory layer: process_one.py reads it, and it is gone with the session."""


def start(arguments: list[str]) -> int:
    """Run what `python ARGUMENTS` would run; return its exit code."""
    kind, rest = arguments[0], arguments[1:]
    try:
        if kind == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif kind == "-c":
            sys.argv = ["-c", *rest[1:]]
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what -c is
        else:
            sys.argv = arguments
            sys.path[0] = os.path.dirname(kind)  # noqa: PTH120 - a Windows path, taken as given
            runpy.run_path(kind, run_name="__main__")
    except SystemExit as ended:
        return _code(ended.code)
    except BaseException:  # noqa: BLE001 - as Python itself does
        traceback.print_exc()
        return 1
    return 0


def _code(value: object) -> int:
    if value is None or isinstance(value, int):
        return int(value or 0)
    print(value, file=sys.stderr)
    return 1


if __name__ == "__main__":
    code = start(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    EXIT_CODE.write_text(str(code), encoding="ascii")
    sys.exit(code)
