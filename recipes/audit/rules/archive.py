"""Rules about the ZIP itself; what they report is found while the wheel is opened and read."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.audit.findings import REGISTRY, Family, Finding, Severity
from recipes.audit.readers.wheel import Wheel
from recipes.audit.readers.zip_archive import unsafe_name
from recipes.audit.surroundings import Context
from wheelhouse.unpacking import not_for_windows

_FAMILY = Family(title="The archive")

_FAMILY.rule(
    "archive-broken",
    Severity.ERROR,
    "The archive can be read",
    "The file is a ZIP whose directory, members and checksums are whole. A truncated or damaged wheel fails in the "
    "middle of an installation.",
    "Download or build the wheel again, and compare its SHA-256 with the published one.",
)
_FAMILY.rule(
    "archive-unchecked",
    Severity.ERROR,
    "Every check comes to its end",
    "A wheel is read within limits of time, memory and size, and what it holds must not make a check fail. What is "
    "beyond the limits, or breaks a check, was not looked at: nothing is known about it.",
    "Do not install this wheel unless you know why it is like that; a wheel that is merely large can be audited by the "
    "tools of its platform (auditwheel, delvewheel).",
)
_FAMILY.rule(
    "archive-header",
    Severity.ERROR,
    "Directory and local headers agree",
    "Every member is described twice in a ZIP. Where the two differ, where members overlap, or where bytes belong to "
    "no member, different tools unpack different files from the same wheel.",
    "Build the wheel again with a standard tool; do not install this one.",
)
_FAMILY.rule(
    "archive-path",
    Severity.ERROR,
    "Paths stay inside the wheel",
    "No member has an absolute path, a '..', a backslash, a drive letter, control characters or an empty part in its "
    "path.",
    "Do not install this wheel; whoever made it must use relative paths with '/'.",
)
WINDOWS_NAME = _FAMILY.rule(
    "archive-windows-name",
    Severity.ERROR,
    "Windows can keep every file by its name",
    "In a wheel that Windows may get, no part of a path is a device (CON, NUL, aux.txt, COM1…), ends with a dot or a "
    'space, or has one of `<>:"|?*` in it: such files are lost there, get another name, or end the installation.',
    "Rename the file in the project and build the wheel again.",
)
_FAMILY.rule(
    "archive-duplicate",
    Severity.ERROR,
    "Every path occurs once",
    "Two members with one path, or with paths that differ in upper and lower case only, overwrite each other; on "
    "Windows always, elsewhere depending on the tool.",
    "Build the wheel again into an empty folder.",
)
_FAMILY.rule(
    "archive-link",
    Severity.ERROR,
    "No links and no special files",
    "A symbolic link can lead out of the environment; wheels cannot portably carry one, nor devices or pipes.",
    "Put the file itself into the wheel.",
)
_FAMILY.rule(
    "archive-bomb",
    Severity.ERROR,
    "Sizes are sane",
    "No member unpacks to far more than compression of real files gives (150 times, above 16 MiB; all such members "
    "together 256 MiB), and the whole stays below 8 GiB. Such members are not unpacked by the audit.",
    "Do not install this wheel.",
)
_FAMILY.rule(
    "archive-method",
    Severity.ERROR,
    "Members are stored or deflated, and not encrypted",
    "Every pip can unpack those two methods; others need optional modules or newer Pythons.",
    "Build the wheel again with DEFLATE.",
)


def reading_problems(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Report what went wrong while the wheel was opened and read."""
    for problem in wheel.problems:
        yield REGISTRY[problem.rule].finding(wheel.file, problem.message, where=problem.member)


def windows_names(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Report names that a wheel for Windows, or for any system, cannot have."""
    if any(platform == "any" or platform.startswith("win") for platform in wheel.platforms):
        for name in wheel.members:
            if not unsafe_name(name) and (why := not_for_windows(name.removesuffix("/"))):
                yield WINDOWS_NAME.finding(wheel.file, f"cannot lie on Windows by this name: {why}", where=name)


CHECKS = (reading_problems, windows_names)
