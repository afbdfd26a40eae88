"""Who may know whom: wheelhouse/ is the base, recipes/ stands on it, smoke/ on both, and tasks.py on all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheelhouse.paths import ROOT

ABOVE = {"wheelhouse": {"recipes", "smoke", "tasks"}, "recipes": {"smoke", "tasks"}, "smoke": {"tasks"}}


def imported(file: Path) -> Iterator[str]:
    """Yield the packages that a file imports, those inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", ABOVE)
def test_no_package_imports_one_above_it(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert {str(f.relative_to(ROOT)): up for f in files if (up := ABOVE[package].intersection(imported(f)))} == {}
