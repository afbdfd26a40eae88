"""A step is a function from hashed inputs to a directory: run when its key changed, never otherwise, and it says why.

The key is the SHA-256 of the step's named inputs. They are stored beside the result, so that a different key can be
explained ("rebuilt: patch X changed"). A step writes into a folder beside its place, which is renamed when the step
has succeeded: a killed run leaves nothing half made.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelhouse import manifests
from wheelhouse.console import remark
from wheelhouse.errors import BusyError, ResourceError
from wheelhouse.file_locks import locked
from wheelhouse.files import disk_full, move, remove_tree, sha256_bytes, write_atomic

RECORD = ".step.json"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is to be made (`name`, for people), where (`output`, a directory), from what (`inputs`: label to value).

    Values are hashes, versions or settings, as text; `sha256_file` and `sha256_tree` turn content into one.
    """

    name: str
    output: Path
    inputs: Mapping[str, str]

    @property
    def key(self) -> str:
        """The SHA-256 over all inputs."""
        return sha256_bytes(json.dumps(dict(self.inputs), sort_keys=True).encode())


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened to a step: whether it ran, why (or why not), and how long it took in seconds."""

    ran: bool
    why: str
    seconds: float


def recorded_inputs(output: Path) -> dict[str, str] | None:
    """Return the inputs that made `output`, or None when it is absent or was not finished."""
    try:
        record = json.loads((output / RECORD).read_text(encoding="utf-8"))
        return {str(k): str(v) for k, v in record["inputs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def why_to_run(step: Step) -> str | None:
    """Return why the step must run, in words, or None when its result is there with the same key."""
    old = recorded_inputs(step.output)
    if old is None:
        return "not made yet" if not step.output.exists() else "an earlier run did not finish"
    new = dict(step.inputs)
    changed = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
    return None if not changed else f"{', '.join(changed)} changed"


def partial_of(output: Path) -> Path:
    """Return the folder that a step writes to before it has succeeded."""
    return output.with_name(f".{output.name}.partial")


def ensure(
    step: Step,
    make: Callable[[Path], None],
    *,
    quiet_when_fresh: bool = False,
    damage: Callable[[Path], str | None] = lambda _: None,
) -> Outcome:
    """Make the step's output unless it is there with the same key and unharmed.

    `make` receives an empty folder to fill; its exceptions pass through and leave the former output as it was.
    `damage` looks at a finished output and says in words what has happened to it since, or None.
    """

    def reason() -> str | None:
        if (why := why_to_run(step)) is not None:
            return why
        if (harm := damage(step.output)) is not None:
            manifests.report_damage(f"{step.name}: {harm}")
        return harm

    if reason() is None:
        return _fresh(step, quiet=quiet_when_fresh)
    with locked(step.output):
        why = reason()  # another run may have made it while we waited for the lock
        if why is None:
            return _fresh(step, quiet=quiet_when_fresh)
        remark(f"{step.name}: {why}")
        started = time.monotonic()
        partial = partial_of(step.output)
        remove_tree(partial)
        partial.mkdir(parents=True)
        _make_or_free(step, make, partial)
        write_atomic(partial / RECORD, json.dumps({"name": step.name, "inputs": dict(step.inputs)}, indent=1))
        _replace(partial, step.output)
        return Outcome(ran=True, why=why, seconds=time.monotonic() - started)


def _make_or_free(step: Step, make: Callable[[Path], None], partial: Path) -> None:
    """Run `make`; when the disk is full, what it has written is no part of the reason for long."""
    try:
        make(partial)
    except ResourceError:
        remove_tree(partial)
        raise
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        remove_tree(partial)
        raise disk_full(step.name) from error


def _fresh(step: Step, *, quiet: bool) -> Outcome:
    why = "nothing changed"
    if not quiet:
        remark(f"{step.name}: {why}")
    return Outcome(ran=False, why=why, seconds=0.0)


def _replace(partial: Path, output: Path) -> None:
    """Put the new output in the place of the old one, which is removed now or, while a program has it open, later."""
    _remove_old(output)
    if output.exists():
        move(output, _free_name(output))
    move(partial, output)
    _remove_old(output)


def _free_name(output: Path) -> Path:
    names = (output.with_name(f".{output.name}.old{n or ''}") for n in itertools.count())
    return next(name for name in names if not name.exists())


def _remove_old(output: Path) -> None:
    for old in output.parent.glob(f".{glob.escape(output.name)}.old*"):
        with contextlib.suppress(BusyError):
            remove_tree(old)
