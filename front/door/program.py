"""Invoke's Program as ours: the same tasks, with our help, strict reading, and errors that are for people.

`tasks.py` ends in `opened(…)`. Whatever Invoke was started by (`invoke`, `inv`, `python -m invoke`), from there on this
program has the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from invoke import main as stock
from invoke.collection import Collection
from invoke.completion.complete import complete, print_completion_script
from invoke.parser import Parser, ParseResult
from invoke.parser.argument import Argument
from invoke.program import Program
from invoke.util import enable_logging

from front.door import helping
from front.door.declaring import Task
from front.door.ending import ended, fail
from front.door.reading import StrictParser
from wheelhouse import streams
from wheelhouse.console import show
from wheelhouse.errors import UsageError
from wheelhouse.paths import ROOT

Groups = Mapping[str, Sequence[Task]]


class Namespace(Collection):
    """All tasks, which also know their groups."""

    def __init__(self, groups: Groups) -> None:
        super().__init__(*(task for tasks in groups.values() for task in tasks))
        self.groups = groups


def opened(tasks_file: str, groups: Groups) -> Namespace:
    """Return the tasks of `groups` as Invoke's namespace; where Invoke is loading it, do what was typed, and exit.

    Exits as well when `tasks_file` belongs to another checkout than this code, which would act on its own.
    """
    if stock.program.argv:
        streams.settle()
    here = Path(tasks_file).resolve().parent
    if here != ROOT:
        raise SystemExit(
            fail(
                UsageError(
                    f"This `invoke` belongs to the checkout {ROOT}, and the tasks to {here}.",
                    remedy=f"Use the environment of {here} (`pip install -e .` in it makes one), or go to {ROOT}.",
                )
            )
        )
    namespace = Namespace(groups)
    if stock.program.argv:  # Invoke's own command is running
        FrontDoor(namespace).run(stock.program.argv)
        raise SystemExit(0)
    return namespace


class FrontDoor(Program):
    """What the command line does, from the words to the exit code."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(namespace=namespace, name="dml-wheelhouse", binary="invoke", binary_names=["invoke", "inv"])
        self.collection = self.scoped_collection = namespace
        self.groups = namespace.groups

    def core_args(self) -> list[Argument]:
        """Return the options that concern no task: of Invoke's own, those that mean something here."""
        return [
            Argument(names=("help", "h"), kind=str, optional=True, help="say what a task takes; comes before all else"),
            Argument(names=("list", "l"), kind=bool, default=False, help="list the tasks"),
            Argument(names=("list-format",), default="flat"),
            Argument(names=("version", "V"), kind=bool, default=False, help="print the version"),
            Argument(names=("dry", "R"), kind=bool, default=False, help="as --plan, for the tasks that have it"),
            Argument(names=("quiet", "q"), kind=bool, default=False, help="only results, warnings and errors"),
            Argument(names=("verbose", "v"), kind=bool, default=False, help="every command as it would be typed, too"),
            Argument(names=("debug", "d"), kind=bool, default=False, help="show where in the code an error arose"),
            Argument(names=("print-completion-script",), help="print the tab completion for bash, zsh or fish"),
            Argument(names=("complete",), kind=bool, default=False),
        ]

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:  # noqa: A002 - Invoke's name
        """Do what was typed; unless `exit` is False, leave the process with the exit code where it is not 0."""
        self.normalize_argv(argv)
        code = ended(self._perform, debug="--debug" in self.argv or "-d" in self.argv)
        if exit and code:
            sys.exit(code)

    def _perform(self) -> None:
        if self.argv[1:2] == ["--complete"]:
            self._complete()
            return
        self.parse_tasks()
        if self._said():
            return
        self.create_config()
        self.config.merge()
        self.execute()

    def parse_tasks(self) -> None:
        """Read the whole command line. Raise UsageError for whatever in it cannot be done."""
        contexts = self.collection.to_contexts()
        tasks = {str(context.name): self.collection[str(context.name)] for context in contexts}
        self.parser = StrictParser(contexts, self.initial_context, tasks)
        result = self.parser.parse_argv(self.argv[1:])
        self.core = ParseResult(result[:1])
        self.tasks = ParseResult(result[1:])
        self._set_loudness()
        if self.args["dry"].value:
            for context in self.tasks:
                if "plan" not in context.args:
                    raise UsageError(f"--dry: {context.name} cannot say beforehand what it would do.")
                context.args["plan"].set_value(True, cast=False)

    def _set_loudness(self) -> None:
        quiet, verbose = self.args["quiet"].value, self.args["verbose"].value
        if quiet and verbose:
            raise UsageError("--quiet and --verbose contradict each other.", remedy="Give one of the two.")
        if quiet or verbose:
            from wheelhouse.console import Loudness, set_loudness

            set_loudness(Loudness.QUIET if quiet else Loudness.VERBOSE)

    def _said(self) -> bool:
        """Answer what asks for text only; return whether anything did."""
        wanted = self.args["help"].value
        if self.args["debug"].value:
            enable_logging()
        if isinstance(wanted, str):
            self.print_task_help(wanted)
        elif wanted:
            self.print_help()
        elif self.args["version"].value:
            self.print_version()
        elif self.args["print-completion-script"].value:
            print_completion_script(shell=self.args["print-completion-script"].value, names=self.binary_names)
        elif self.args["list"].value or not self.tasks:
            self._list()
        else:
            return False
        return True

    def _list(self) -> None:
        form = self.args["list-format"].value
        if form == "json":
            self.list_root, self.list_depth = None, None
            self.list_json()
        elif form in {"flat", "nested"}:
            show(helping.tasks_text(self.groups, helping.width()))
        else:
            raise UsageError(f"Invalid value '{form}' for --list-format: it takes flat, nested, json.")

    def print_help(self) -> None:
        """Print what the program is, its tasks and the options of all of them."""
        show(helping.program_text(self.groups, self.initial_context, helping.width()))

    def print_task_help(self, name: str) -> None:
        """Print what one task does and takes."""
        show(helping.task_text(self.collection[name], self.parser.contexts[name], helping.width()))

    def print_version(self) -> None:
        """Print our version, then Invoke's and Python's."""
        show(version_line())

    def _complete(self) -> None:
        core = ParseResult([self.initial_context])
        core.remainder = " ".join(self.argv[3:])
        parser = Parser(contexts=self.collection.to_contexts(), initial=self.initial_context)
        complete(self.binary_names, core, self.initial_context, self.collection, parser)


def version_line() -> str:
    """Return the versions of dml-wheelhouse, Invoke and Python in one line."""
    from importlib.metadata import version

    python = ".".join(map(str, sys.version_info[:3]))
    return f"dml-wheelhouse {version('dml-wheelhouse')} (Invoke {version('invoke')}, Python {python})"
