"""What thresholds.toml may say, and what it says."""

from __future__ import annotations

import math
from pathlib import Path

from msgspec import Struct

from wheelhouse.strict_toml import load

PATH = Path(__file__).with_name("thresholds.toml")


class SameWeights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Close logits. Each field is the largest allowed value, `top10` the smallest; `why`: what it rests on."""

    name: str
    max_error: float
    nmse: float
    kl: float
    top10: float
    perplexity: float
    tie: float
    why: str = ""


class AcrossQuantisation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounded drift on given tokens. Fields as in SameWeights; `top1`, `probes`: smallest share of equal choices."""

    name: str
    nmse: float
    kl: float
    top1: float
    top10: float
    perplexity: float
    probes: float
    tie: float
    why: str = ""


class FewRows(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Over fewer positions than these, a mean distance and a share of equal choices prove less."""

    distances: int
    choices: int
    why: str = ""

    def distance(self, limit: float, positions: int) -> float:
        """Return how large a mean distance over so many positions may be, whose limit over many is `limit`."""
        return limit * _room(self.distances, positions)

    def share(self, limit: float, positions: int, *, chosen: bool = False) -> float:
        """Return the same for the least a share may be; `chosen`: of positions that either agree or do not."""
        return max(0.0, 1 - (1 - limit) * _room(self.choices if chosen else self.distances, positions))


def _room(enough: int, positions: int) -> float:
    return math.sqrt(max(1.0, enough / max(positions, 1)))


class Answers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a runtime shows no logits: the share of its own tokens that it may choose differently when asked again."""

    unlike: float
    why: str = ""


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far quantised weights may be from the originals: in steps, the root mean square over each of these.

    `beyond…`: by how much the error may exceed that of the nearest numbers that can be expressed.
    """

    matrix: float
    row: float
    block: float
    beyond: float
    beyond_row: float
    beyond_block: float
    why: str = ""


class Grade(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name for the quality of a quantisation whose KL divergence is at most `kl`."""

    name: str
    kl: float


class Thresholds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    float32: SameWeights
    float16: SameWeights
    int4: SameWeights
    int4_float16: SameWeights
    int8_activations: AcrossQuantisation
    quantisation: AcrossQuantisation
    few_rows: FewRows
    answers: Answers
    weights: Weights
    grades: tuple[Grade, ...]


THRESHOLDS = load(PATH, Thresholds)
