"""Model folders that bring Python code of their own although transformers has had the architecture for long.

The guide's export command says `--trust-remote-code`, and then the model's code wins over the library's. Phi-3's is of
early 2024: optimum-intel's int4 export does not find it a second time, and generation calls methods of transformers'
caches that are gone (huggingface/transformers#36071). The library's own class reads the same weights.
"""

from __future__ import annotations

import json
from pathlib import Path

from smoke.models.check.folder_facts import Facts
from smoke.models.model import Model
from wheelhouse.errors import UnsupportedError
from wheelhouse.files import by_name, link_or_copy, sha256_file, write_atomic

FOLDER = ".model"
_CONFIGURATIONS = ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json")
"""Files that may name classes in code (`auto_map`)."""


def runs(model: Model, python: Path) -> bool:
    """Say whether the code that a model brings is run: only where there is no other way, and the user said so.

    The answer is the same for every backend and export; `python` is that of the environment with transformers. Raise
    UnsupportedError where the code would be needed and is not trusted, or is not in the folder.
    """
    if not model.facts.own_code or is_dispensable(model.facts, python):
        return False
    named = "; ".join(f"{what}: {where}" for what, where in model.facts.own_code.items())
    if "--" in named:
        raise UnsupportedError(
            f"The code of {model.name} lies in another repository ({named}), of which nobody says which revision.",
            remedy="Put that code into the model's folder, and name it there without the repository.",
        )
    if not model.trusted:
        raise UnsupportedError(
            f"{model.name} brings Python code of its own ({named}), and the pinned transformers has no class for it.",
            remedy="Read that code. `--trust-remote-code` then runs it, for the reference and for every export.",
        )
    return True


def identity(model: Model) -> dict[str, str]:
    """Return the revision of a model that brings code, where it is known, and the SHA-256 of each of its files."""
    files = sorted((path for path in model.folder.rglob("*.py") if path.is_file()), key=by_name)
    hashes = {path.relative_to(model.folder).as_posix(): sha256_file(path) for path in files}
    revision = _revision(model.folder)
    return {**({"revision": revision} if revision else {}), **hashes}


def _revision(folder: Path) -> str:
    try:
        found = json.loads((folder / "commit.json").read_text(encoding="utf-8"))["commit"]
    except (OSError, ValueError, KeyError, TypeError):
        found = folder.name if folder.parent.name == "snapshots" else ""  # as the hub's own cache calls it
    return str(found)


def is_dispensable(facts: Facts, python: Path) -> bool:
    """Say whether the transformers beside `python` has a model's class itself: then no code is needed."""
    kind = facts.family
    if not kind.isidentifier():
        return False
    packages = (*python.parent.parent.glob("lib/python*/site-packages"), python.parent.parent / "Lib" / "site-packages")
    sources = [folder / "transformers" / "models" / kind / f"modeling_{kind}.py" for folder in packages]
    text = next((source.read_text(encoding="utf-8") for source in sources if source.is_file()), "")
    return f"class {facts.architecture}(" in text


def without(model: Path, folder: Path) -> Path:
    """Return a folder below `folder` with the files of `model` (links where possible), without code or names of it."""
    made = folder / FOLDER
    made.mkdir()
    for path in sorted(model.rglob("*"), key=by_name):
        relative = path.relative_to(model)
        if not path.is_file() or path.suffix == ".py" or any(part.startswith(".") for part in relative.parts):
            continue
        target = made / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        content = _nameless(path)
        if content is None:
            link_or_copy(path, target)
        else:
            write_atomic(target, content)
    return made


def _nameless(path: Path) -> str | None:
    """Return a configuration without the names of classes in code; None where it names none."""
    if path.name not in _CONFIGURATIONS:
        return None
    config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or "auto_map" not in config:
        return None
    return json.dumps({name: value for name, value in config.items() if name != "auto_map"}, indent=2) + "\n"
