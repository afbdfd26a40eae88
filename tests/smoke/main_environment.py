"""Running a script of a test's own in the real main environment."""

import json
import subprocess

from smoke.environments import pinned


def in_main(*arguments: str, given: object = None) -> str:
    """Run the main environment's Python with JSON on its standard input; return its standard output."""
    command = pinned.prepare(pinned.MAIN).command(*arguments)
    done = subprocess.run(
        command.argv, env=command.environment(), input=json.dumps(given), capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
