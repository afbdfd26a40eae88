"""Stand-alone scripts that make Hugging Face folders. They run in the main environment and import nothing of ours."""

from __future__ import annotations

from pathlib import Path

from wheelhouse import process, scratch
from wheelhouse.console import task
from wheelhouse.files import sha256_file, sha256_tree
from wheelhouse.paths import log_dir

_FOLDER = Path(__file__).parent
_SECONDS = 1800.0


def key(script: str) -> str:
    """Return the SHA-256 of a converter, a file or a folder: what it makes changes with it."""
    path = _FOLDER / script
    return sha256_tree(path, skip=lambda file: file.suffix != ".py") if path.is_dir() else sha256_file(path)


def run(script: str, *arguments: str, title: str, online: bool = False, seconds: float = _SECONDS) -> None:
    """Run a converter in the main environment (made first if needed); its lines are shown beside `title`.

    `online` lifts the environment's ban on asking the hub; `seconds` is the time limit. Raise StepFailedError with its
    last lines when it fails.
    """
    from smoke.environments import pinned

    environment = pinned.prepare(pinned.MAIN)
    env = {"HF_HUB_OFFLINE": "0"} if online else {}
    with scratch.folder() as temporary, task(title) as shown:
        argv = ("-u", str(_FOLDER / script), *arguments)
        command = environment.command(*argv, env=env, temporary=temporary, timeout=seconds)
        process.run(command, log=log_dir() / "models" / f"{Path(script).stem}.log", on_line=shown.follow)
