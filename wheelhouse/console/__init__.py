"""What does the program say while it works, and how does a table fit where it is read?"""

from wheelhouse.console.speaking import (
    Loudness,
    as_json,
    command,
    loudness,
    result,
    say,
    set_loudness,
    show,
    show_error,
    show_json,
    show_prose,
    stderr,
    stdout,
    warn,
    warnings_said,
)
from wheelhouse.console.tables_that_fit import Column, OneLine, Table
from wheelhouse.console.working import Task, phase, remark, task

__all__ = [
    "Column",
    "Loudness",
    "OneLine",
    "Table",
    "Task",
    "as_json",
    "command",
    "loudness",
    "phase",
    "remark",
    "result",
    "say",
    "set_loudness",
    "show",
    "show_error",
    "show_json",
    "show_prose",
    "stderr",
    "stdout",
    "task",
    "warn",
    "warnings_said",
]
