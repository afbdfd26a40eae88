"""The environment that a wheel's tags stand for: enough to decide which requirements apply there, and to ask pip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from recipes.audit.readers.wheel import Wheel

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_NEWEST_PYTHON = "3.13"
_SYSTEMS = (
    (re.compile(r"win_?(amd64|arm64|32)$"), ("win32", "Windows", "nt")),
    (re.compile(r"macosx"), ("darwin", "Darwin", "posix")),
    (re.compile(r"linux"), ("linux", "Linux", "posix")),
)
_PROCESSORS = {"win_amd64": "AMD64", "win_arm64": "ARM64", "win32": "x86"}


def python_version(wheel: Wheel) -> str:
    """Return the Python that the wheel is for as "3.12"; a recent one when its tags name none."""
    for tag in sorted(map(str, wheel.named.tags)) if wheel.named else ():
        if found := re.match(r"cp(\d)(\d+)-", tag):
            return f"{found[1]}.{found[2]}"
    return _NEWEST_PYTHON


def platform(wheel: Wheel) -> str:
    """Return the first of the wheel's platform tags, "any" for none."""
    return min(wheel.platforms, default="any")


def applies(requirement: Requirement, wheel: Wheel) -> bool:
    """Say whether a requirement is needed on the wheel's platform and Python, without extras."""
    if requirement.marker is None:
        return True
    name, python = platform(wheel), python_version(wheel)
    environment = {"extra": "", "python_version": python, "python_full_version": f"{python}.0"}
    for pattern, (sys_platform, system, os_name) in _SYSTEMS:
        if pattern.search(name):
            environment |= {"sys_platform": sys_platform, "platform_system": system, "os_name": os_name}
    machine = _PROCESSORS.get(name) or next((m for m in ("x86_64", "aarch64", "arm64") if name.endswith(m)), "")
    if machine:
        environment["platform_machine"] = machine
    try:
        return requirement.marker.evaluate(environment)
    except (ValueError, KeyError):  # a marker about something that cannot be known from tags
        return True
