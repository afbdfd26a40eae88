"""What the worker measured of each operator, and what that means."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from smoke.parity.dumps import Library
from smoke.parity.verdicts import Judgement, Verdict

DML = "DmlExecutionProvider"


class Measured(enum.StrEnum):
    """How the attempt to run one case ended."""

    RAN = "ran"
    FAILED = "failed"
    """DirectML refused it or broke off."""
    NO_SHADER = "no shader"
    """DirectML's only kernel for it is DXIL, which Wine cannot compile: nothing is known of it here."""
    NO_REFERENCE = "no reference"
    """The CPU provider does not run it."""


class Smallest(Struct, frozen=True, kw_only=True):
    """The smallest size at which a case still fails, with the error or the message there."""

    dims: dict[str, int]
    status: Measured
    error: float | None = None
    message: str = ""


class Begun(Struct, frozen=True, kw_only=True):
    """A case that the worker has begun."""

    name: str
    family: str
    dtype: str
    dims: dict[str, int]
    amplitude: float
    tolerance: float


class Row(Begun, frozen=True, kw_only=True):
    """One case. `error`: the largest, as a part of the largest right value; None stands for a NaN or infinity too.

    `output` is the output that it is in.
    """

    status: Measured
    error: float | None = None
    output: str = ""
    message: str = ""
    providers: dict[str, int] = {}
    smallest: Smallest | None = None
    seconds: float = 0.0

    @property
    def is_wrong(self) -> bool:
        """Whether it is DirectML's fault; an error that is no number is one."""
        if self.status is Measured.RAN:
            return self.error is None or not self.error <= self.tolerance
        return self.status is Measured.FAILED

    @property
    def elsewhere(self) -> list[str]:
        """Providers other than DirectML's that executed it."""
        return sorted(provider for provider in self.providers if provider != DML)


class Limit(Struct, frozen=True, kw_only=True):
    """The largest single outlier in a row of zeros for which a norm is right in fp16, and the smallest that is not.

    `predicted`: where outlier^2 / width passes 65504, fp16's largest number.
    """

    norm: str
    width: int
    predicted: float
    right: float | None
    wrong: float | None


class _Line(Struct, frozen=True, kw_only=True):
    start: Begun | None = None
    row: Row | None = None


class Dump(Struct, frozen=True, kw_only=True):
    """What a worker that came to its end says of the whole process."""

    status: str
    limits: list[Limit] = []
    versions: dict[str, str] = {}
    loaded: list[Library] = []


def read(content: bytes) -> Dump:
    """Decode a dump. Raise msgspec.MsgspecError when it is malformed."""
    return msgspec.json.decode(content, type=Dump)


def read_lines(content: bytes) -> tuple[list[Row], Begun | None]:
    """Return the rows that were finished, and the case that was begun last and not finished.

    A last line that was cut off is left out. Raise msgspec.MsgspecError when another is malformed.
    """
    whole = content[: content.rfind(b"\n") + 1].splitlines()
    lines = [msgspec.json.decode(line, type=_Line) for line in whole]
    finished = [line.row for line in lines if line.row is not None]
    begun = lines[-1].start if lines else None
    return finished, begun


def crashed(begun: Begun, how: str) -> Row:
    """Return the row of a case that took the process with it."""
    return Row(**msgspec.structs.asdict(begun), status=Measured.FAILED, message=how)


def judge(rows: Sequence[Row]) -> Judgement:
    """Return the verdict on the whole suite: one wrong operator is enough, and nothing measured is no pass."""
    ran = [row for row in rows if row.status is Measured.RAN]
    strayed = [row for row in ran if row.elsewhere or not row.providers]
    if strayed:
        where = ", ".join(strayed[0].elsewhere) or "an unknown place"
        return Judgement(verdict=Verdict.FELL_BACK, reason=f"{strayed[0].name} ran on {where}, not on DirectML alone.")
    wrong = [row for row in rows if row.is_wrong]
    missing = [row for row in rows if row.status in {Measured.NO_SHADER, Measured.NO_REFERENCE}]
    said = f"{len(ran) - sum(row.status is Measured.RAN for row in wrong)} of {len(rows)} operators agree"
    if missing:
        said += f"; {len(missing)} cannot be measured here"
    if wrong:
        names = ", ".join(dict.fromkeys(row.family for row in wrong))
        return Judgement(verdict=Verdict.DIVERGED, reason=f"{said}; {len(wrong)} are wrong: {names}.")
    if not ran:
        return Judgement(verdict=Verdict.SKIPPED, reason=f"{said}.")
    return Judgement(verdict=Verdict.PASS, reason=f"{said}.")
