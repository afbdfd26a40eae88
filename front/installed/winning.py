"""Which onnxruntime library GenAI gets in an environment: the order in which its loader and the system look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from front.installed.environment_layout import child
from front.installed.reading_files import Contents, Flavour, facts
from recipes.audit.readers.binary import Binary

_RUNTIME = "onnxruntime.dll"


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The onnxruntime library that GenAI gets: where it lies, of which distribution (None: nobody's), and its facts."""

    file: Path
    owner: Flavour | None
    facts: Binary
    why: str

    @property
    def directml(self) -> bool:
        """Whether it has the DirectML execution provider."""
        return self.facts.imported_from("DirectML.dll") is not None

    @property
    def api(self) -> int | None:
        """The newest ORT API that it offers."""
        if self.facts.api_offered is not None and self.facts.api_offered.value is not None:
            return self.facts.api_offered.value
        found = re.match(r"1\.(\d+)\.", self.owner.version if self.owner else self.facts.version)
        return int(found[1]) if found else None


def candidates(contents: Contents) -> Iterator[tuple[Path, str]]:
    """Yield every onnxruntime library in the order in which GenAI's own loader and the system take them, with why."""
    library = _RUNTIME if contents.places.windows else "libonnxruntime.so"
    held = {p.lower(): f for p, f in contents.libraries.items() if p.lower().rpartition("/")[2].startswith(library)}
    loads = (contents.site / "onnxruntime_genai" / "_dll_directory.py").is_file()
    folders = ("onnxruntime/capi/", "onnxruntime_genai/") if loads else ("onnxruntime_genai/", "onnxruntime/capi/")
    for folder in folders:
        why = "GenAI loads it by its path" if loads and folder == folders[0] else f"it lies in {folder}"
        yield from ((f, why) for p, f in held.items() if p.startswith(folder))
    if contents.places.windows:
        beside = ((contents.places.programs, "it lies beside python.exe"), (contents.places.system32, "Windows has it"))
        yield from ((f, why) for place, why in beside if place and (f := child(place, _RUNTIME)))


def winner_of(contents: Contents, found: Sequence[tuple[Path, str]]) -> Winner | None:
    """Return the first of the candidates."""
    if not found:
        return None
    file, why = found[0]
    path = next((p for p, f in contents.libraries.items() if f == file), file.name)
    return Winner(file=file, owner=contents.owner(path), facts=facts(path, file), why=why)
