"""What `invoke` and `inv` start in an environment with dml-wheelhouse: our front door in its checkout.

Invoke's own command answers `--version` and `--help` before it has looked at any tasks.py, and outside a checkout has
no idea. In a folder with somebody else's tasks.py it is Invoke's own that runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from front.door import signals


def main() -> None:
    """Run what was typed."""
    signals.while_importing()
    from wheelhouse import streams
    from wheelhouse.paths import ROOT

    streams.settle()
    tasks = nearest_tasks(Path.cwd())
    if tasks is None:
        _nowhere(ROOT)
    elif tasks.parent == ROOT:
        _ours(ROOT)
    else:
        from invoke.main import program

        signals.heed(ours=False)
        program.run()


def _nowhere(root: Path) -> None:
    if sys.argv[1:] in (["--version"], ["-V"]):
        from front.door.program import version_line
        from wheelhouse.console import show

        show(version_line())
        return
    from front.door.ending import fail
    from wheelhouse.errors import UsageError

    signals.heed()
    place = f"cd {root}" if (root / "tasks.py").is_file() else "clone it, and `pip install -e .` in the clone"
    raise SystemExit(fail(UsageError("There is no tasks.py here or above.", remedy=f"Run it in the checkout: {place}")))


def nearest_tasks(folder: Path) -> Path | None:
    """Return the tasks.py that Invoke would take from `folder`: there, or in the nearest folder above."""
    found = (parent / "tasks.py" for parent in (folder.resolve(), *folder.resolve().parents))
    return next((path for path in found if path.is_file()), None)


def _ours(root: Path) -> None:
    sys.path.insert(0, str(root))
    import tasks
    from front.door.program import FrontDoor

    signals.heed()
    FrontDoor(tasks.namespace).run(sys.argv)
