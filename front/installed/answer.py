"""`invoke doctor --python PATH`: the answer as text, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from front.installed.environment_layout import find
from front.installed.judging import Verdict, judge
from front.installed.reading_files import Contents, read


def look_into(path: Path, *, as_json: bool) -> str:
    """Return what is to be said of the environment at `path`. Raise InputError when there is none."""
    contents = read(find(path))
    verdict = judge(contents)
    return _json(contents, verdict) if as_json else "\n".join(_text(contents, verdict))


def _text(contents: Contents, verdict: Verdict) -> Iterator[str]:
    places = contents.places
    machine = verdict.winner.facts.machine if verdict.winner else ""
    system = ("Windows" if places.windows else "not Windows", f"Python {places.python or '?'}", machine)
    yield f"Environment    {places.root} ({', '.join(filter(None, system))})"
    yield f"Packages       {contents.site}"
    for flavour in contents.flavours:
        yield f"Installed      {flavour.label}, as the Python package {flavour.module}"
    if not contents.flavours:
        yield "Installed      no onnxruntime, no GenAI"
    yield from _winner(verdict)
    for name, file in verdict.runtime.items():
        unseen = "nowhere" if places.system32 else "not in the environment; its Windows cannot be seen from here"
        yield f"VC runtime     {name}: {file or unseen}"
    yield ""
    for problem in verdict.problems:
        yield f"✗ {problem.what} [{problem.id}]"
        yield f"    {problem.remedy}"
    if not verdict.problems:
        yield "✓ Nothing clashes." if contents.flavours else "There is nothing to clash."


def _winner(verdict: Verdict) -> Iterator[str]:
    winner = verdict.winner
    if winner is None:
        return
    api = f"ORT API {winner.api or 'unknown'}"
    provider = "with DirectML" if winner.directml else "without DirectML"
    whose = winner.owner.label if winner.owner else "no distribution here"
    yield f"Wins           {winner.file}: {winner.why}; of {whose}; {provider}, {api}"
    if verdict.genai is not None and verdict.genai.api_compiled is not None:
        yield f"GenAI          asks for ORT API {verdict.genai.api_compiled.value or 'unknown'}"
    for other in verdict.others:
        yield f"Loses          {other}, unless the program loads it first"


def _json(contents: Contents, verdict: Verdict) -> str:
    winner = verdict.winner
    document: dict[str, Any] = {
        "schema": 1,
        "environment": str(contents.places.root),
        "packages": str(contents.site),
        "windows": contents.places.windows,
        "python": contents.places.python,
        "installed": [{"package": f.module, "name": f.name, "version": f.version} for f in contents.flavours],
        "winner": winner
        and {
            "file": str(winner.file),
            "why": winner.why,
            "of": winner.owner.label if winner.owner else None,
            "machine": winner.facts.machine,
            "directml": winner.directml,
            "ort_api": winner.api,
        },
        "others": [str(path) for path in verdict.others],
        "vc_runtime": {name: str(file) if file else None for name, file in verdict.runtime.items()},
        "problems": [{"id": p.id, "what": p.what, "remedy": p.remedy} for p in verdict.problems],
    }
    return json.dumps(document, indent=1)
