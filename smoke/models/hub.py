"""Models from the Hugging Face hub, where it can be reached; found out in seconds, not after a row of time-outs."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from pathlib import Path

from smoke import converters, manifests
from smoke.models import Model, folder
from wheelhouse import steps
from wheelhouse.errors import NetworkError, UsageError
from wheelhouse.files import require_space
from wheelhouse.paths import cache_dir
from wheelhouse.steps import Step

ENDPOINT_VARIABLE = "HF_ENDPOINT"
_REACH_SECONDS = 10.0
_ROOM = 2_000_000_000


def model(identifier: str, *, revision: str = "main", room: int = _ROOM, name: str = "") -> Model:
    """Return the model `owner/name` of the hub, downloaded once into the cache, which needs `room` bytes for it.

    `revision` is a branch, tag or commit; `name`: how the model is called here, if not as on the hub.

    Raise NetworkError when the hub cannot be reached or refuses, UsageError when it has no such model, InputError
    when what it has is no model that this project can use (no safetensors, no fast tokenizer).
    """
    output = cache_dir("models", "hub", re.sub(r"[^\w.-]", "--", identifier))
    step = Step(
        name=f"model {identifier}",
        output=output,
        inputs={"id": identifier, **({"revision": revision} if revision != "main" else {})},
    )

    def make(partial: Path) -> None:
        _reach(identifier)
        require_space(partial, room, f"The model {identifier}")
        converters.run(
            "hub_download.py", identifier, str(partial), revision, title=f"downloading {identifier}", online=True
        )
        folder.check(partial)
        manifests.write(partial)

    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    return Model(
        name=name or identifier,
        folder=output,
        key=manifests.key(output),
        label=f"{identifier} from the Hugging Face hub",
    )


def endpoint() -> str:
    """Return the hub's address: $HF_ENDPOINT, as the hub's own library understands it, or the public hub."""
    return os.environ.get(ENDPOINT_VARIABLE, "https://huggingface.co").rstrip("/")


def _reach(identifier: str) -> None:
    """Ask the hub for the model's entry, so that a typo or a missing network is told at once."""
    remedy = (
        f"Download {identifier} elsewhere and give its folder: `invoke smoke --model ./{identifier.split('/')[1]}`."
    )
    headers = {"Authorization": f"Bearer {token}"} if (token := os.environ.get("HF_TOKEN")) else {}
    try:
        request = urllib.request.Request(f"{endpoint()}/api/models/{identifier}", headers=headers)  # noqa: S310 - http(s)
        urllib.request.urlopen(request, timeout=_REACH_SECONDS).close()  # noqa: S310 - the user's own endpoint
    except urllib.error.HTTPError as error:
        if error.code in {401, 403, 404}:
            raise UsageError(
                f"{endpoint()} has no model '{identifier}' that you may read (it answered {error.code}).",
                remedy="Check the spelling; for a gated model set HF_TOKEN. If you meant a folder: it does not exist.",
            ) from error
        raise NetworkError(f"{endpoint()} answered {error.code} for {identifier}.", remedy=remedy) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NetworkError(
            f"The Hugging Face hub ({endpoint()}) cannot be reached: {reason}.", remedy=remedy
        ) from error
