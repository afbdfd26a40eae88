"""Checking and healing an ONNX Runtime GenAI model folder, in place or as a copy; the work is done by `norms/`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from smoke.environments import pinned
from smoke.heal.known_norms import MODES, NAME, Answer, Mode, Record, load
from wheelhouse import process, scratch
from wheelhouse.console import Task, task
from wheelhouse.errors import InputError, UnsupportedError, UsageError, nearest
from wheelhouse.file_locks import locked
from wheelhouse.files import (
    by_name,
    link_or_copy,
    move,
    remove_tree,
    require_space,
    sha256_bytes,
    sha256_file,
    write_atomic,
)
from wheelhouse.paths import cache_dir, log_dir

SCRIPTS = Path(__file__).resolve().parent / "norms"
ORIGINAL = ".unhealed"
"""What the name of a graph that was healed in place is followed by, where the folder keeps it."""
_COPIED = 1_000_000
"""Files up to this size are copied, so that editing one copy of a configuration leaves the other alone."""
_SECONDS = 7200.0


def check(folder: Path, asked: Sequence[str] = ()) -> Answer:
    """Measure the norms of a model folder, on the prompts `asked` as well, and change nothing.

    Raise InputError, UnsupportedError or StepFailedError.
    """
    graph = _graph(folder)
    with task(f"check the norms of {folder.name}") as shown:
        return _run(graph, folder, mode="never", write=None, shown=shown, log=folder.name, asked=asked)


def heal(folder: Path, *, out: Path | None = None, mode: str = "auto") -> Record:
    """Heal a model folder in place, or a copy of it in `out`; return what was found and done.

    A healing writes a new graph and never touches weights. In place, the old graph stays beside the new one as
    `NAME.unhealed`, and the new one appears by a rename: an interrupted run leaves the folder as it was. Raise
    UsageError (unknown mode), InputError (no usable model in `folder`, or something in `out`), ResourceError (no room
    for the copy), UnsupportedError or StepFailedError.
    """
    chosen = mode_of(mode)
    graph = _graph(folder)
    if out is None:
        with _locked(folder), task(f"heal {folder.name}") as shown:
            return _heal(graph, folder, mode=chosen, keep=True, shown=shown, log=folder.name)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already.", remedy="Give a folder that does not exist yet.")
    out = out.resolve()
    with _locked(out), task(f"heal {folder.name} into {out.name}") as shown:
        partial = out.with_name(f".{out.name}.partial")
        remove_tree(partial)
        try:
            fill(folder, partial, mode=chosen, shown=shown, share=False)
            if out.exists():
                out.rmdir()
            move(partial, out)
        finally:
            remove_tree(partial)
    record = load(out)
    assert record is not None  # noqa: S101 - `fill` has just written it
    return record


def fill(folder: Path, copy: Path, *, mode: Mode, shown: Task, share: bool, log: str = "") -> Record:
    """Make a healed copy of a model folder in `copy`, which may exist and be empty; `log` names the log file.

    With `share`, large files are the same on the disk where the file system can (hard links). That is for folders that
    nobody but us edits: the onnx package refuses to load a graph whose data has several links, the original's too.
    """
    graph = _graph(folder)
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".") and p.name != NAME]
    needed = 2 * graph.stat().st_size + 10_000_000 + sum(p.stat().st_size for p in files if not share)
    require_space(copy, needed, f"The healed copy of {folder.name}")
    for path in sorted(files, key=by_name):
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if share and path.stat().st_size > _COPIED:
            link_or_copy(path, target, ways=("link",))
        else:
            shutil.copy2(path, target)
    copied = copy / graph.relative_to(folder)
    return _heal(copied, copy, mode=mode, keep=False, shown=shown, log=log or folder.name, named=folder)


def scripts_key() -> str:
    """Return one SHA-256 over the programs that decide what a healed graph looks like."""
    return " ".join(sha256_file(path)[:16] for path in sorted(SCRIPTS.glob("*.py"), key=by_name))


def mode_of(mode: str) -> Mode:
    """Return the mode of that name. Raise UsageError when there is none."""
    for known in MODES:
        if mode == known:
            return known
    raise UsageError(f"There is no way '{mode}' to treat norms. {nearest(mode, MODES)}")


def _locked(folder: Path) -> AbstractContextManager[None]:
    """Lock a folder of the user's; the lock's file lies in the cache."""
    return locked(cache_dir("locks", sha256_bytes(str(folder.resolve()).encode())[:16]))


def _heal(
    graph: Path, folder: Path, *, mode: Mode, keep: bool, shown: Task, log: str, named: Path | None = None
) -> Record:
    """Rewrite the graph in `folder`, record what was done, and put the new graph in place of the old one.

    `named` is what errors call the folder, where it is a copy of the user's.
    """
    before = sha256_file(graph)
    healed = graph.with_name(f".healed-{graph.name}")
    try:
        answer = _run(graph, folder, mode=mode, write=healed, shown=shown, log=log, named=named)
        known = load(folder)
        if known is not None and not healed.exists() and mode != "never":
            return known  # healed before, and still as that healing left it
        fields = {name: getattr(answer, name) for name in Answer.__struct_fields__}
        after = sha256_file(healed) if healed.exists() else before
        record = Record(graph=graph.relative_to(folder).as_posix(), graph_before=before, graph_after=after, **fields)
        if healed.exists():
            _own(folder)
            if keep:
                _keep(graph)
            move(healed, graph)
        write_atomic(folder / NAME, msgspec.json.format(msgspec.json.encode(record)))
        return record
    finally:
        healed.unlink(missing_ok=True)


def _own(folder: Path) -> None:
    """Put the files themselves in place of links, as in a download cache.

    Beside a graph that is no link any more, ONNX Runtime takes no data from outside the folder.
    """
    links = [path for path in sorted(folder.rglob("*"), key=by_name) if path.is_symlink() and path.is_file()]
    require_space(folder, sum(path.stat().st_size for path in links), f"The files that {folder} links to")
    for path in links:
        real = path.with_name(f".real-{path.name}")
        try:
            shutil.copyfile(path, real)
            move(real, path)
        finally:
            real.unlink(missing_ok=True)


def _keep(graph: Path) -> None:
    original = graph.with_name(graph.name + ORIGINAL)
    if not original.exists():
        link_or_copy(graph, original, ways=("link",))  # only until the healed graph takes its name


def _run(
    graph: Path,
    folder: Path,
    *,
    mode: Mode,
    write: Path | None,
    shown: Task,
    log: str,
    named: Path | None = None,
    asked: Sequence[str] = (),
) -> Answer:
    """Run the job in the model environment and return its answer."""
    environment = pinned.prepare(pinned.MAIN)
    path = log_dir() / "heal" / f"{log or 'model'}.log"
    with scratch.folder() as work:
        job, answer = work / "job.json", work / "answer.json"
        content: dict[str, Any] = {
            "graph": str(graph.absolute()),  # not resolved: a link into a download cache has its data beside the link
            "folder": str(folder.absolute()),
            "mode": mode,
            "write": None if write is None else str(write.absolute()),
            "answer": str(answer),
            "asked": list(asked),
            "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        }
        job.write_text(json.dumps(content), encoding="utf-8", newline="\n")
        command = environment.command(str(SCRIPTS), str(job), temporary=work, timeout=_SECONDS)
        process.run(command, log=path, on_line=shown.update)
        return _decode(answer.read_bytes(), named or folder, path)


def _decode(content: bytes, folder: Path, log: Path) -> Answer:
    refused = json.loads(content).get("error")
    if refused is not None:
        raise UnsupportedError(
            f"The norms of {folder} cannot be healed: {refused}.",
            remedy="Only text decoders for ONNX Runtime GenAI with one graph can be measured on the CPU.",
            log=log,
        )
    return msgspec.json.decode(content, type=Answer)


def _graph(folder: Path) -> Path:
    """Return the graph of the decoder in a model folder. Raise InputError or UnsupportedError when there is none."""
    remedy = "Give the folder of a model for ONNX Runtime GenAI: genai_config.json, the graph and tokenizer.json."
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", remedy=remedy)
    config = folder / "genai_config.json"
    try:
        decoder = json.loads(config.read_text(encoding="utf-8"))["model"]["decoder"]
    except OSError as error:
        raise InputError(f"{config} cannot be read: {error.strerror}.", remedy=remedy) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{config} is not the configuration of a decoder.", remedy=remedy) from error
    if not isinstance(decoder, dict) or not isinstance(decoder.get("filename"), str) or not decoder["filename"]:
        if isinstance(decoder, dict) and decoder.get("pipeline"):
            raise UnsupportedError(f"{folder} has its decoder split into a pipeline, which cannot be healed.")
        raise InputError(f"{config} names no graph ('filename' of the decoder).", remedy=remedy)
    graph = folder / str(decoder["filename"])
    for needed in (graph, folder / "tokenizer.json"):
        if not needed.is_file():
            raise InputError(f"{folder} has no {needed.name}.", remedy=remedy)
    # By its name: in a download cache every file is a link to elsewhere.
    name = Path(str(decoder["filename"]))
    if name.is_absolute() or name.drive or ".." in name.parts:
        raise InputError(f"The graph {graph} lies outside the model folder.", remedy="Copy it into the folder.")
    return graph
