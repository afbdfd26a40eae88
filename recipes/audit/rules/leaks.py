"""Rules about what should not leave the build machine: paths, debug files, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.readers.wheel import Member, Wheel
from recipes.audit.surroundings import Context

_FAMILY = Family(title="Leaks")

_SERVICES = frozenset({
    "appveyor", "azureuser", "buildagent", "buildbot", "builder", "buildkite-agent", "circleci", "cloudtest", "conda",
    "containeradministrator", "containeruser", "distiller", "ec2-user", "gitpod", "jenkins", "public", "runner",
    "runneradmin", "travis", "vagrant", "vssadministrator", "vsts", "vsts_azpcontainer",
})  # fmt: skip
_EXAMPLES = frozenset(
    {"alice", "bob", "foo", "me", "myname", "name", "someone", "you", "user", "username", "your_name"}
)
_DEBUG_NAME = re.compile(
    r"\.(pdb|ilk|dwp|dwo|dmp|obj|debug)$|(^|/)core(\.\d+)?$|\.dSYM/|(^|/)__pycache__/", re.IGNORECASE
)

PATHS = _FAMILY.rule(
    "leaked-path",
    Severity.WARNING,
    "No paths of the build machine",
    "Home folders of people (C:\\Users\\NAME, /home/NAME, /Users/NAME) in libraries and data files tell who built the "
    "wheel, and make two builds differ. Accounts of build services and placeholders are not reported.",
    "Build in a neutral folder, or map the path away: MSVC /d1trimfile and /PDBALTPATH:%_PDB%, GCC and Clang "
    "-ffile-prefix-map, Rust --remap-path-prefix.",
)
ROOTS = _FAMILY.rule(
    "leaked-build-folder",
    Severity.WARNING,
    "No trace of the folder it was built in",
    "The build passes its own folders to the audit; a library that contains one differs from a build elsewhere.",
    "Map the folder away as for `leaked-path`.",
)
DEBUG = _FAMILY.rule(
    "debug-file",
    Severity.WARNING,
    "No debug and temporary files",
    "Program databases, object files, core dumps and compiled caches make the wheel large and tell about the build "
    "machine.",
    "Leave them out of the wheel; publish debug symbols separately.",
)
SECRET = _FAMILY.rule(
    "secret",
    Severity.ERROR,
    "No secrets",
    "Private keys and access tokens, recognised by their form. What is published once is known.",
    "Revoke the secret now, then remove the file and build the wheel again.",
)


def leaks(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Report what reading the members found, one finding for each file and kind."""
    for path, member in sorted(wheel.members.items()):
        if _DEBUG_NAME.search(path):
            yield DEBUG.finding(wheel.file, "is a debug or temporary file", where=path)
        for kind in sorted({t.kind for t in member.traces if t.kind not in ("path", "root")}):
            yield SECRET.finding(wheel.file, f"contains {kind}", where=path)
        yield from _paths(wheel, member)


def _paths(wheel: Wheel, member: Member) -> Iterator[Finding]:
    debug_path = wheel.binaries[member.path].debug_path if member.path in wheel.binaries else ""
    roots = sorted({t.text for t in member.traces if t.kind == "root"})
    if roots:
        yield ROOTS.finding(wheel.file, f"contains the build folder {roots[0]}", where=member.path)
        return
    persons = [t for t in member.traces if t.kind == "path" and t.user.lower() not in _SERVICES | _EXAMPLES]
    if persons:
        more = f" and {len(persons) - 1} more" if len(persons) > 1 else ""
        source = " (the name of its debug database)" if persons[0].text in debug_path else ""
        yield PATHS.finding(wheel.file, f"contains {persons[0].text}{source}{more}", where=member.path)


CHECKS = (leaks,)
