"""The bridge between Invoke and the functions it calls: expected failures become one paragraph and an exit code."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, overload

from invoke.exceptions import Exit
from invoke.tasks import task as invoke_task

from wheelhouse.errors import WheelhouseError


def _explained(body: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(body)
    def call(*args: Any, **kwargs: Any) -> object:
        try:
            result = body(*args, **kwargs)
            sys.stdout.flush()
        except WheelhouseError as error:
            raise Exit(f"error: {error}", code=error.exit_code) from error
        except KeyboardInterrupt:
            raise Exit("interrupted: what was finished is kept, the next run goes on from there", code=130) from None
        except BrokenPipeError:  # `invoke doctor | head`: the reader has seen enough, and Python must not flush again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=141) from None
        return result

    return call


@overload
def task(body: Callable[..., object]) -> Callable[..., object]: ...
@overload
def task(**options: Any) -> Callable[[Callable[..., object]], Callable[..., object]]: ...
def task(body: Callable[..., object] | None = None, **options: Any) -> Any:
    """Declare an Invoke task (same options as `invoke.task`) whose WheelhouseErrors are printed, not traced."""
    if body is not None:
        return invoke_task(_explained(body), **options)
    return lambda function: invoke_task(_explained(function), **options)


def split(values: Iterable[str]) -> tuple[str, ...]:
    """Return what a repeatable option was given, with commas too: `--python 3.12,3.13 --python 3.14` are three."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())
