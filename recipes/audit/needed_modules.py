"""Which modules a package cannot be imported without, by the syntax of its Python files; nothing in them is run."""

from __future__ import annotations

import ast
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

_LARGEST = 200_000
_TOP_LEVEL = re.compile(r"[^/]+/[^/]+\.py")
_ONE_TREE = threading.Lock()
"""CPython 3.11 counts the depth of all threads' syntax trees in one place, and takes another's for its own fault."""
_BROUGHT = {
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cv2": ("opencv-",),
    "google": ("protobuf", "google-", "googleapis-"),
    "grpc": ("grpcio",),
    "pil": ("pillow",),
    "pkg-resources": ("setuptools",),
    "crypto": ("pycryptodome",),
    "pythoncom": ("pywin32",),
    "pywintypes": ("pywin32",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "win32api": ("pywin32",),
    "win32con": ("pywin32",),
}
"""Distributions whose modules are called quite otherwise: what their names begin with."""


def needed_modules(texts: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Yield the file and the module, for each that the import of a package in `texts` fails without.

    That is what is looked for with find_spec and whose absence raises, and what is imported at once: at the outermost
    level of a package's __init__.py, or of a module that this imports in turn.
    """
    files = {path: raw for path, raw in sorted(texts.items()) if _TOP_LEVEL.fullmatch(path) and len(raw) <= _LARGEST}
    trees: dict[str, ast.Module] = {}
    reached = [path for path in files if path.endswith("/__init__.py")]
    for path, raw in files.items():
        if b"find_spec" in raw:
            yield from ((path, module) for module in sorted(_looked_for(_tree(path, files, trees))))
    for path in reached:  # grows while it is gone through
        for module, inside in _imports(path, _tree(path, files, trees)):
            if module and module not in sys.stdlib_module_names:
                yield path, module
            reached += [other for other in inside if other in files and other not in reached]


def brings(distributions: set[str], module: str) -> bool:
    """Say whether one of these distributions (by their canonical names) is known for a module, or sounds like it."""
    name = module.replace("_", "-").lower()
    usual = {name, f"py{name}", f"python-{name}", f"{name}-python", f"{name}3"}
    begins = (f"{name}-", *_BROUGHT.get(name, ()))
    return any(each in usual or each.startswith(begins) for each in distributions)


def _tree(path: str, files: Mapping[str, bytes], trees: dict[str, ast.Module]) -> ast.Module:
    if path not in trees:
        try:
            with _ONE_TREE:
                trees[path] = ast.parse(files[path])
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            trees[path] = ast.Module(body=[], type_ignores=[])
    return trees[path]


def _imports(path: str, tree: ast.Module) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield outermost modules that are imported whatever the case, and the package's own files that may be meant."""
    package = path.split("/", maxsplit=1)[0]
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], _files(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.level < 2:
            outer = ".".join(filter(None, (package if node.level else "", node.module or "")))
            inside = [file for alias in node.names for file in _files(f"{outer}.{alias.name}")]
            yield ("" if node.level else outer.split(".")[0]), [*_files(outer), *inside]


def _files(module: str) -> list[str]:
    return [f"{module.replace('.', '/')}.py"]


def _looked_for(tree: ast.Module) -> set[str]:
    """Return the modules that are looked for with find_spec and whose absence raises."""
    found: set[str] = set()
    looked_for: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (module := _find_spec(node.value)):
            looked_for |= {t.id: module for t in node.targets if isinstance(t, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and any(isinstance(part, ast.Raise) for part in node.body):
            names = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
            found |= {looked_for[name] for name in names & looked_for.keys()}
            found |= {module for n in ast.walk(node.test) if (module := _find_spec(n))}
    return found


def _find_spec(node: ast.AST) -> str:
    """Return the module of a call of find_spec with a constant, "" for anything else."""
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return ""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    value = node.args[0].value
    return value.split(".")[0] if name == "find_spec" and isinstance(value, str) else ""
