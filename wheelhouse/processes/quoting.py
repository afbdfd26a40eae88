"""Arguments as a person would type them: into a POSIX shell, into Windows' cmd, or into PowerShell."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Literal

Shell = Literal["posix", "cmd", "powershell"]

_CMD_SPECIAL = frozenset(' \t"&|<>^()%!,;=')


def own_shell() -> Shell:
    """Return the shell that what we print is likely typed into: on Windows cmd sets PROMPT, and git's bash MSYSTEM."""
    if os.name == "posix":
        return "posix"
    if "PROMPT" in os.environ:
        return "cmd"
    return "posix" if "MSYSTEM" in os.environ else "powershell"


def quote(argument: str, shell: Shell) -> str:
    """Quote one argument as a person would type it into the given shell."""
    if shell == "posix":
        return shlex.quote(argument)
    if shell == "powershell":
        plain = argument and all(c.isalnum() or c in "-_./\\:=+" for c in argument)
        # What starts with a dash is cut in two at its first dot or after its first colon (PowerShell#6291, #6292).
        plain = plain and not (argument.startswith("-") and set(".:").intersection(argument))
        return argument if plain else "'" + argument.replace("'", "''") + "'"
    if argument and not _CMD_SPECIAL.intersection(argument):
        return argument
    return subprocess.list2cmdline([argument]) if " " in argument or not argument else f'"{argument}"'
