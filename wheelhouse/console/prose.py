"""Sentences on a terminal: broken between words, never within a command that is to be copied."""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import TextIO

_COMMAND = re.compile(r"`[^`]+`")
_STUCK = "\ue000"
"""Stands for the spaces of a command while its line is broken: a character that nobody uses."""
LOG = re.compile(r"\s*[|+] ")
"""How a line of a log begins that is quoted: it stays as it is."""


def fitted(text: str, stream: TextIO) -> str:
    """Return a text for `stream`: as it is, or on a terminal with its lines broken where that ends."""
    return broken(text, shutil.get_terminal_size().columns) if stream.isatty() else text


def broken(text: str, columns: int) -> str:
    """Return a text with no line longer than so many columns, unless a word or a command is."""
    return "\n".join(_broken(line, columns) for line in text.split("\n"))


def _broken(line: str, columns: int) -> str:
    if len(line) <= columns or LOG.match(line):
        return line
    indent = line[: len(line) - len(line.lstrip())]
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _STUCK) if len(found[0]) <= columns else found[0], line)
    lines = textwrap.wrap(whole, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_STUCK, " ")
