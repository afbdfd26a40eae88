"""The house: which wing may know which, how large a folder and a module may grow, and that wings say what they are."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheelhouse.paths import ROOT

PACKAGES = ("front", "recipes", "smoke", "wheelhouse")
APART = (
    "smoke/worker",
    "smoke/models/converters",
    "smoke/heal/norms",
    "smoke/narrowing/graphs",
    "smoke/wine/inside",
    "smoke/comparing/elsewhere",
)
"""Folders that other Pythons run: nothing of ours from outside may be imported there."""
STARTERS = {"smoke/models/converters/converter.py"}
"""What starts the scripts beside it."""
LIMIT = 250
SIDE_BY_SIDE = 16


def imported(file: Path) -> Iterator[str]:
    """Yield the packages that a file imports, those inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


_LINT = """
import sys
sys.meta_path = [finder for finder in sys.meta_path if isinstance(finder, type)]
sys.path.insert(0, sys.argv.pop())
from importlinter.cli import lint_imports_command
lint_imports_command(["--no-cache"])
"""


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the packages in `folder`, with the contracts of the real pyproject.toml."""
    # Nothing but that folder may be found: the finder of an editable install would lead back to the checkout.
    argv = [sys.executable, "-c", _LINT, str(folder)]
    env = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False, encoding="utf-8")


def test_nothing_imports_what_is_above_it() -> None:
    done = contracts(ROOT)
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("wheelhouse/files.py", "import recipes.lanes", "Packages"),
        ("wheelhouse/files.py", "import wheelhouse.machine.host", "What this computer is"),
        ("recipes/bill/sbom.py", "import recipes.building.plan", "The wings of recipes"),
        ("smoke/parity/gates.py", "import smoke.backends.registry", "The wings of smoke"),
        ("smoke/backends/cuda.py", "import smoke.backends.registry", "No circles"),
    ],
)
def test_an_import_upwards_is_found(tmp_path: Path, file: str, line: str, broken: str) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a", encoding="utf-8") as stream:
        stream.write(f"\n{line}\n")
    done = contracts(tmp_path)
    assert done.returncode == 1, done.stdout
    assert [text for text in done.stdout.splitlines() if text.startswith(broken) and text.endswith("BROKEN")]


@pytest.mark.parametrize("folder", APART)
def test_what_other_pythons_run_imports_nothing_of_ours(folder: str) -> None:
    files = [file for file in sorted((ROOT / folder).rglob("*.py")) if file.name != "__init__.py"]
    assert files
    named = {str(file.relative_to(ROOT)): file for file in files}
    own = {name: up for name, file in named.items() if (up := {*PACKAGES, "tasks"}.intersection(imported(file)))}
    assert {name: up for name, up in own.items() if Path(name).as_posix() not in STARTERS} == {}


def test_no_folder_and_no_module_is_too_large_to_find_the_way_in() -> None:
    modules = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    folders: dict[str, int] = {}
    for module in modules:
        if module.name != "__init__.py" and "worker" not in module.parts:  # the worker is handed over as one folder
            name = module.parent.relative_to(ROOT).as_posix()
            folders[name] = folders.get(name, 0) + 1
    assert {name: count for name, count in folders.items() if count > SIDE_BY_SIDE} == {}
    lines = {m.relative_to(ROOT).as_posix(): len(m.read_text(encoding="utf-8").splitlines()) for m in modules}
    assert {name: count for name, count in lines.items() if count > LIMIT} == {}


def test_every_wing_says_what_it_answers() -> None:
    inits = [file for package in PACKAGES for file in (ROOT / package).rglob("__init__.py")]
    silent = [str(file) for file in inits if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))]
    assert silent == []
    folders = {m.parent for package in PACKAGES for m in (ROOT / package).rglob("*.py") if "worker" not in m.parts}
    assert {str(f) for f in folders if not (f / "__init__.py").is_file() and f not in _SCRIPTS} == set()


_SCRIPTS = {ROOT / "smoke" / "worker"}


def test_contributing_maps_every_wing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    wings = {f"{p}/{f.name}/" for p in PACKAGES for f in (ROOT / p).iterdir() if any(f.glob("*.py"))}
    assert {wing for wing in wings if f"`{wing}`" not in text} == set()


def test_every_file_that_contributing_names_is_there() -> None:
    """In a wing's row, within the wing; elsewhere by its path, from here or from a package, or by its bare name."""
    missing = []
    for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| \W*`([a-z_/]+)/`", line)
        for name in re.findall(r"`([\w./-]+\.(?:py|toml))`", line):
            if re.search("[A-Z]{4}", name):  # one for each NAME, FAMILY, GROUP
                continue
            by_path = any((ROOT / package / name).is_file() for package in ("", *PACKAGES))
            within = ROOT / (row[1] if row else "")
            by_name = "/" not in name and any(
                file for package in PACKAGES for file in (ROOT / package).rglob(name) if file.is_relative_to(within)
            )
            if not (by_path or by_name or (within / name).is_file()):
                missing.append(f"{name} in: {line}")
    assert missing == []


SAME_ROLE = {"commands", "suite"}
"""What several wings have, each its own: the tasks' bodies, a suite's run."""


def test_a_file_name_says_which_one_is_meant() -> None:
    apart = tuple(f"{folder}/" for folder in (*APART, "recipes/audit/rules"))  # rules are named after families
    found: dict[str, list[str]] = {}
    for module in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        name = module.relative_to(ROOT).as_posix()
        if not name.startswith(apart) and module.stem not in SAME_ROLE | {"__init__"}:
            found.setdefault(module.stem.removesuffix("s"), []).append(name)
    assert {stem: files for stem, files in found.items() if len(files) > 1} == {}
