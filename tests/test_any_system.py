"""What works on one system only, in our code and in the tests: found by reading, before it fails on another machine.

Windows has another encoding for text files, refuses to rename what a virus scanner has open, sorts paths without case,
has a shell that knows no single quotes, and lacks some of Python's modules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from wheelhouse.paths import ROOT

OURS = [ROOT / "tasks.py"]
OURS += [file for name in ("front", "recipes", "smoke", "wheelhouse") for file in (ROOT / name).rglob("*.py")]
TESTS = list((ROOT / "tests").rglob("*.py"))
POSIX_ONLY = frozenset({"fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"})
FOR_LINUX = ("smoke/wine/", "tests/smoke/wine/", "front/benching/")
"""What is never imported on Windows."""
OPENING_BYTES = frozenset({"archive", "os", "tarfile", "webbrowser", "Image"})
"""Whose `open` knows no encoding: what is in a zip file is bytes, whatever the mode."""
RETRYING = ("wheelhouse/files.py", "smoke/worker/worker_dump.py", "smoke/models/converters/")
"""The helper that waits for a file that is held, and what runs in other Pythons, without it."""

Rule = Callable[[ast.Call], str]


def _name(call: ast.Call) -> str:
    """Return what is called: the attribute's or the function's name."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _of(call: ast.Call) -> str:
    """Return whose attribute is called, where that is a plain name."""
    return getattr(call.func.value, "id", "") if isinstance(call.func, ast.Attribute) else ""


def _keywords(call: ast.Call) -> dict[str | None, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords}


def without_encoding(call: ast.Call) -> str:
    """A text file, or a process's text, in the system's own encoding."""
    name, keywords = _name(call), _keywords(call)
    if {"encoding", None} & keywords.keys():
        return ""
    if name in {"run", "Popen", "check_output"} and {"text", "universal_newlines"} & keywords.keys():
        return "text=True"
    if name in {"read_text", "write_text"}:
        return name if len(call.args) == (name == "write_text") else ""
    if name == "fdopen" or (name == "open" and _of(call) not in OPENING_BYTES):
        places = call.args[0 if isinstance(call.func, ast.Attribute) and name == "open" else 1 :]
        mode = keywords.get("mode", places[0] if places else ast.Constant("r"))
        text = isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" not in mode.value
        return name if text and len(places) < 3 else ""
    return ""


def with_the_systems_line_ends(call: ast.Call) -> str:
    """A text file that Windows would write with other line ends: other bytes, and another hash."""
    name, keywords = _name(call), _keywords(call)
    if {"newline", None} & keywords.keys():
        return ""
    if name == "write_text":
        return name
    places = call.args[0 if isinstance(call.func, ast.Attribute) and name == "open" else 1 :]
    mode = keywords.get("mode", places[0] if places else None)
    written = isinstance(mode, ast.Constant) and isinstance(mode.value, str) and set(mode.value) & set("wax+")
    text = written and isinstance(mode, ast.Constant) and "b" not in str(mode.value)
    return name if text and name in {"open", "fdopen"} and not _of(call).startswith(("zip", "tar")) else ""


def impatient(call: ast.Call) -> str:
    """A rename or a removal that fails where another program has the file open."""
    name, whose = _name(call), _of(call)
    if (name == "replace" and len(call.args) == 1 and not call.keywords) or name in {"rename", "rmtree"}:
        return name
    return f"shutil.{name}" if (whose, name) == ("shutil", "move") else ""


def in_a_language(call: ast.Call) -> str:
    """A number or a day as people of one country write it: a comma in decimals, other names of months."""
    first = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
    if _name(call) == "strftime" and re.search("%[aAbBcpxX]", str(first)):
        return f"strftime {first}"
    return f"locale.{_name(call)}" if _of(call) == "locale" and _name(call) != "getencoding" else ""


def orphaned(call: ast.Call) -> str:
    """A process that outlives us where we are killed."""
    return "Popen" if (_of(call), _name(call)) == ("subprocess", "Popen") else ""


def unordered(call: ast.Call) -> str:
    """Paths in the system's own order."""
    if _name(call) != "sorted" or "key" in _keywords(call):
        return ""
    parts = [node for argument in call.args for node in ast.walk(argument)]
    listed = {_name(node) for node in parts if isinstance(node, ast.Call)} & {"glob", "rglob", "iterdir"}
    element = call.args[0].elt if isinstance(call.args[0], ast.GeneratorExp | ast.SetComp) else None
    is_text = isinstance(element, ast.Attribute) and element.attr in {"name", "stem"}
    return f"sorted {listed.pop()}" if listed and not is_text else ""


def for_one_shell(call: ast.Call) -> str:
    """What is quoted for a POSIX shell, whatever the user has."""
    return f"shlex.{_name(call)}" if _of(call) == "shlex" and _name(call) in {"join", "quote"} else ""


@cache
def read(file: Path) -> tuple[ast.Module, list[ast.Call]]:
    """Return a module, and all calls in it."""
    module = ast.parse(file.read_text(encoding="utf-8"))
    return module, [node for node in ast.walk(module) if isinstance(node, ast.Call)]


