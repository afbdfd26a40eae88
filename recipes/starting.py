"""`invoke recipe-new`: the start of a recipe, which loads as it is and names what most people want to change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from recipes.spec.load import FOLDER, load, locate, merged
from wheelhouse.errors import InputError, UsageError
from wheelhouse.files import write_atomic
from wheelhouse.paths import display
from wheelhouse.unpacking import not_for_windows

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_CHANGED = {"onnxruntime": ("version", "api-version", "build-flags"), "genai": ("version", "requires")}
"""The keys of a part that are written out, beside its source's tag."""


def start(name: str, *, base: str, out: str = "") -> str:
    """Write the start of a recipe that extends `base`, as recipes/NAME.toml or to `out`; return what to do next.

    Raise UsageError for a name that cannot be one or a base that compiles nothing, InputError for a file that is there.
    """
    if not _NAME.fullmatch(name) or not_for_windows(name):
        raise UsageError(
            f"'{name}' cannot be a recipe's name.",
            remedy="Take lower-case letters, digits, dots, dashes; no device of Windows'.",
        )
    if load(base).genai is None:
        raise UsageError(f"The recipe '{base}' compiles nothing.", remedy="Start from --base dml, or --base cpu.")
    file = Path(out).expanduser() if out else FOLDER / f"{name}.toml"
    if file.exists():
        raise InputError(f"{display(file)} is there already.", remedy="Take another name, or edit it.")
    write_atomic(file, text(name, base))
    spec = name if file.parent.resolve() == FOLDER else str(file)
    return (
        f"{display(file)}: as '{base}' until you change it.\n"
        f"`invoke build --recipe {spec} --plan` says what it would run."
    )


def text(name: str, base: str) -> str:
    """Return the start: `extends`, and in comments the values of the base that are changed most often."""
    content = merged(locate(base))
    lines = [
        f"# What differs from {base}.toml; what is left out is as there. Its keys: recipe.schema.json.",
        "",
        f"extends = {_toml(base)}",
        f"description = {_toml(f'{name}: {base}, changed')}",
        *(f"# {key} = {_toml(content[key])}" for key in ("targets", "pythons") if key in content),
    ]
    for part, keys in _CHANGED.items():
        lines += ["", f"[{part}]"]
        lines += [f"# {key} = {_toml(content[part][key])}" for key in keys if key in content[part]]
        lines.append(f"# source = {{ tag = {_toml(content[part]['source']['tag'])} }}")
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # text, numbers and arrays of text are written alike in TOML
