"""Models from the Hugging Face hub: the same commit every time, every file checked, a download that goes on."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from recipes.sources.pins import Pins
from smoke.models import hub_listing
from smoke.models.check.whole_folder import facts_of
from smoke.models.converters import converter
from smoke.models.hub_listing import ENDPOINT_VARIABLE, File, endpoint
from smoke.models.model import Model, checked
from wheelhouse import manifests, steps
from wheelhouse.errors import NetworkError, StepFailedError
from wheelhouse.files import move, remove_tree, require_space, write_atomic
from wheelhouse.paths import cache_dir
from wheelhouse.steps import Step

__all__ = ["ENDPOINT_VARIABLE", "model"]

COMMIT = "commit.json"
LISTING = ".listing.json"
BROKEN_OFF = "the download broke off"
"""How the converter says that the network failed it."""
_SECONDS = 12 * 3600.0
"""A large model over a slow line; a server that says nothing ends it long before."""
_SPARE = 20_000_000


def model(identifier: str, *, revision: str = "main", name: str = "") -> Model:
    """Return the model `owner/name` of the hub, downloaded once into the cache; a broken download is gone on with.

    `revision` is a branch, tag or commit. Which commit a branch stands for is recorded when it is first asked for, and
    that one is fetched ever after. `name`: how the model is called here, if not as on the hub.

    Raise NetworkError when the hub cannot be reached, refuses or breaks off, UsageError when it has no such model,
    IntegrityError when what it has is not what was recorded, ResourceError when the disk cannot hold it, InputError
    when it is no model that this project can use (no safetensors, no fast tokenizer).
    """
    output = cache_dir("models", "hub", _plain(identifier))
    step = Step(
        name=f"model {identifier}",
        output=output,
        inputs={"id": identifier, **({"revision": revision} if revision != "main" else {})},
    )

    def make(partial: Path) -> None:
        pins = Pins(output.with_name(f"{output.name}.toml"))
        listing = hub_listing.ask(identifier, pins.commit(identifier, revision) or revision)
        pins.learn_source(identifier, revision, listing.sha)
        download = cache_dir("downloads", "hub", f"{_plain(identifier)}-{listing.sha[:8]}")
        _download(identifier, listing.sha, listing.files, download)
        for path in download.iterdir():
            move(path, partial / path.name)
        remove_tree(download)
        (partial / LISTING).unlink()
        facts_of(partial)
        write_atomic(partial / COMMIT, msgspec.json.encode({"id": identifier, "commit": listing.sha}) + b"\n")
        manifests.write(partial)

    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    return checked(
        name=name or identifier,
        folder=output,
        key=manifests.key(output),
        label=f"{identifier} from the Hugging Face hub",
    )


def _download(identifier: str, commit: str, files: tuple[File, ...], target: Path) -> None:
    """Complete the folder `target`, which outlives an interruption. Raise ResourceError before anything is fetched."""
    there = sum(path.stat().st_size for path in target.glob("*"))
    size = sum(file.size for file in files)
    require_space(target, max(0, size - there) + _SPARE, f"The model {identifier}")
    target.mkdir(parents=True, exist_ok=True)
    asked = {"id": identifier, "commit": commit, "files": [_described(file) for file in files]}
    write_atomic(target / LISTING, msgspec.json.encode(asked))
    try:
        converter.run(
            "hub_download.py",
            str(target / LISTING),
            str(target),
            title=f"downloading {identifier}",
            online=True,
            seconds=_SECONDS,
        )
    except StepFailedError as error:
        if BROKEN_OFF not in error.message:
            raise
        last = next(line for line in reversed(error.message.splitlines()) if BROKEN_OFF in line)
        raise NetworkError(
            f"{identifier} from {endpoint()}: {last.strip(' |')}.",
            remedy="Run the same again: it goes on where it stopped.",
            log=error.log,
        ) from error


def _described(file: File) -> dict[str, object]:
    return {"name": file.name, "size": file.size, "sha256": file.lfs.sha256 if file.lfs else "", "git": file.blob}


def _plain(identifier: str) -> str:
    return re.sub(r"[^\w.-]", "--", identifier)
