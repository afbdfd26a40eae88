"""What `invoke` and `inv` start in an environment with dml-wheelhouse: our front door in its checkout.

Invoke's own command answers `--version` and `--help` before it has looked at any tasks.py, and outside a checkout has
no idea. In a folder with somebody else's tasks.py it is Invoke's own that runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from wheelhouse import streams
from wheelhouse.console import show
from wheelhouse.errors import UsageError
from wheelhouse.paths import ROOT


def main() -> None:
    """Run what was typed."""
    streams.settle()
    tasks = nearest_tasks(Path.cwd())
    if tasks is None and sys.argv[1:] not in (["--version"], ["-V"]):
        from front.door.ending import fail

        place = f"cd {ROOT}" if (ROOT / "tasks.py").is_file() else "clone it, and `pip install -e .` in the clone"
        raise SystemExit(
            fail(UsageError("There is no tasks.py here or above.", remedy=f"Run it in the checkout: {place}"))
        )
    if tasks is None:
        from front.door.program import version_line

        show(version_line())
    elif tasks.parent == ROOT:
        _ours()
    else:
        from invoke.main import program

        program.run()


def nearest_tasks(folder: Path) -> Path | None:
    """Return the tasks.py that Invoke would take from `folder`: there, or in the nearest folder above."""
    found = (parent / "tasks.py" for parent in (folder.resolve(), *folder.resolve().parents))
    return next((path for path in found if path.is_file()), None)


def _ours() -> None:
    sys.path.insert(0, str(ROOT))
    import tasks
    from front.door.program import FrontDoor

    FrontDoor(tasks.namespace).run(sys.argv)
