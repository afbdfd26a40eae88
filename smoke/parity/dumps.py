"""Reading what a worker left behind, strictly: a dump that is truncated, malformed or incomplete is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from smoke.parity import pace
from smoke.parity.textual import Made, Texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK_VALUES = 1 << 19
"""Logits read at once (2 MiB): small enough for the parent's memory and the processor's cache."""

LOGITS = "logits-*.safetensors"
"""The files of logits in a dump's folder."""
AT_ONCE, ONE_BY_ONE = "logits-9000.safetensors", "logits-9001.safetensors"
"""Those of the long context: what went through the model at once, and token by token."""
_LONGEST_HEADER = 4096
_LARGEST = 10**9

Token = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


Timed = tuple[Seconds, Seconds, Token]
"""Of one generation: seconds to its first and to its last token, and how many tokens it has."""


class DumpError(Exception):
    """A dump that cannot be believed; the message says what is wrong with it."""


class Device(Struct, frozen=True, kw_only=True):
    """The device as the runtime reported it after loading; `evidence` says where that was read."""

    name: str
    description: str = ""
    evidence: str = ""
    architecture: str = ""


class Library(Struct, frozen=True, kw_only=True):
    """A library that the worker had loaded."""

    path: str
    size: int
    sha256: str


class PromptDump(Struct, frozen=True, kw_only=True):
    """One prompt: its text and token ids by this runtime's tokenizer, and the greedy answer.

    `logits` names a file of float32 (positions, vocabulary): row k is what follows the prompt and the first k tokens
    of the golden answer. `probes` are pairs of such a k and the greedy choice there.
    """

    text: str
    ids: tuple[Token, ...]
    tokens: tuple[Token, ...] = ()
    pieces: tuple[str, ...] = ()
    answer: str = ""
    first_seconds: Seconds = 0.0
    seconds: Seconds = 0.0
    repeats: tuple[Timed, ...] = ()
    """Of the further times that the answer was generated."""
    logits: Annotated[str, Meta(pattern=r"^logits-\d{1,4}\.safetensors$")] | None = None
    probes: tuple[tuple[Token, Token], ...] = ()
    chances: tuple[float | None, ...] = ()
    """Of each probe's choice the logarithm of its probability, where the runtime tells."""
    stepped: Token = 0
    """How many of the last rows of logits came one by one, through the cache."""
    rechecked: Token = 0
    """Tokens of the answer that were compared with what the runtime itself says after the tokens before."""
    unchosen: tuple[tuple[Token, Token, float | None], ...] = ()
    """Those that were not the best one: position, the best, by how much its logit leads (None: not known)."""


class ContextDump(Struct, frozen=True, kw_only=True):
    """A long context of so many tokens: the positions whose logits are kept in AT_ONCE and ONE_BY_ONE.

    `ids`: of the reference, what it consists of. `choices`: position and the greedy choice after it, where there are no
    logits; `chances`: the logarithms of their probabilities. `error`: what the runtime said where it refused. Without
    tokens, nobody looked.
    """

    tokens: Token = 0
    ids: tuple[Token, ...] = ()
    at_once: tuple[Token, ...] = ()
    one_by_one: tuple[Token, ...] = ()
    choices: tuple[tuple[Token, Token], ...] = ()
    chances: tuple[float | None, ...] = ()
    error: str = ""


class LengthDump(Struct, frozen=True, kw_only=True):
    """Generations after a prompt of so many tokens; `error` is what the runtime said where it refused."""

    tokens: Token
    times: tuple[Timed, ...] = ()
    error: str = ""


class MatrixDump(Struct, frozen=True, kw_only=True):
    """How far a quantised matrix is from the original, in its own steps (a block's scale), root mean squares.

    `row`, `block`: the worst ones, by number (a block by its row and its place in it). `beyond…`: by how much the error
    exceeds that of the nearest number that the scales and zero points can express. `relative`: as a share of the
    original. `bad_scales`: how many scales are no finite numbers.
    """

    name: str
    bits: int
    block_size: int
    shape: tuple[int, int]
    relative: float
    steps: float
    row: tuple[int, float]
    block: tuple[int, int, float]
    beyond: float
    beyond_row: tuple[int, float]
    beyond_block: tuple[int, int, float]
    bad_scales: int = 0


