"""How a command ends: the exit code of whatever came of it, and one paragraph on standard error where it went wrong."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import TextIO

from invoke.exceptions import Exit, ParseError

from front.door.signals import SAID, EndedError
from wheelhouse.console import show_error
from wheelhouse.errors import InputError, ResourceError, UsageError, WheelhouseError
from wheelhouse.paths import (
    CACHE_SHORTER,
    CACHE_VARIABLE,
    LONGEST_PATH,
    SHORT_NAME,
    SWITCH,
    cache_dir,
    characters,
    limited,
)

INTERRUPTED = 130
PIPE_CLOSED = 141
_UNUSABLE = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def ended(act: Callable[[], object], *, debug: bool = False) -> int:
    """Do it, and return the exit code; with `debug` an error comes with where it arose."""
    try:
        return _outcome(act, debug=debug)
    except BrokenPipeError:  # `invoke doctor | head`: the reader has seen enough
        return _closed(PIPE_CLOSED)
    except OSError as error:  # not even the error can be written
        if _unread(error):
            return _closed(PIPE_CLOSED)
        if error.filename or error.errno not in _FULL | {errno.EBADF, errno.EIO}:
            raise
        return _closed(ResourceError.exit_code)


def _outcome(act: Callable[[], object], *, debug: bool) -> int:
    try:
        act()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BrokenPipeError:
        raise
    except WheelhouseError as error:
        return fail(error, debug=debug)
    except ParseError as error:
        return fail(UsageError(str(error)), debug=debug)
    except OSError as error:
        if _unread(error):
            raise
        known = _explained(error)
        if known is None:
            raise
        return fail(known, debug=debug)
    except (KeyboardInterrupt, EndedError) as error:
        _print(SAID)
        return getattr(error, "exit_code", INTERRUPTED)
    except Exit as done:
        return int(done.code)
    return 0


def fail(error: WheelhouseError, *, debug: bool = False) -> int:
    """Print an error as people read it, after what was printed before it; return its exit code."""
    if debug:
        traceback.print_exception(error)
    try:
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout)
    _print(f"error: {error}")
    return error.exit_code


def _print(text: str) -> None:
    show_error(text)


def _explained(error: OSError) -> WheelhouseError | None:
    """Return what a fault of this machine's files means to a person; None for one that is a bug of ours."""
    if deep := _too_deep(error):
        return deep
    if error.errno in _FULL:
        where = error.filename or "standard output"
        if not error.filename:
            silence(sys.stdout)
        return ResourceError(
            f"{where} cannot be written: {error.strerror}.",
            remedy=f"Free some space, or set {CACHE_VARIABLE} to a folder on a larger disk." if error.filename else "",
        )
    if error.errno not in _UNUSABLE or not error.filename:
        return None
    cache = str(cache_dir())
    inside = str(error.filename).startswith(cache)
    remedy = f"{CACHE_VARIABLE} names the folder that everything is kept in: it is {cache} now." if inside else ""
    return InputError(f"{error.filename} cannot be used: {error.strerror}.", remedy=remedy)


def _too_deep(error: OSError) -> WheelhouseError | None:
    """Return what stopped Windows at a path that is too long for it: it says that there is no such file."""
    names = [os.path.abspath(name) for name in (error.filename, error.filename2) if isinstance(name, str)]  # noqa: PTH100
    longest = PurePath(max(names, key=len, default=""))
    if not limited() or characters(longest) <= LONGEST_PATH - SHORT_NAME:
        return None
    return ResourceError(
        f"{longest} is {characters(longest)} characters long: Windows takes {LONGEST_PATH} while long paths are off, "
        f"and {SHORT_NAME} less for a folder.",
        remedy=f"{CACHE_SHORTER}, use a shorter folder, or {SWITCH}.",
    )


def _unread(error: OSError) -> bool:
    """Return whether an error is how Windows says that nobody reads a pipe any more."""
    return sys.platform == "win32" and error.errno == errno.EINVAL and error.filename is None


def silence(stream: TextIO) -> None:
    """Let nothing more come out of a stream that cannot be written: Python flushes it once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _closed(code: int) -> int:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            silence(stream)
    return code
