"""A fault may be the cache's: what the run was made of is read then, and what was damaged there is made again."""

from __future__ import annotations

from smoke.report.results import Report
from smoke.running import goldens, run
from smoke.running.clock import Clock
from smoke.running.smoke_request import Request
from wheelhouse import manifests
from wheelhouse.console import say, task, warn
from wheelhouse.errors import WheelhouseError


def smoke(request: Request, *, verify: bool = False) -> Report:
    """Run what was asked for; when something went wrong and the cache was damaged, mend it and run once more.

    With `verify`, everything is read before it is used, whether something goes wrong or not.
    """
    with manifests.verifying(verify):
        report = run.smoke(request)
    if verify or report.passed or not _mended(request):
        return report
    say("The faults may come from that damage: everything runs once more.")
    return run.smoke(request)


def _mended(request: Request) -> bool:
    """Read all that the run was made of, and make again what was damaged; return whether there was such a thing."""
    with task("looking for damage in the cache, as something failed"), manifests.doubting() as found:
        try:
            goldens.drop_damaged()
            run.prepared(run.without_idle(request), Clock())
        except WheelhouseError as error:
            warn(f"{error.message} {error.remedy}".strip())
            return False
    for what in found:
        warn(f"{what}: made again.")
    return bool(found)
