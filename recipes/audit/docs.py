"""Generate docs/audit.md from the rules: `python -m recipes.audit.docs` writes it, a test compares."""

from __future__ import annotations

import itertools

from recipes.audit import rules  # noqa: F401 - declares the rules
from recipes.audit.findings import REGISTRY, Rule
from wheelhouse.files import write_atomic
from wheelhouse.paths import ROOT

PATH = ROOT / "docs" / "audit.md"

_HEAD = """\
<!-- Generated from recipes/audit/rules by `python -m recipes.audit.docs`. Do not edit. -->

# `invoke audit`

A wheel is checked before anybody installs it, on any system, without installing it.

```console
$ invoke audit                                   # everything in wheels/
$ invoke audit -- a.whl b.whl                    # these files; folders and patterns too
$ invoke audit --wheel 'dist/*.whl' --json       # the same, for a program
$ invoke audit --sarif audit.sarif               # and for GitHub's or GitLab's code scanning, Azure DevOps, editors
$ invoke audit --pair -- genai.whl runtime.whl   # two wheels as one installation
$ invoke audit --explain -- a.whl                # what is in it, where it came from, why each rule exists
```

| exit code | when |
|---|---|
| 0 | no error was found; warnings and infos do not count |
| 12 | an error was found, or with `--strict` a warning; everything was still printed, and `--sarif` written |
| 2 | the command line is wrong (`--pair` without two wheels, an unknown option) |
| 4 | a named wheel is not there, or there is none in `wheels/` |
| 9 | the file of `--sarif` cannot be written |

SARIF has every rule with its id, which never changes its meaning, and for each finding the wheel's path and the file
inside it. An error, a warning and an info are `error`, `warning` and `note` there.

Requirements are looked up
through pip, so your mirrors and proxies are honoured; `--offline` leaves that out, and `--index URL|FOLDER` asks one
index more. In Python: `recipes.audit.audit_wheels(paths)` returns the findings, `require_clean(findings)` raises.

A wheel is read as an untrusted archive: in pieces, within fixed limits, never unpacked into a folder. Wheels that this
project builds (they carry `provenance.json`) are held to a few rules more than others'.

There are {count} rules. An **error** must not be shipped, a **warning** should be looked at, an **info** is a fact to
know.
"""


def render() -> str:
    """Return docs/audit.md as the rules have it."""
    parts = [_HEAD.replace("{count}", str(len(REGISTRY)))]
    for family, members in itertools.groupby(REGISTRY.values(), key=lambda rule: rule.family):
        parts.append(f"## {family}\n")
        parts += [_section(rule) for rule in members]
    return "\n".join(parts)


def _section(rule: Rule) -> str:
    return (
        f"### `{rule.id}` ({rule.severity.value})\n\n**{rule.title}.** {rule.explanation}\n\n*Remedy:* {rule.remedy}\n"
    )


if __name__ == "__main__":
    write_atomic(PATH, render())
