"""What a machine with a part of a run leaves beside its dumps (`shard.json`), and how the parts become one again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from smoke.backends.sharding import Shard
from smoke.backends.variants import REFERENCE
from smoke.parity.verdicts import Verdict
from smoke.report.results import Report, Result
from smoke.running import records
from wheelhouse.errors import InputError
from wheelhouse.files import by_name, write_atomic

NAME = "shard.json"
_LARGEST = 64 << 20


class Sheet(Struct, frozen=True, kw_only=True):
    """Which part it was, of which plan, and the results of what left no dump: it was not run, and why."""

    format: Literal[1]
    number: int
    of: int
    plan: tuple[str, ...]
    without_dump: tuple[Result, ...]


def write(folder: Path, shard: Shard, plan: Sequence[str], report: Report) -> None:
    """Write the sheet into the folder of a part's dumps."""
    missing = [
        result
        for result in report.results
        if not (folder / f"{result.backend}-{result.variant}" / records.NAME).is_file()
    ]
    sheet = Sheet(format=1, number=shard.number, of=shard.of, plan=tuple(plan), without_dump=tuple(missing))
    write_atomic(folder / NAME, msgspec.json.format(msgspec.json.encode(sheet)) + b"\n")


def spread(given: Iterable[Path]) -> list[Path]:
    """Return the folders and archives, with the parts themselves in place of a folder that holds several."""
    found: list[Path] = []
    for path in given:
        parts = sorted((file.parent for file in path.glob(f"*/{NAME}")), key=by_name) if path.is_dir() else []
        found += parts if parts and not (path / NAME).exists() else [path]
    return found


def read(folders: Sequence[Path]) -> list[Sheet | None]:
    """Return the sheets of the parts among the folders, None for those that are none.

    Raise InputError where they are not exactly the parts of one run: a verdict over a part would flatter.
    """
    sheets = [_read(next(iter([*folder.glob(NAME), *folder.glob(f"*/{NAME}")]), folder / NAME)) for folder in folders]
    present = [sheet for sheet in sheets if sheet is not None]
    if not present:
        return sheets
    remedy = "Give the dumps of all parts: `invoke smoke --shard I/N --dump FOLDER` with the same other options."
    if len({(sheet.of, sheet.plan) for sheet in present}) > 1:
        raise InputError("The parts are not those of one run: they were divided otherwise.", remedy=remedy)
    numbers, of = sorted(sheet.number for sheet in present), present[0].of
    if missing := [f"{number}/{of}" for number in range(1, of + 1) if number not in numbers]:
        raise InputError(f"Of the run's {of} parts, {', '.join(missing)} missing.", remedy=remedy)
    if twice := [f"{number}/{of}" for number in sorted(set(numbers)) if numbers.count(number) > 1]:
        raise InputError(f"The part {', '.join(twice)} is there twice.", remedy=remedy)
    return sheets


def _read(file: Path) -> Sheet | None:
    if not file.is_file():
        return None
    try:
        if file.stat().st_size > _LARGEST:
            raise InputError(f"{file} is too large.", remedy="It is not what a part of a run left.")
        sheet = msgspec.json.decode(file.read_bytes(), type=Sheet)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file} cannot be used: {error}.", remedy="Run that part again.") from None
    if not 1 <= sheet.number <= sheet.of:
        raise InputError(f"{file} cannot be used: part {sheet.number} of {sheet.of}.", remedy="Run that part again.")
    return sheet


def joined(results: Iterable[Result], sheets: Sequence[Sheet | None], machines: Sequence[str]) -> list[Result]:
    """Return a comparison's results with those that left no dump, and the reference's own but once.

    That the later parts' references agree with the first's is said by the rows that compare them.
    """
    later = {name for name, sheet in zip(machines, sheets, strict=True) if sheet is not None and sheet.number > 1}
    kept = [result for result in results if not (result.machine in later and _is_fine_reference(result))]
    for name, sheet in zip(machines, sheets, strict=True):
        kept += [msgspec.structs.replace(r, machine=name) for r in (sheet.without_dump if sheet else ())]
    return kept


def _is_fine_reference(result: Result) -> bool:
    own = f"{result.backend}:{result.variant}" == REFERENCE and not result.against
    return own and result.verdict is Verdict.PASS
