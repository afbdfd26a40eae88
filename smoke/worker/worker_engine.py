"""What an engine offers to the worker: one loaded model behind one runtime.

An engine file (`engine_NAME.py`) defines `load(job)`, which returns an `Engine`. It may import the libraries of the
environment it runs in and the modules of this folder, nothing else, and must work on Python 3.9, in Wine as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


class UnavailableError(Exception):
    """The device or runtime that the job asks for is not on this machine: a reason to skip, not a fault."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


ELSEWHERE = "implemented only on"
"""How ONNX Runtime says that an execution provider lacks a part of an operator that others have."""


def absent(error: Exception) -> UnavailableError | None:
    """Return `error` as a reason to skip, where a runtime says that this device cannot compute the graph at all."""
    if isinstance(error, UnavailableError):
        return error
    words = " ".join(str(error).split())
    if ELSEWHERE not in words:
        return None
    what = words.rpartition("Status Message: ")[2]
    remedy = "Other exports of the model compute the same with separate operators."
    return UnavailableError(f"This graph was made for another execution provider: {what}", remedy)


class Generation:
    """What greedy generation gave: token ids (the end token included) and seconds to the first and the last token."""

    def __init__(self, tokens: Sequence[int], first_seconds: float, seconds: float) -> None:
        self.tokens = [int(token) for token in tokens]
        self.first_seconds = first_seconds
        self.seconds = seconds


class Counter:
    """Prints now and then how many of at most `limit` tokens are there: a slow worker shows that it lives."""

    SECONDS = 2.0

    def __init__(self, stage: str, limit: int) -> None:
        self._stage, self._limit = stage, limit
        self._count, self._said = 0, time.perf_counter()

    def __call__(self, _token: int) -> None:
        """Count a token."""
        self._count += 1
        now = time.perf_counter()
        if now - self._said >= self.SECONDS:
            self._said = now
            print(f"@progress {self._stage}, {self._count} of {self._limit} tokens", flush=True)


class Engine:
    """One model in one runtime. Token ids are plain ints; logits are float32 arrays (positions, vocabulary)."""

    scores = True
    """Whether `score` works. An engine that cannot show its logits answers `next_token` instead."""
    wish: Mapping[str, Any] = {}
    """What `generate` does otherwise than greedily: do_sample, temperature, top_k, top_p, repetition_penalty."""
    long_context = True
    """Whether a long prompt can be asked for: not where shapes are compiled for what the prompts need."""

    counts = True
    """Whether being told each token costs nothing, so that it is generated as it would be without."""

    def template(self, message: str) -> str:
        """Return a user's message in the model's chat template, ready for the answer. Only the reference needs it."""
        raise NotImplementedError

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`, in which special tokens are written out; nothing is added."""
        raise NotImplementedError

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, without special tokens."""
        raise NotImplementedError

    def conversation(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return a conversation (`role`, `content`) in the model's chat template, ready for the answer."""
        raise NotImplementedError

    def generate(self, ids: Sequence[int], limit: int, on_token: Callable[[int], None] | None = None) -> Generation:
        """Continue `ids` greedily until the model ends its answer or `limit` tokens are there.

        `on_token` receives each token as soon as it is chosen.
        """
        raise NotImplementedError

    def score(self, ids: Sequence[int], steps: int) -> Iterator[Any]:
        """Yield the logits after each of `ids`, in blocks of rows.

        All but the last `steps` ids go through the model at once, the rest one at a time through the cache of keys
        and values, as in generation: the two paths use different kernels, and either can be wrong alone.
        """
        return self.pieces(ids, [len(ids) - steps, *[1] * steps])

    def pieces(self, ids: Sequence[int], sizes: Sequence[int]) -> Iterator[Any]:
        """Yield the logits after each of `ids`, which go through the model in pieces of these sizes."""
        raise NotImplementedError

    def next_token(self, ids: Sequence[int]) -> int:
        """Return the greedy choice after `ids`."""
        return self.generate(ids, 1).tokens[0]

    def next_choice(self, ids: Sequence[int]) -> tuple[int, float | None]:
        """Return the greedy choice after `ids`, and the logarithm of its probability where the runtime tells."""
        return self.next_token(ids), None

    def close(self) -> None:
        """End what the runtime has open; afterwards only the questions below are asked."""

    def device(self) -> dict[str, str]:
        """Return `name`, `description` and `evidence` of the device that the runtime reports, also after `close`."""
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """Return the settings that are in effect, read back from the runtime where it tells."""
        return {}

    def notes(self) -> list[str]:
        """Return what a reader of the result must know: a setting that had to differ from what was asked, say."""
        return []

    def end_ids(self) -> list[int]:
        """Return the tokens that end an answer, as the model's own files say; the reference and its like only."""
        return []

    def added_tokens(self) -> dict[str, int]:
        """Return the tokens that the model adds to its vocabulary (text to id); the reference and its like only."""
        return {}

    def matrices(self) -> list[dict[str, Any]]:
        """Return how far each quantised matrix is from the original, where the engine has both."""
        return []

    def devices(self) -> dict[str, str]:
        """Return the devices that the runtime finds on this machine (name to description), where it can tell."""
        return {}


def bounds(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return where pieces of these sizes begin and end."""
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
    return list(zip([0, *ends], ends))  # noqa: B905 - Python 3.9


def with_steps(sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return of each piece of several tokens where it begins and ends, and how many pieces of one follow it."""
    found: list[tuple[int, int, int]] = []
    for start, end in bounds(sizes):
        if end - start == 1 and found:
            first, last, steps = found[-1]
            found[-1] = (first, last, steps + 1)
        else:
            found.append((start, end, 0))
    return found


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of packages."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def options(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job's engine options."""
    return dict(job.get("options") or {})


def require_file(folder: str, name: str) -> None:
    """Raise FileNotFoundError that names the missing file; some runtimes say something misleading instead."""
    path = Path(folder, name)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: this is not a complete export.")
