"""Which wheels are meant by what somebody typed: files, folders, patterns, several of them between commas."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from wheelhouse.errors import InputError
from wheelhouse.files import by_name
from wheelhouse.paths import display


def wheels_meant(given: Sequence[str]) -> list[Path]:
    """Return the wheels, each once. Raise InputError for a text that stands for none."""
    return list(dict.fromkeys(path for text in given for path in _expand(text)))


def all_wheels(folder: Path) -> list[Path]:
    """Return the wheels in a folder. Raise InputError when there are none."""
    found = sorted(folder.glob("*.whl"), key=by_name)
    if not found:
        raise InputError(
            f"There are no wheels in {display(folder)}.",
            remedy="`invoke build-dml` builds some; or name one: `invoke audit FILE.whl`.",
        )
    return found


def _expand(text: str) -> Iterator[Path]:
    """Yield what one text stands for; a name with a comma in it is taken as it is where there is such a file."""
    path = Path(text).expanduser()
    if path.is_dir():
        yield from all_wheels(path)
    elif path.exists():
        yield path
    elif "," in text:
        for part in text.split(","):
            yield from _expand(part.strip()) if part.strip() else ()
    else:
        # A pattern such as `wheels/*cp312*` matches a wheel's .metadata too, which is none.
        names = glob.glob(str(path), recursive=True)  # noqa: PTH207 - the pattern may be absolute
        found = sorted((Path(name) for name in names if name.endswith(".whl")), key=by_name)
        if not found:
            raise InputError(f"There is no wheel {text}.", remedy="Check the path, or the pattern if it is one.")
        yield from found
