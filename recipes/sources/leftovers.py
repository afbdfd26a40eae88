"""What upstream's own build writes beside its sources: remembered where it ended, set aside where it was killed."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from recipes.sources.checkout import Checkout, changes, git, require_clean
from wheelhouse.console import remark
from wheelhouse.file_locks import is_abandoned, marked
from wheelhouse.files import move, write_atomic
from wheelhouse.paths import log_dir
from wheelhouse.process import run

LEFT = ".git/wheelhouse-left.txt"
"""In a checkout: the files that builds which came to an end have left beside its sources, for those of all targets."""
BUILDING = "wheelhouse-building-"
"""In a checkout's .git: begins the name of a file that is there, and locked, while a build runs."""
ASIDE = ".git/wheelhouse-set-aside"


@contextmanager
def building(checkout: Checkout) -> Iterator[None]:
    """Build in a checkout: only where it is as it was fetched, but for what other builds have left in it.

    What a killed build wrote nobody could note: it is set aside, and said, not removed: it may be somebody's work.
    Raise InputError where somebody has worked in the checkout.
    """
    require_clean(checkout, allowed=_allowed(checkout))
    with marked(checkout.folder / ".git" / f"{BUILDING}{uuid.uuid4().hex}"):
        try:
            yield
        finally:  # what has been written beside the sources is not somebody's work
            changed, added = changes(checkout)
            write_atomic(checkout.folder / LEFT, "\n".join([*changed, *added]))


def _allowed(checkout: Checkout) -> Collection[str]:
    left = checkout.folder / LEFT
    known = left.read_text(encoding="utf-8").splitlines() if left.is_file() else []
    marks = list((checkout.folder / ".git").glob(f"{BUILDING}*"))
    killed = [mark for mark in marks if is_abandoned(mark)]
    if len(killed) < len(marks):  # another target's build is writing there now
        return [*known, *changes(checkout)[1]]
    if not killed:
        return known
    _set_aside(checkout)
    left.unlink(missing_ok=True)
    for mark in killed:
        mark.unlink(missing_ok=True)
    return ()


def _set_aside(checkout: Checkout) -> None:
    """Move what differs from the sources into a folder in .git, and put the sources back."""
    theirs, others = changes(checkout)
    folder = checkout.folder / ASIDE / time.strftime("%Y%m%d-%H%M%S")
    for name in (*theirs, *others):
        if os.path.lexists(checkout.folder / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            move(checkout.folder / name, folder / name)
    if theirs:
        restore = git(checkout.folder, "checkout-index", "--force", "--", *theirs)
        run(
            replace(restore, env={"GIT_NO_LAZY_FETCH": "1"}),
            log=log_dir() / f"git-{checkout.folder.name}.log",
            echo=False,
        )
    if theirs or others:
        remark(f"A build in {checkout.folder} was killed: what it had written beside the sources lies in {folder}.")
