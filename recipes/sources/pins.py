"""What was learnt on first fetch: the commit behind a tag, the SHA-256 behind a URL; verified ever after.

The lock file lies beside the recipe (`NAME.lock.json`) so that it can be committed with it.
"""

from __future__ import annotations

import json
from pathlib import Path

from wheelhouse.console import say
from wheelhouse.errors import InputError, IntegrityError
from wheelhouse.files import write_atomic
from wheelhouse.locks import locked


class Pins:
    """The lock file of one recipe; `known` never writes, `learn` writes new knowledge and refuses a contradiction."""

    def __init__(self, recipe_file: Path) -> None:
        self.file = recipe_file.with_suffix(".lock.json")

    def known(self, what: str) -> str | None:
        """Return what is recorded for `what` ("REPOSITORY tag NAME" or a URL), or None."""
        return self._read().get(what)

    def learn(self, what: str, value: str) -> None:
        """Record `value` for `what`. Raise IntegrityError when something else is recorded."""
        with locked(self.file):
            content = self._read()
            old = content.get(what)
            if old == value:
                return
            if old is not None:
                raise IntegrityError(
                    f"{what} is now {value}, but {old} was recorded in {self.file.name}: it has moved.",
                    remedy=f"If upstream moved it on purpose, remove that entry from {self.file} and run again.",
                )
            write_atomic(self.file, json.dumps(content | {what: value}, indent=1, sort_keys=True) + "\n")
        say(f"{what} is {value}: recorded in {self.file.name}, verified from now on")

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise InputError(f"{self.file} is not valid JSON ({error}).", remedy="Restore or remove it.") from error
        if not isinstance(content, dict):
            raise InputError(f"{self.file} is not a JSON object.", remedy="Restore or remove it.")
        return {str(k): str(v) for k, v in content.items()}
