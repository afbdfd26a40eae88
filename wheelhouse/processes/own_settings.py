"""Which of the user's settings reach what we start: where packages come from, not what is done with them.

pip and scikit-build-core read options from variables; some of them break our commands or change the wheels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath, PureWindowsPath
from urllib.parse import quote

_PIP_SOURCES = frozenset(
    {
        "PIP_CACHE_DIR", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_DEFAULT_TIMEOUT", "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_KEYRING_PROVIDER", "PIP_NO_CACHE_DIR", "PIP_NO_INDEX", "PIP_PROXY",
        "PIP_RETRIES", "PIP_TIMEOUT", "PIP_TRUSTED_HOST", "PIP_USE_DEPRECATED", "PIP_USE_FEATURE",
    }
)  # fmt: skip
"""pip's variables that say where packages are and how to get there."""


def reaches(name: str) -> bool:
    """Return whether an inherited variable reaches what we start."""
    upper = name.upper()  # Windows' names have no case
    if upper.startswith("PIP_"):
        return upper in _PIP_SOURCES
    return not upper.startswith("SKBUILD_")


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that reach what we start."""
    return {name: value for name, value in environment.items() if reaches(name)}


def for_pip(path: PurePath) -> str:
    """Return a file or folder as pip takes it: in a plain path a semicolon would begin a marker, a bracket an extra."""
    if not set(str(path)) & set(";[]#@"):
        return str(path)
    if isinstance(path, Path):
        return path.absolute().as_uri()
    # Of another system, in a plan: only paths of this one know their addresses.
    text = quote(path.as_posix(), safe="/:" if isinstance(path, PureWindowsPath) else "/")
    return f"file:{'' if text.startswith('//') else '//' if text.startswith('/') else '///'}{text}"
