"""What the documents name is there: files, links, tasks and their options."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from wheelhouse.paths import ROOT

DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.yml")),
]
TEXTS = [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in DOCUMENTS]
PLACEHOLDER = re.compile(r"[A-Z]{4}|[*…<{]")
OWN = ("recipes", "smoke", "wheelhouse", "tests", "docs", "third_party", ".ci", ".github")
MADE = ("third_party/",)


def code(text: str) -> list[str]:
    """Return everything that a document sets as code, line by line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    indented = re.findall(r"^(?: {4}|\t)(\S.*)$", text, re.MULTILINE)
    return [*(line for block in blocks for line in block.splitlines()), *inline, *indented]


@cache
def options() -> dict[str, set[str]]:
    from invoke.collection import Collection

    import tasks

    contexts = Collection.from_module(tasks).to_contexts()
    return {str(context.name): {*context.flags, *context.inverse_flags, "--help"} for context in contexts}


def missing_files(text: str) -> set[str]:
    words = {word.rstrip(".") for line in code(text) for word in re.findall(r"[\w./-]+", line)}
    named = {word for word in words if word.startswith(tuple(f"{name}/" for name in OWN))}
    return {w for w in named if not PLACEHOLDER.search(w) and not w.startswith(MADE) and not (ROOT / w).exists()}


def dead_links(text: str, document: Path) -> list[str]:
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.partition("#")
        place = document.parent / target if target else document
        if "://" in link or link.startswith("mailto:"):
            continue
        if not place.exists() or (anchor and anchor not in anchors(place)):
            found.append(link)
    return found


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def unknown_commands(text: str) -> list[str]:
    found = []
    for line in code(text):
        for command in re.findall(r"(?<![\w.-])invoke ([^|;&#`]*)", line):
            name, *rest = command.split()
            if name.startswith("-") or PLACEHOLDER.search(name):
                continue
            given = {word.partition("=")[0].rstrip(",.)'\"") for word in rest if re.match(r"--\w", word)}
            if name not in options() or given - options()[name]:
                found.append(command)
    return found


@pytest.mark.parametrize("document", TEXTS)
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert missing_files(text) == set()
    assert dead_links(text, document) == []
    assert unknown_commands(text) == []


def test_faults_would_be_found() -> None:
    text = """
See [this](docs/gone.md), [that](docs/ci.md#no-such-part), [it](docs/ci.md#verify),
`smoke/gone.py` and `recipes/spec/load.py`.

```console
$ invoke smoke --no-such-option    # or `invoke audit --strict`
```

    invoke no-such-task
"""
    assert missing_files(text) == {"smoke/gone.py"}
    assert dead_links(text, ROOT / "README.md") == ["docs/gone.md", "docs/ci.md#no-such-part"]
    assert [command.split()[0] for command in unknown_commands(text)] == ["smoke", "no-such-task"]
    assert sum(text.count("invoke ") for text in map(Path.read_text, DOCUMENTS)) > 100


@pytest.mark.parametrize("document", TEXTS)
def test_what_is_to_be_typed_can_be_typed_in_powershell(document: Path) -> None:
    """There `$PWD` has backslashes and a drive: in an address it makes none."""
    assert not re.search(r"file:/+(\$PWD|%CD%|\$\(pwd\))", document.read_text(encoding="utf-8"))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200
