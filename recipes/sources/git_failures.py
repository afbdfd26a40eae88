"""What git's own words mean: which failure of a fetch is the network's, the pin's or a patch's."""

from __future__ import annotations

import re
from pathlib import Path

from recipes.spec.fetched import Source
from wheelhouse.errors import IntegrityError, NetworkError, RecipeError, StepFailedError, WheelhouseError

_NO_COMMIT = re.compile(r"not our ref|couldn't find remote ref|unadvertised object|no such remote ref|bad object")
_NO_PATCH = re.compile(r"patch does not apply|corrupt patch|patch failed|No valid patches")
_DOWNGRADE = re.compile(r"Protocol \"?http\"?,? .*disabled|transport 'http' not allowed")
_NO_NETWORK = re.compile(
    r"Could not resolve host|unable to access|Could not connect|Connection (?:timed out|refused|reset)"
    r"|does not appear to be a git repository|not found|Authentication failed|could not read Username|early EOF"
)


def explained(error: StepFailedError, source: Source, log: Path) -> WheelhouseError:
    """Return the error that says what failed and what to do; the same one where git's words are not known."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if _NO_PATCH.search(text):
        return RecipeError(
            f"A patch of the recipe does not fit {source.repository} at {source.pin}.",
            remedy="Make it again for this commit, or drop it if upstream has the change by now.",
            log=log,
        )
    if _DOWNGRADE.search(text):
        return NetworkError(
            f"{source.repository} redirects to an address that is not https.",
            remedy="It was not followed: look at the address, the proxy and the mirror.",
            log=log,
        )
    if _NO_COMMIT.search(text):
        return IntegrityError(
            f"{source.repository} has no {'commit ' + source.commit if source.commit else source.pin}.",
            remedy="Correct the pin in the recipe; a mirror may not be up to date.",
            log=log,
        )
    if _NO_NETWORK.search(text):
        return NetworkError(
            f"{source.repository} could not be fetched.",
            remedy="Check the network. Without access to the public host, give `--source-mirror URL|FOLDER` "
            "(a place with OWNER/NAME below it) or git's own url.*.insteadOf. What has been fetched is kept.",
            log=log,
        )
    return error
