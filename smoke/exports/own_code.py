"""Model folders that bring Python code of their own although transformers has had the architecture for long.

The guide's export command says `--trust-remote-code`, and then the model's code wins over the library's. Phi-3's is of
early 2024: optimum-intel's int4 export does not find it a second time, and generation calls methods of transformers'
caches that are gone (huggingface/transformers#36071). The library's own class reads the same weights.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from wheelhouse.files import write_atomic

FOLDER = ".model"


def is_dispensable(config: dict[str, Any], python: Path) -> bool:
    """Say whether a config.json names code of its own for a class that the transformers beside `python` has itself."""
    kind, classes = config.get("model_type"), config.get("architectures") or ()
    if not config.get("auto_map") or not isinstance(kind, str) or not kind.isidentifier():
        return False
    packages = (*python.parent.parent.glob("lib/python*/site-packages"), python.parent.parent / "Lib" / "site-packages")
    sources = [folder / "transformers" / "models" / kind / f"modeling_{kind}.py" for folder in packages]
    text = next((source.read_text(encoding="utf-8") for source in sources if source.is_file()), "")
    return bool(classes) and all(f"class {name}(" in text for name in classes)


def without(model: Path, config: dict[str, Any], folder: Path) -> Path:
    """Return a folder below `folder` with the files of `model` (links where possible), whose config names no code."""
    made = folder / FOLDER
    made.mkdir()
    for path in model.iterdir():
        if path.is_file() and path.name != "config.json" and not path.name.startswith("."):
            _link(path, made / path.name)
    plain = {name: value for name, value in config.items() if name != "auto_map"}
    write_atomic(made / "config.json", json.dumps(plain, indent=2) + "\n")
    return made


def _link(path: Path, target: Path) -> None:
    for attempt in (os.symlink, os.link, shutil.copyfile):  # Windows allows links to some users and volumes only
        try:
            attempt(path.resolve(), target)
        except OSError:
            if attempt is shutil.copyfile:
                raise
            continue
        return
