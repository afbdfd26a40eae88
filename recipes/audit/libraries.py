"""Where an imported library may come from: the declared lists of `windows.toml` and auditwheel's policies."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import msgspec

from wheelhouse import strict_toml
from wheelhouse.files import by_name

_PYTHON = re.compile(r"(?:python(\d)(\d+t?)?\.dll|libpython(\d)\.(\d+t?)(?:\.so)?[.\d]*)$", re.IGNORECASE)
_RUNTIME = re.compile(r"(?:msvcp140|vcruntime140|concrt140|vccorlib140|vcomp140)(?:_\w+)?\.dll$", re.IGNORECASE)
_GLIBC_LOADER = re.compile(r"ld-linux[\w-]*\.so\.\d+$|ld64\.so\.\d+$")


class Libraries(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The lists of `windows.toml`; names are in lower case except those of Linux."""

    system: frozenset[str]
    api_sets: tuple[str, ...]
    driver: frozenset[str]
    at_run_time: frozenset[str]
    needs_windows: dict[str, int]
    provided: dict[str, tuple[str, ...]]


@cache
def declared() -> Libraries:
    """Return the declared lists."""
    return strict_toml.load(Path(__file__).with_name("windows.toml"), Libraries)


def is_system(name: str) -> bool:
    """Say whether Windows itself, a driver or Python supplies the DLL."""
    lists, lower = declared(), name.lower()
    return (
        lower in lists.system or lower.startswith(lists.api_sets) or lower in lists.driver or bool(_PYTHON.match(name))
    )


def beyond_python(name: str) -> bool:
    """Say whether the DLL is of the Visual C++ runtime, and not one of the two that Python itself carries."""
    return is_runtime(name) and name.lower() not in ("vcruntime140.dll", "vcruntime140_1.dll")


def is_runtime(name: str) -> bool:
    """Say whether the DLL belongs to the Visual C++ runtime, which neither Windows nor every Python carries."""
    return bool(_RUNTIME.match(name))


def is_loader(name: str) -> bool:
    """Say whether it is the loader of glibc, which is always there."""
    return bool(_GLIBC_LOADER.match(name))


def python_of(name: str) -> str:
    """Return the Python that a library belongs to: "312", "313t", "3" for the stable ABI, "" for others."""
    found = _PYTHON.match(name)
    return "".join(part or "" for part in found.groups()) if found else ""


class Policy(msgspec.Struct, frozen=True):
    """A manylinux or musllinux level: allowed symbol versions by architecture and library, and allowed libraries."""

    name: str
    aliases: list[str]
    priority: int
    symbol_versions: dict[str, dict[str, list[str]]]
    lib_whitelist: list[str]


@cache
def policies() -> dict[str, Policy]:
    """Return auditwheel's manylinux and musllinux policies by name and alias, from its data files alone.

    auditwheel's own code runs on Linux only; these wheels are audited anywhere.
    """
    from importlib.util import find_spec

    found: dict[str, Policy] = {}
    spec = find_spec("auditwheel")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        for path in sorted(Path(folder, "policy").glob("*linux*-policy.json"), key=by_name):
            for raw in json.loads(path.read_text(encoding="utf-8")):
                policy = msgspec.convert(raw, Policy, strict=False)
                found |= dict.fromkeys([policy.name, *policy.aliases], policy)
    return found


@cache
def linux_system() -> frozenset[str]:
    """Return the libraries that every Linux with glibc or musl has, by auditwheel's policies."""
    return frozenset(name for policy in policies().values() for name in policy.lib_whitelist)


def is_linux_system(name: str) -> bool:
    """Say whether the system, a driver or Python supplies the shared library."""
    known = name in linux_system() or name in declared().driver
    return known or bool(_GLIBC_LOADER.match(name)) or bool(_PYTHON.match(name))
