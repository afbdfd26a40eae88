"""Starting pip, and saying what its failures mean."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from wheelhouse import process
from wheelhouse.console import Task, task
from wheelhouse.errors import IntegrityError, NetworkError, StepFailedError, ToolchainError, WheelhouseError
from wheelhouse.files import disk_full, remove_tree
from wheelhouse.paths import log_dir
from wheelhouse.process import Command

SECONDS = 3600.0
TEMPORARY = ".temporary"
"""Below what pip fills: its own temporary files, which a killed pip leaves."""
_QUIET = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
_SETTINGS = {"PIP_USER": "0"}
"""A user's `user = true` would be refused in a virtual environment."""
_MISLEADING = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV")
_UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Max retries exceeded|Connection refused"
    r"|Temporary failure in name resolution|Name or service not known|Network is unreachable|ConnectionResetError",
)
_MISSING = re.compile(r"(?:No matching distribution found for|satisfies the requirement) (\S+)")
_FIRST_WITH_PYTHON_OPTION = (22, 3)


def own(target: Path | None = None) -> tuple[str, ...] | None:
    """Return the argv prefix of this Python's pip, working on the environment of the interpreter `target` if given.

    None when this Python has no pip, or one too old for that.
    """
    if importlib.util.find_spec("pip") is None:
        return None
    if target is None:
        return (sys.executable, "-m", "pip")
    version = tuple(int(part) for part in importlib.metadata.version("pip").split(".")[:2] if part.isdigit())
    return (sys.executable, "-m", "pip", "--python", str(target)) if version >= _FIRST_WITH_PYTHON_OPTION else None


def install(pip: tuple[str, ...], arguments: Sequence[str], *, title: str, shown: Task, temporary: Path) -> None:
    """Run `pip install` with its lines as the note of `shown`. Raise what `explain` makes of a failure.

    Nothing is compiled to bytecode: of 12 000 modules a process imports a few hundred, and Python keeps those.
    """
    log = log_dir() / "environments" / f"{title}.log"
    _run([*pip, "install", *_QUIET, "--no-compile", *arguments], log, shown, temporary=temporary)


def download(requirement: str, folder: Path, *, sha256: str = "") -> Path:
    """Download one package, without what it requires, into the empty `folder`; return the file.

    With `sha256`, pip itself refuses another file, before it runs anything that an sdist contains (IntegrityError).
    """
    wanted = [requirement]
    if sha256:
        pins = folder / "pins.txt"
        pins.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8", newline="\n")
        wanted = ["--require-hashes", "-r", str(pins)]
    with task(f"downloading {requirement}") as shown:
        log = log_dir() / "downloads" / f"{requirement}.log"
        argv = [*_required(), "download", *_QUIET, "--no-deps", "--dest", str(folder), *wanted]
        _run(argv, log, shown, temporary=folder / TEMPORARY)
    return next(path for path in folder.iterdir() if path.is_file() and path.name != "pins.txt")


def build(project: Path, folder: Path, settings: Sequence[str], *, variables: Mapping[str, str], shown: Task) -> None:
    """Build the wheel of `project` into `folder`, isolated, with `variables` in its environment."""
    log = log_dir() / "environments" / f"{project.name}-wheel.log"
    argv = [*_required(), "wheel", *_QUIET, "--no-deps", "--wheel-dir", str(folder), *settings, str(project)]
    _run(argv, log, shown, temporary=folder / TEMPORARY, variables=variables)


def _required() -> tuple[str, ...]:
    found = own()
    if found is None:
        raise ToolchainError(f"{sys.executable} has no pip.", remedy=f"`{sys.executable} -m ensurepip` installs it.")
    return found


def _run(
    argv: Sequence[str], log: Path, shown: Task, *, temporary: Path, variables: Mapping[str, str] | None = None
) -> None:
    env = {**_SETTINGS, **(variables or {})}
    command = Command(argv=tuple(argv), env=env, unset=_MISLEADING, timeout=SECONDS, temporary=temporary)

    def note(line: str) -> None:
        shown.update(line)
        if line.startswith("Collecting "):
            shown.advance()

    try:
        process.run(command, log=log, on_line=note)
    except StepFailedError as error:
        raise explain(error, log) from error
    finally:
        remove_tree(temporary)


def explain(error: StepFailedError, log: Path) -> WheelhouseError:
    """Return what pip's failure means for a person, judged by the output in `log`; `error` itself if unknown."""
    output = log.read_text(encoding="utf-8", errors="replace")
    if "DO NOT MATCH THE HASHES" in output:
        return IntegrityError(
            "The package index that pip uses serves another file than the pinned one.",
            remedy="Use PyPI itself, or find out why (`pip config list` names the index).",
            log=log,
        )
    if "No space left on device" in output:
        return disk_full("the installation of packages", log=log)
    if _UNREACHABLE.search(output):
        return NetworkError(
            "pip cannot reach the package index.",
            remedy="Check the network and `pip config list` (index, proxy, certificate), then run the same again: "
            "what is finished is kept. For a machine without network, `pip download` the pins in "
            "recipes/environments elsewhere and name that folder in PIP_FIND_LINKS.",
            log=log,
        )
    if found := _MISSING.search(output):
        return NetworkError(
            f"The package index that pip uses does not offer {found[1]}.",
            remedy="`pip config list` shows which index that is; use PyPI, or a mirror that has this version.",
            log=log,
        )
    return error
