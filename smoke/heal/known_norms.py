"""What is known about a model folder's norms: the JSON in the folder, and what it says in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from wheelhouse.files import sha256_file

NAME = "stable_norms.json"

Mode = Literal["auto", "always", "never"]
MODES: tuple[Mode, ...] = ("auto", "always", "never")
Verdict = Literal["overflows", "near", "safe", "wide", "infinite"]


class NormRecord(Struct, frozen=True, kw_only=True):
    """One norm as it was found, in the graph's order.

    Mean squares are over the rows of the calibration texts (of a LayerNorm: less the row's mean); null means not
    finite or, in a norm that does not compute in fp16 ("wide"), not measured. `worst_token` is the position of the
    largest row in its text. `scale` is what was put in front now (null: the norm is as it was), `present_scale` what
    an earlier healing had put there (1: nothing). `imprecise`: its smallest rows lose precision under the scale.
    """

    name: str
    layer: int | None
    kind: Literal["rms", "layer"]
    form: Literal["fused", "skip", "decomposed"]
    epsilon: float
    verdict: Verdict
    worst_mean_square: float | None
    worst_token: int | None
    least_mean_square: float | None
    width: int | None
    present_scale: int
    scale: int | None
    imprecise: bool

    @property
    def at_risk(self) -> bool:
        """Whether the norm comes out wrong on DirectML as it was found, or is close to it."""
        return self.verdict in {"overflows", "near"}

    @property
    def place(self) -> str:
        """Where the norm is, for people."""
        return f"layer {self.layer}, {self.name}" if self.layer is not None else self.name


class Calibration(Struct, frozen=True, kw_only=True):
    """What the norms were measured on: numbers of texts and tokens, the longest text in tokens."""

    texts: int
    chat_template: bool
    longest: int
    tokens: int
    single_tokens: int


class Answer(Struct, frozen=True, kw_only=True):
    """What the job in the model environment answers.

    `unexamined` norms are inside branches, loops or functions. `cpu_difference` is the largest difference between the
    healed and the original graph's logits on the CPU, relative to the largest logit; null: the graph was not changed.
    """

    mode: Mode
    limit: float
    headroom: float
    calibration: Calibration
    unexamined: int
    seconds: float
    norms: tuple[NormRecord, ...]
    cpu_difference: float | None

    @property
    def at_risk(self) -> tuple[NormRecord, ...]:
        """The norms that come out wrong in the graph as it was found, or are close to it."""
        return tuple(norm for norm in self.norms if norm.at_risk)

    @property
    def rewritten(self) -> tuple[NormRecord, ...]:
        """The norms that were changed."""
        return tuple(norm for norm in self.norms if norm.scale is not None)

    @property
    def summary(self) -> str:
        """One sentence for people."""
        count = len(self.norms)
        if not self.at_risk:
            before = sum(norm.present_scale > 1 for norm in self.norms)
            wide = sum(norm.verdict == "wide" for norm in self.norms)
            healed = f"; {before} of them were healed before" if before else ""
            computed = f"; {wide} of them compute in fp32" if wide else ""
            seen = f"{self.calibration.texts} texts and {self.calibration.single_tokens} first tokens"
            return f"no overflow of fp16 in {count} norms on {seen}{computed}{healed}"
        first = self.at_risk[0]
        square = first.worst_mean_square or 0.0
        return (
            f"{len(self.at_risk)} of {count} norms exceed fp16 on DirectML, or nearly; the first is {first.place} with "
            f"a mean square of {square:.0f} (fp16 ends at {self.limit:.0f})"
        )


class Record(Answer, frozen=True, kw_only=True):
    """The answer as it lies in the model folder, with the hashes of the graph before and after."""

    format: int = 1
    graph: str
    graph_before: str
    graph_after: str


def load(folder: Path) -> Record | None:
    """Return a model folder's record, or None when there is none, or it is about another graph than the one there."""
    try:
        record = msgspec.json.decode((folder / NAME).read_bytes(), type=Record)
        return record if sha256_file(folder / record.graph) == record.graph_after else None
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return None


def advice(folder: Path) -> str:
    """Return the remedy for a model that came out wrong on DirectML, or "" when its norms are not to blame.

    Names the norm where the trouble starts, where that has been measured.
    """
    record = load(folder)
    if record is None:
        return f"`invoke heal --check {folder}` says whether its norms exceed fp16, which DirectML gets wrong."
    unhealed = [norm for norm in record.at_risk if norm.scale is None]
    if not unhealed:
        measured = record.calibration
        return (
            f"Its norms, as they are now, showed no overflow on {measured.texts} texts and {measured.single_tokens} "
            f"first tokens; `invoke heal --check {folder} --prompts FILE` measures them on the prompts that failed."
        )
    first = unhealed[0]
    return (
        f"Its norms exceed fp16, which DirectML gets wrong, from {first.place} on (mean square "
        f"{first.worst_mean_square or 0:.0f}, limit {record.limit:.0f}): `invoke heal {folder} --out HEALED` makes a "
        "copy that is right, and `--stable-norms auto` uses one."
    )
