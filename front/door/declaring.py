"""How a task is declared: a function whose parameters are its options, each explained in `options.py`.

`name: str` is a word that must be given; `name: list[str]` may be repeated; anything with a default is an option of the
default's type. `rest` names the list that takes all further words; `texts` says what an option means in this task only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, overload

from invoke.parser.argument import Argument
from invoke.tasks import Task as InvokeTask

from front.door.options import OPTIONS, Option

Body = Callable[..., object]


class Value(Argument):
    """One of a task's values: Invoke's argument, with what `options.py` says of it."""

    def __init__(self, option: Option, **given: Any) -> None:
        super().__init__(**given)
        self.option = option

    @property
    def flag(self) -> str:
        """Its long name on the command line."""
        return f"--{self.names[0]}"


class Task(InvokeTask):  # type: ignore[type-arg] # Invoke's stub names a type variable that means nothing
    """A task as Invoke knows it, whose values know what they are."""

    def __init__(self, body: Body, *, rest: str = "", texts: Mapping[str, Option | str] | None = None) -> None:
        super().__init__(body, positional=[], auto_shortflags=False)
        self.rest = rest
        self.texts = dict(texts or {})
        for name, parameter in self.argspec(body).parameters.items():
            if name not in self.texts and name not in OPTIONS:
                raise TypeError(f"{self.name}: say in front/door/options.py what {parameter} means")

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 - Invoke's name
        """Return the values in the order in which they are declared."""
        return [self._value(p) for p in self.argspec(self.body).parameters.values()]

    def _value(self, parameter: inspect.Parameter) -> Value:
        name, default = parameter.name, parameter.default
        option = self._option(name)
        several = str(parameter.annotation).startswith("list[")
        required = default is inspect.Parameter.empty and not several
        return Value(
            option,
            names=(name.replace("_", "-"), *([option.short] if option.short else [])),
            attr_name=name if "_" in name else None,
            kind=list if several else str if required else type(default),
            default=None if required or several else default,
            help=option.text,
            positional=required,
        )

    def _option(self, name: str) -> Option:
        said = self.texts.get(name, "")
        return said if isinstance(said, Option) else replace(OPTIONS[name], text=said) if said else OPTIONS[name]


@overload
def task(body: Body) -> Task: ...
@overload
def task(*, rest: str = "", texts: Mapping[str, Option | str] | None = None) -> Callable[[Body], Task]: ...
def task(body: Body | None = None, **given: Any) -> Any:
    """Declare a task: `@task`, or `@task(rest="wheel", texts={"out": "…"})`."""
    return Task(body) if body is not None else lambda function: Task(function, **given)
