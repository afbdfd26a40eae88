"""Running the commands of a lane: one log each, progress on the console, build folders that survive an interruption."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from wheelhouse import scratch
from wheelhouse.console import task
from wheelhouse.files import remove_tree, sha256_bytes, write_atomic
from wheelhouse.paths import log_dir
from wheelhouse.process import Command, run


def run_all(commands: Iterable[Command], title: str) -> None:
    """Run the commands in order under one title, each with a log of its own. Raises as `process.run` does.

    What compilers and linkers need for a moment lies in the cache: they leave it where it is when they are killed.
    """
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", title).strip("-").lower()
    with scratch.folder() as temporary, task(title) as shown:
        for number, command in enumerate(commands, start=1):
            # not on Windows: Visual Studio's servers keep files open there after a build
            place = command.temporary or (temporary if os.name == "posix" else None)
            run(replace(command, temporary=place), log=log_dir() / f"{stem}-{number}.log", on_line=shown.follow)


def keep_if_same(folder: Path, key: str) -> None:
    """Keep a build folder for an interrupted build of the same thing; empty it when it was for another."""
    marker = folder / ".wheelhouse-key"
    wanted = hash_text(key)
    if not marker.is_file() or marker.read_text(encoding="utf-8") != wanted:
        remove_tree(folder)
        write_atomic(marker, wanted)


def what_matters(argv: Sequence[str], *without: str) -> str:
    """Return a configuring command line without what changes no byte of the result: a compile cache, Ninja's place,
    how many jobs, and the defines of `without`. A part can so be built by one machine and taken over by another."""
    idle = ("CMAKE_C_COMPILER_LAUNCHER", "CMAKE_CXX_COMPILER_LAUNCHER", "CMAKE_MAKE_PROGRAM", *without)
    kept = [part for part in argv if not part.removeprefix("-D").startswith(tuple(f"{name}=" for name in idle))]
    return " ".join(
        part for part, before in zip(kept, ["", *kept], strict=False) if before != "--parallel" or part[0] == "-"
    )


def hash_part(part: object) -> str:
    """Return the SHA-256 of a recipe's part."""
    return sha256_bytes(msgspec.json.encode(part, order="sorted"))


def hash_text(text: str) -> str:
    """Return the SHA-256 of a text."""
    return sha256_bytes(text.encode())
