"""How help looks: tasks by group, one line each; a task's values as they are declared, with their defaults."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext

from front.door.declaring import Task, Value

Rows = Sequence[tuple[str, str]]
NARROW = 60
"""Below so many columns a text stands under its name, not beside it."""
NAME_SHARE = 0.35
"""The most of a line that names may take; a longer one stands above its text."""


def width() -> int:
    """Return the columns of the terminal, of $COLUMNS, or 80."""
    return max(24, min(shutil.get_terminal_size().columns, 120))


def columns(rows: Rows, room: int, *, widest: int = 0) -> Iterator[str]:
    """Yield two columns, the second wrapped into what is left; one below the other where there is no room for two."""
    name_width = min(int(room * NAME_SHARE), max([widest, *(len(name) for name, _ in rows)]))
    for name, text in rows:
        if room < NARROW:
            yield f"  {name}"
            yield from textwrap.wrap(text, room, initial_indent="      ", subsequent_indent="      ")
            continue
        indent = " " * (name_width + 4)
        lines = textwrap.wrap(text, room, initial_indent=indent, subsequent_indent=indent) or [""]
        if len(name) > name_width:
            yield f"  {name}"
        else:
            lines[0] = f"  {name:<{name_width}}  {lines[0].lstrip()}".rstrip()
        yield from lines


def tasks_text(groups: Mapping[str, Sequence[Task]], room: int) -> str:
    """Return all tasks, by group."""
    rows = {title: [(_name(task), _summary(task)) for task in tasks] for title, tasks in groups.items()}
    widest = max(len(name) for listed in rows.values() for name, _ in listed)
    blocks = ["\n".join([f"{title}:", *columns(listed, room, widest=widest)]) for title, listed in rows.items()]
    return "\n\n".join([*blocks, "`invoke TASK --help` explains one."])


def program_text(groups: Mapping[str, Sequence[Task]], core: ParserContext, room: int) -> str:
    """Return the help of the whole program."""
    usage = "Usage: invoke [options] TASK [its options] [TASK …]"
    options = "\n".join(["Options, before or after a task:", *columns(_rows(core.args.values()), room)])
    return f"{usage}\n\n{tasks_text(groups, room)}\n\n{options}"


def task_text(task: Task, context: ParserContext, room: int) -> str:
    """Return the help of one task."""
    values: list[Argument] = list(context.args.values())
    words = [value.names[0].upper() for value in values if value.positional]
    rest = [f"[{context.args[task.rest].option.value or 'WORD'} …]"] if task.rest else []
    usage = " ".join(["Usage: invoke", str(context.name), *words, *rest, *(["[options]"] if values else [])])
    doc = inspect.getdoc(task.body) or ""
    usage = textwrap.fill(usage, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    parts = [usage, "\n".join(_paragraphs(doc, room))]
    given = [value for value in values if value.positional]
    options = [value for value in values if not value.positional]
    if given:
        parts.append("\n".join(["Given in this order:", *columns(_rows(given), room)]))
    if options:
        parts.append("\n".join(["Options:", *columns(_rows(options), room)]))
    return "\n\n".join(parts)


def _paragraphs(doc: str, room: int) -> Iterator[str]:
    for number, paragraph in enumerate(doc.split("\n\n")):
        if number:
            yield ""
        yield from textwrap.wrap(paragraph, room, initial_indent="  ", subsequent_indent="  ")


def _name(task: Task) -> str:
    return task.name.replace("_", "-")


def _summary(task: Task) -> str:
    return (inspect.getdoc(task.body) or "").split("\n", 1)[0].rstrip(".")


def _rows(values: Iterable[Argument]) -> list[tuple[str, str]]:
    return [(_spelling(value), _meaning(value)) for value in values if value.help]


def _spelling(value: Argument) -> str:
    option = value.option if isinstance(value, Value) else None
    metavar = ""
    if value.takes_value and not value.optional:
        kinds = {int: "N", float: "N"}
        metavar = (option and option.value) or kinds.get(value.kind) or "VALUE"
        if option and option.choices:
            metavar = "|".join(option.choices) if len("|".join(option.choices)) < 22 else "NAME"
    if value.positional:
        return metavar if option and option.value else str(value.names[0]).upper()
    short = "".join(f"-{name}, " for name in value.names[1:] if len(name) == 1)
    return f"{short}--{value.names[0]} {metavar}".rstrip()


def _meaning(value: Argument) -> str:
    text = str(value.help)
    option = value.option if isinstance(value, Value) else None
    if option and option.choices and len("|".join(option.choices)) >= 22:
        text += f": {', '.join(option.choices)}"
    if value.default in {None, "", False} or not isinstance(value.default, str | int | float):
        return text
    shown = f"{value.default:g}" if isinstance(value.default, float) else str(value.default)
    return f"{text}; default: {shown}"
