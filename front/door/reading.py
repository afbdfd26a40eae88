"""What was typed, read strictly: nothing starts before every word of it has been understood.

In place of Invoke's state machine, which guesses: it takes `--help` for a prompt, a missing value for none, and the
last of two values. What comes out is what Invoke's own parser returns.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from invoke.parser import Parser, ParseResult
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext

from front.door.declaring import Task, Value
from wheelhouse.errors import UsageError, nearest

HELP = ("-h", "--help")


@dataclass(kw_only=True)
class _Reading:
    """Where the reading stands: the words still to come, the task that they belong to, what it was given."""

    ahead: list[str]
    context: ParserContext
    given: set[str] = field(default_factory=set)
    literal: bool = False


class StrictParser(Parser):
    """Invoke's parser, with the core's options allowed anywhere and every doubt an error."""

    def __init__(self, contexts: Sequence[ParserContext], initial: ParserContext, tasks: dict[str, Task]) -> None:
        super().__init__(contexts, initial)
        self.core = initial
        self.tasks = tasks

    def parse_argv(self, argv: list[str]) -> ParseResult:
        """Return the core's context and one for each task. Raise UsageError for anything not understood."""
        result = ParseResult([self.core])
        for word in argv:
            if any(0xD800 <= ord(character) <= 0xDFFF for character in word):
                remedy = "Rename the file, or the folder that it is in: what is made of it could not name it."
                raise UsageError(f"'{word}' is not UTF-8.", remedy=remedy)
        if self._wants_help(argv):
            return result
        at = _Reading(ahead=list(argv), context=self.core)
        while at.ahead:
            typed = at.ahead.pop(0)
            if at.literal or typed == "-" or not typed.startswith("-"):
                self._word(at, typed, result)
            elif typed == "--":
                at.literal = True
            elif typed.startswith("--"):
                self._long(at, typed)
            else:
                self._short(at, typed)
        self._complete(at)
        return result

    def _wants_help(self, argv: Sequence[str]) -> bool:
        """Whether help is wanted, which comes before everything; of what, the core's own option then says."""
        tokens = list(argv)[: argv.index("--")] if "--" in argv else list(argv)
        words = [token for token in tokens if not token.startswith("-")]
        asked = next((i for i, token in enumerate(tokens) if token in HELP), None)
        if asked is None and words[:1] != ["help"]:
            return False
        wanted = [word for word in words if word != "help"]
        self.core.args["help"].set_value(self._task_name(wanted[0]) if wanted else True, cast=False)
        return True

    def _task_name(self, word: str) -> str:
        if word not in self.tasks:
            close = nearest(word, self.tasks)
            remedy = close if close.startswith("Did") else "`invoke --list` shows the tasks."
            raise UsageError(f"There is no task '{word}'.", remedy=remedy)
        return word

    def _word(self, at: _Reading, word: str, result: ParseResult) -> None:
        if at.context is self.core:
            self._enter(at, word, result)
            return
        waiting = [value for value in at.context.positional_args if value.names[0] not in at.given]
        rest = self.tasks[str(at.context.name)].rest
        if waiting:
            self._take(at, waiting[0], word, word)
        elif rest:
            self._take(at, at.context.args[rest], word, word)
        elif word in self.tasks and not at.context.positional_args and not at.literal:
            self._complete(at)
            self._enter(at, word, result)
        else:
            raise self._unexpected(at.context, word)

    def _enter(self, at: _Reading, word: str, result: ParseResult) -> None:
        at.context = copy.deepcopy(self.contexts[self._task_name(word)])
        at.given = {name for name in at.given if name.startswith("core ")}
        result.append(at.context)

    def _unexpected(self, context: ParserContext, word: str) -> UsageError:
        values = list(context.args.values())
        lists = [value.flag for value in values if value.kind is list and value.value]
        if context.positional_args:
            first = context.positional_args[0]
            whole = f"{first.value} {word}"
            remedy = f"Put quotation marks around all of it: invoke {context.name} '{whole} …'."
        elif lists:
            remedy = f"For more than one, repeat {lists[0]}, or put commas between them."
        else:
            close = nearest(f"--{word}", [value.flag for value in values])
            remedy = close if close.startswith("Did") else _help_of(context)
        return UsageError(f"{context.name} does not know what to do with '{word}'.", remedy=remedy)

    def _long(self, at: _Reading, token: str) -> None:
        flag, equals, text = token.partition("=")
        inverse = at.context.inverse_flags.get(flag)
        value = self._known(at, inverse or flag)
        if not value.takes_value:
            if equals:
                raise UsageError(f"{flag} takes no value, and '{text}' was given.", remedy=_help_of(at.context))
            self._once(at, value, flag)
            value.set_value(inverse is None, cast=False)
        elif value.optional:
            self._once(at, value, flag)
            value.set_value(text or True, cast=False)
        else:
            self._take(at, value, text if equals else self._next(at, value), flag)

    def _short(self, at: _Reading, token: str) -> None:
        flag, text = token[:2], token[2:].removeprefix("=")
        value = self._known(at, flag)
        if value.takes_value and not value.optional:
            self._take(at, value, text if len(token) > 2 else self._next(at, value), flag)
            return
        self._once(at, value, flag)
        value.set_value(True, cast=False)
        if text:
            at.ahead.insert(0, f"-{text}")

    def _known(self, at: _Reading, flag: str) -> Argument:
        for context in (at.context, self.core):
            if flag in context.flags:
                found: Argument = context.flags[flag]
                return found
        known = [name for context in (at.context, self.core) for name in context.flags if name.startswith("--")]
        close = nearest(flag, known)
        owner = "invoke" if at.context is self.core else f"invoke {at.context.name}"
        raise UsageError(
            f"`{owner}` has no option {flag}.", remedy=close if close.startswith("Did") else _help_of(at.context)
        )

    def _next(self, at: _Reading, value: Argument) -> str:
        """Return the next token as a value: never an option, which would be a value forgotten."""
        following = at.ahead[0] if at.ahead else "--"
        number = value.kind in {int, float} and re.match(r"-[\d.]", following)
        if following.startswith("-") and following != "-" and not number:
            return ""
        return at.ahead.pop(0)

    def _once(self, at: _Reading, value: Argument, flag: str, text: str = "") -> None:
        name = value.names[0] if value in at.context.args.values() else f"core {value.names[0]}"
        if name in at.given and value.kind is not list:
            before = f": '{value.value}' and '{text}'" if text else ""
            raise UsageError(f"{flag} was given twice{before}.", remedy="Give it once.")
        at.given.add(name)

    def _take(self, at: _Reading, value: Argument, text: str, flag: str) -> None:
        """Store one value of an option, or a word. Raise UsageError for one of the wrong kind."""
        label = value.names[0].upper() if value.positional else flag if flag.startswith("-") else value.names[0]
        if not text.strip():
            raise UsageError(f"A value is required for {label}.", remedy=_help_of(at.context))
        self._once(at, value, label, text)
        parts = [text]
        if value.kind is list and not (isinstance(value, Value) and value.option.verbatim):
            parts = [part.strip() for part in text.split(",") if part.strip()]
        for part in parts:
            value.set_value(_checked(value, label, part), cast=value.kind is list)

    def _complete(self, at: _Reading) -> None:
        missing = [value for value in at.context.positional_args if value.names[0] not in at.given]
        if missing:
            names = " and ".join(value.names[0].upper() for value in missing)
            raise UsageError(f"`invoke {at.context.name}` needs {names}.", remedy=_help_of(at.context))


