"""Whether a model's chat template renders a question: tried once for each model, in a process within limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from smoke.models.check import template, tokenizer
from smoke.models.check.rendering import MEMORY, SECONDS
from smoke.models.check.values import read
from wheelhouse.errors import InputError
from wheelhouse.paths import ROOT
from wheelhouse.processes.bounded import Limit, watched
from wheelhouse.processes.exits import describe_exit
from wheelhouse.processes.orphans import start_with_us

_RENDERER = "smoke.models.check.rendering"
_OUT_OF_TIME = None if sys.platform == "win32" else -signal.SIGXCPU

_WORDS = {
    Limit.SECONDS: f"it takes more than {SECONDS:g} s",
    Limit.MEMORY: f"it needs more than {MEMORY // 1_000_000} MB",
}


def require_rendering(folder: Path) -> None:
    """Raise InputError when the chat template of a model's folder fails for a user's question, or has no end."""
    config = read(folder / tokenizer.CONFIG)
    found = template.templates(folder, config)
    if not found:
        return
    text, path = found[0]
    require(text, f"{path}", template.tokens(config))


def require(text: str, where: str, tokens: dict[str, str]) -> None:
    """Raise InputError when the template `text`, which stands `where`, fails; `tokens`: the special ones by name."""
    problem = tried(text, tuple(tokens.items())) if text else ""
    if problem:
        raise InputError(
            f"{where}: the chat template fails for a user's question: {problem.rstrip('.')}.",
            remedy="Take the file as the model's author published it; without one the model continues plain text.",
        )


@lru_cache(maxsize=64)
def tried(text: str, tokens: tuple[tuple[str, str], ...]) -> str:
    """Return why a template does not render a question in a process of its own; "" when it does."""
    search = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = start_with_us(
        (sys.executable, "-P", "-m", _RENDERER),
        env=os.environ | {"PYTHONPATH": search},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    asked = json.dumps({"template": text, "tokens": dict(tokens)}).encode()
    with process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        process.stdout.readline()  # it has loaded what it needs, which takes a second on some systems
        with watched(process, SECONDS, MEMORY) as reached:
            try:
                answer, _ = process.communicate(asked)
            except BaseException:
                process.kill()
                raise
    with suppress(ValueError):
        return str(json.loads(answer))
    limit = reached() or (Limit.SECONDS if process.returncode == _OUT_OF_TIME else None)
    return _WORDS[limit] if limit else f"the process that rendered it {describe_exit(process.returncode)}"