def found(file: Path, rule: Rule) -> Iterator[str]:
    """Yield each place in a file that a rule speaks of."""
    for call in read(file)[1]:
        if what := rule(call):
            yield f"{file.relative_to(ROOT).as_posix()}:{call.lineno}: {what}"


def everywhere(rule: Rule, files: list[Path], *spared: str) -> list[str]:
    """Return all places in these files but those whose path begins with a spared one."""
    return [place for file in sorted(files) for place in found(file, rule) if not place.startswith(spared or ("?",))]


def test_every_text_has_its_encoding() -> None:
    assert everywhere(without_encoding, OURS + TESTS, "smoke/wine/inside/") == []


def test_what_is_written_has_the_same_bytes_everywhere() -> None:
    read_once = ("wheelhouse/process.py", "smoke/worker/", "smoke/heal/norms/", "smoke/comparing/elsewhere/")  # no hash
    assert everywhere(with_the_systems_line_ends, OURS, *read_once, "smoke/wine/", "front/benching/") == []
    streams = [place for place in everywhere(with_the_systems_line_ends, OURS) if place.endswith("fdopen")]
    assert streams == []  # an answer that is piped on


def test_renames_and_removals_wait_for_who_holds_the_file() -> None:
    assert everywhere(impatient, OURS, *RETRYING, "smoke/wine/", "front/benching/") == []


def test_what_is_started_ends_with_us() -> None:
    allowed = ("wheelhouse/process.py", "wheelhouse/processes/orphans.py", "smoke/comparing/elsewhere/", "smoke/wine/")
    assert everywhere(orphaned, OURS, *allowed) == []


def test_paths_have_the_same_order_everywhere() -> None:
    apart = ("smoke/worker/", "smoke/models/converters/", "smoke/comparing/elsewhere/")
    apart += ("wheelhouse/machine/host_linux.py",)
    assert everywhere(unordered, OURS, *apart, *FOR_LINUX) == []


def test_what_is_printed_to_be_typed_is_quoted_for_the_users_shell() -> None:
    quoting = ("wheelhouse/processes/quoting.py", "wheelhouse/process.py", "recipes/building/zig.py")
    assert everywhere(for_one_shell, OURS, *quoting, "smoke/wine/") == []


def test_modules_that_windows_lacks_are_imported_where_they_are_used_only() -> None:
    wrong = []
    for file in OURS + TESTS:
        place = file.relative_to(ROOT).as_posix()
        for node in read(file)[0].body:
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if names & POSIX_ONLY and not place.startswith(FOR_LINUX):
                wrong.append(f"{place}: {names & POSIX_ONLY}")
    assert wrong == []


def test_numbers_and_days_are_written_in_no_language() -> None:
    assert everywhere(in_a_language, OURS) == []


@pytest.mark.parametrize(
    ("rule", "wrong", "right"),
    [
        (without_encoding, 'open("x")', 'open("x", "rb")'),
        (without_encoding, 'open("x", mode="w")', 'open("x", "w", encoding="utf-8")'),
        (without_encoding, "path.open()", 'path.open("wb")'),
        (without_encoding, 'path.open("a")', "archive.open(member)"),
        (without_encoding, 'path.open("w")', 'archive.open("x", "w")'),
        (without_encoding, "path.read_text()", 'distribution.read_text("RECORD")'),
        (without_encoding, 'path.write_text("x")', 'path.write_text("x", encoding="utf-8")'),
        (without_encoding, 'os.fdopen(handle, "w")', 'os.fdopen(handle, "wb")'),
        (without_encoding, "subprocess.run(argv, text=True)", "subprocess.run(argv, capture_output=True)"),
        (with_the_systems_line_ends, 'path.write_text("x", encoding="utf-8")', 'path.write_text("x", newline="\\n")'),
        (with_the_systems_line_ends, 'path.open("a", encoding="utf-8")', 'path.open(encoding="utf-8")'),
        (with_the_systems_line_ends, 'open(path, "w")', 'zipfile.ZipFile(path, "w")'),
        (impatient, "partial.replace(place)", 'text.replace("a", "b")'),
        (impatient, "path.rename(other)", "structs.replace(record, name=1)"),
        (impatient, "shutil.rmtree(folder)", "remove_tree(folder)"),
        (impatient, "shutil.move(one, other)", "move(one, other)"),
        (in_a_language, 'locale.setlocale(locale.LC_ALL, "")', "locale.getencoding()"),
        (in_a_language, 'now.strftime("%d %b %Y")', 'now.strftime("%Y-%m-%d")'),
        (orphaned, "subprocess.Popen(argv)", "start_with_us(argv)"),
        (unordered, 'sorted(folder.glob("*"))', 'sorted(folder.glob("*"), key=by_name)'),
        (unordered, "sorted(p for p in folder.iterdir() if p)", "sorted(p.name for p in folder.iterdir())"),
        (for_one_shell, "shlex.join(words)", "shlex.split(line)"),
    ],
)  # fmt: skip
def test_faults_would_be_found(rule: Rule, wrong: str, right: str) -> None:
    calls = [ast.parse(text, mode="eval").body for text in (wrong, right)]
    assert [bool(rule(call)) for call in calls if isinstance(call, ast.Call)] == [True, False]