def _help_of(context: ParserContext) -> str:
    named = f"invoke {context.name}" if context.name else "invoke"
    return f"`{named} --help` says what it takes."


def _checked(value: Argument, label: str, text: str) -> str | int | float:
    """Return the text as what the option takes. Raise UsageError where it is not that."""
    number = _number(value, label, text) if value.kind in {int, float} else None
    option = value.option if isinstance(value, Value) else None
    if number is not None:
        if option is not None and option.least is not None and number < option.least:
            raise UsageError(f"Invalid value '{text}' for {label}: it must be at least {option.least:g}.")
        return number
    if option is None or not option.choices:
        return text.lower() if option is not None and option.lower else text
    found = [choice for choice in option.choices if choice.casefold() == text.casefold()]
    if not found:
        known = ", ".join(option.choices)
        close = nearest(text.lower(), option.choices)
        hint = close if close.startswith("Did") else ""
        raise UsageError(f"Invalid value '{text}' for {label}: it takes {known}.", remedy=hint)
    return found[0]


def _number(value: Argument, label: str, text: str) -> int | float:
    whole = value.kind is int
    try:
        number = value.kind(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        kind = "a whole number" if whole else "a number"
        raise UsageError(f"Invalid value '{text}' for {label}: it takes {kind}.")
    return int(number) if whole else float(number)
