"""What other programs measured, as far as it can be laid beside dumps: texts and times, which no gate can judge.

who_what_benchmark's CSV (`prompts`, `answers`; or its table per question) holds answers; llm_bench's JSON times in
milliseconds, and of its answers the MD5 only. Neither has tokens or logits. llama.cpp's file of logits is not read: it
keeps 16-bit logarithms of probabilities over a text of its own in chunks, with the tokens of its own tokenizer.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from smoke.report import wording
from smoke.report.page.side_by_side import split
from smoke.report.results import Cell, Section
from wheelhouse.errors import InputError

SUFFIXES = (".csv", ".json")
LARGEST = 64 << 20
_ANSWERS = (("prompts", "answers"), ("prompt", "optimized_model"))
"""Columns of the prompt and of its answer."""
_NOTE = (
    "Texts and times of other programs have no tokens and no logits: no gate can judge them, and they change no "
    "verdict. Answers are compared with the reference's to the same prompts, letter by letter."
)
REMEDY = "It takes dumps, who_what_benchmark's CSV (prompts, answers) and llm_bench's JSON (perfdata)."


class _Iteration(Struct, frozen=True):
    iteration: int
    first_latency: float | str | None = None
    second_avg_latency: float | str | None = None


class _Times(Struct, frozen=True):
    results: tuple[_Iteration, ...]
    compile_time: float | str | None = None


class _About(Struct, frozen=True):
    model: str = ""
    framework: str = ""
    device: str = ""
    precision: str = ""


class _Bench(Struct, frozen=True):
    perfdata: _Times
    metadata: _About = _About()


def is_one(path: Path) -> bool:
    """Say whether a file is to be read as another program's."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def section(files: Sequence[Path], golden: Mapping[str, str]) -> Section | None:
    """Return the table about other programs' files; `golden`: the reference's answers by prompt. Raise InputError."""
    rows = [_answers(file, golden) if file.suffix.lower() == ".csv" else _times(file) for file in files]
    if not rows:
        return None
    columns = ("file", "what", "prompts in common", "equal answers", "alike from the start", "first token", "tokens/s")
    return Section(title="From other programs", columns=columns, rows=tuple(rows), note=_NOTE)


def _answers(file: Path, golden: Mapping[str, str]) -> tuple[Cell, ...]:
    given = _column_pairs(file)
    common = [(answer, golden[prompt]) for prompt, answer in given if prompt in golden]
    equal = sum(answer.strip() == golden_answer.strip() for answer, golden_answer in common)
    shares = [
        len(split(answer.strip(), other.strip())[0]) / max(len(answer.strip()), len(other.strip()), 1)
        for answer, other in common
    ]
    return (
        file.name,
        f"{len(given)} answers",
        f"{len(common)} of {len(golden)}",
        f"{equal} of {len(common)}" if common else "",
        f"{statistics.fmean(shares):.0%}" if shares else "",
        "",
        "",
    )


def _column_pairs(file: Path) -> list[tuple[str, str]]:
    csv.field_size_limit(LARGEST)
    try:
        with _opened(file).open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            names = rows.fieldnames or ()
            columns = next(((a, b) for a, b in _ANSWERS if a in names and b in names), None)
            if columns is None:
                raise InputError(f"{file} has no columns prompts and answers.", remedy=REMEDY)
            return [(_text(row[columns[0]]), _text(row[columns[1]])) for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is no CSV file ({error}).", remedy=REMEDY) from error


def _text(cell: str | None) -> str:
    """Return a cell as the model said it: a program on Windows writes line ends of its own into it."""
    return (cell or "").replace("\r\n", "\n")


def _times(file: Path) -> tuple[Cell, ...]:
    try:
        bench = msgspec.json.decode(_opened(file).read_bytes(), type=_Bench)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file} is no report of llm_bench ({error}).", remedy=REMEDY) from error
    # Its first iteration is a warm-up, which its own averages leave out, too.
    warm = [each for each in bench.perfdata.results if each.iteration > 0] or list(bench.perfdata.results)
    first = [value for each in warm if (value := _number(each.first_latency)) is not None]
    later = [value for each in warm if (value := _number(each.second_avg_latency)) is not None]
    about = bench.metadata
    what = " ".join(part for part in (about.model, about.framework, about.device, about.precision) if part)
    return (
        file.name,
        f"{what}, {len(warm)} iterations".lstrip(", "),
        "",
        "",
        "",
        wording.seconds(statistics.median(first) / 1000) if first else "",
        wording.number(1000 / statistics.median(later), 3) if later else "",
    )


def _number(value: float | str | None) -> float | None:
    return value if isinstance(value, int | float) and value > 0 else None


def _opened(file: Path) -> Path:
    if file.stat().st_size > LARGEST:
        raise InputError(f"{file} is too large to be read.", remedy=REMEDY)
    return file