class Dump(Struct, frozen=True, kw_only=True):
    """All of dump.json."""

    schema: Literal[2]
    status: Literal["ok", "failed", "unavailable"]
    reason: str = ""
    remedy: str = ""
    prompts: tuple[PromptDump, ...] = ()
    text_ids: tuple[Token, ...] = ()
    end_ids: tuple[Token, ...] = ()
    """Tokens that end an answer, by the model's own files."""
    made: Made | None = None
    """Of the reference: what it makes of texts and conversations."""
    texts: Texts | None = None
    """Of all others: where they are unlike it."""
    weights: tuple[MatrixDump, ...] = ()
    """Of the quantised matrices, where the worker was given them to exchange the model's for."""
    context: ContextDump = ContextDump()
    nll: float | None = None
    """Mean negative log-likelihood of the fixed text per token, in nats."""
    device: Device = Device(name="")
    origin: dict[str, str] = msgspec.field(default_factory=dict)
    seconds: dict[str, Seconds] = msgspec.field(default_factory=dict)
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    first_run: Timed | None = None
    """The very first generation, of two tokens: kernels are compiled and caches filled in it."""
    lengths: tuple[LengthDump, ...] = ()
    cpu_seconds: Seconds = 0.0
    """Seconds of processor time that the worker took, all threads together."""
    notes: tuple[str, ...] = ()
    devices: dict[str, str] = msgspec.field(default_factory=dict)
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    loaded: tuple[Library, ...] = ()
    peak_memory: Annotated[int, Meta(ge=0)] = 0


def read(folder: Path, *, prompts: int, answers: bool = True) -> Dump:
    """Read the dump in `folder` of a job with so many prompts, and with `answers` where it was asked for them.

    Raise DumpError when it cannot be believed.
    """
    try:
        dump = msgspec.json.decode((folder / "dump.json").read_bytes(), type=Dump)
    except FileNotFoundError:
        raise DumpError("it left no dump.json") from None
    except OSError as error:
        raise DumpError(f"its dump.json cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DumpError(f"its dump.json is malformed ({error})") from error
    if dump.status == "ok":
        _require_complete(dump, prompts, answers=answers)
    return dump


def _require_complete(dump: Dump, prompts: int, *, answers: bool) -> None:
    if len(dump.prompts) != prompts:
        raise DumpError(f"its dump has {len(dump.prompts)} prompts instead of {prompts}")
    for number, prompt in enumerate(dump.prompts, 1):
        if not prompt.ids or (answers and not prompt.tokens):
            raise DumpError(f"its dump has no tokens for prompt {number}")
        if len(prompt.pieces) != len(prompt.tokens):
            raise DumpError(f"its dump has {len(prompt.tokens)} tokens but {len(prompt.pieces)} texts for them")


@dataclass(frozen=True, kw_only=True)
class Logits:
    """A .safetensors file of float32 logits, read in blocks of rows so that it never lies in memory as a whole."""

    path: Path
    rows: int
    vocabulary: int
    offset: int

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the rows in order, as arrays (some rows, vocabulary). Raise DumpError when they end early."""
        import numpy as np

        at_once = max(1, BLOCK_VALUES // self.vocabulary)
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            for start in range(0, self.rows, at_once):
                pace.wait()
                count = min(at_once, self.rows - start)
                block = np.fromfile(stream, dtype="<f4", count=count * self.vocabulary)
                if block.size != count * self.vocabulary:
                    raise DumpError(f"{self.path.name} ends before its row {start + count}")
                yield block.reshape(count, self.vocabulary)


class _Matrix(Struct, frozen=True):
    dtype: Literal["F32"]
    shape: tuple[Annotated[int, Meta(ge=1, le=_LARGEST)], Annotated[int, Meta(ge=1, le=_LARGEST)]]
    data_offsets: tuple[Literal[0], int]


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    logits: _Matrix
    metadata: dict[str, str] | msgspec.UnsetType = msgspec.field(name="__metadata__", default=msgspec.UNSET)


def open_logits(path: Path) -> Logits:
    """Check a file's header against its size. Raise DumpError unless it is one whole float32 matrix named "logits"."""
    try:
        with path.open("rb") as stream:
            start = stream.read(8 + _LONGEST_HEADER)
        size = path.stat().st_size
    except OSError as error:
        raise DumpError(f"{path.name} cannot be read ({error.strerror})") from error
    length = int.from_bytes(start[:8], "little")
    try:
        found = msgspec.json.decode(start[8 : 8 + length] if length <= _LONGEST_HEADER else b"", type=_Header).logits
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise DumpError(f"{path.name} is not a .safetensors file of one float32 matrix named logits") from None
    rows, vocabulary = found.shape
    if found.data_offsets[1] != 4 * rows * vocabulary or size != 8 + length + 4 * rows * vocabulary:
        raise DumpError(f"{path.name} is truncated: {size} bytes for {rows} rows of {vocabulary} logits")
    return Logits(path=path, rows=rows, vocabulary=vocabulary, offset=8 + length)
