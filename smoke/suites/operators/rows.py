"""What the worker measured of each operator, and what that means."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from smoke.parity.dumps import Device, Library
from smoke.parity.verdicts import Judgement, Verdict


class Measured(enum.StrEnum):
    """How the attempt to run one case ended."""

    RAN = "ran"
    FAILED = "failed"
    """The provider refused it or broke off."""
    NO_SHADER = "no shader"
    """DirectML's only kernel for it is DXIL, which Wine cannot compile: nothing is known of it here."""
    NO_F16 = "no f16"
    """WebGPU's adapter has no 16-bit floats: nothing is known of it here."""
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
    cpu_error: float | None = None
    """How far the CPU provider's own fp16 is from its fp32."""
    seconds: float = 0.0

    @property
    def is_wrong(self) -> bool:
        """Whether it is the provider's fault; an error that is no number is one."""
        if self.status is Measured.RAN:
            return self.error is None or not self.error <= self.tolerance
        return self.status is Measured.FAILED

    def elsewhere(self, provider: str) -> list[str]:
        """Return the providers other than `provider` that executed it."""
        return sorted(name for name in self.providers if name != provider)


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
    """What a worker that came to its end says of the whole process; `reason`, `remedy`: why it could not begin."""

    status: str
    reason: str = ""
    remedy: str = ""
    limits: list[Limit] = []
    device: Device = Device(name="")
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


def judge(rows: Sequence[Row], provider: str, device: str) -> Judgement:
    """Return the verdict on the whole suite: one wrong operator is enough, and nothing measured is no pass.

    `provider` is ONNX Runtime's name of the one that was asked for, `device` the reports'.
    """
    if not rows:
        return Judgement(
            verdict=Verdict.SKIPPED,
            reason="No case was run: none has such a part in its name.",
            remedy="The names are in the suite's table; parts of them are taken as they are written.",
        )
    ran = [row for row in rows if row.status is Measured.RAN]
    strayed = [row for row in ran if row.elsewhere(provider) or not row.providers]
    if strayed:
        where = ", ".join(strayed[0].elsewhere(provider)) or "an unknown place"
        reason = f"{strayed[0].name} ran on {where}, not on {device} alone."
        return Judgement(verdict=Verdict.FELL_BACK, reason=reason)
    wrong = [row for row in rows if row.is_wrong]
    missing = [row for row in rows if row.status not in {Measured.RAN, Measured.FAILED}]
    said = f"{len(ran) - sum(row.status is Measured.RAN for row in wrong)} of {len(rows)} operators agree"
    if missing:
        why = ", ".join(sorted({row.status.value for row in missing}))
        said += f"; {len(missing)} cannot be measured here ({why})"
    if wrong:
        names = ", ".join(dict.fromkeys(row.family for row in wrong))
        return Judgement(verdict=Verdict.DIVERGED, reason=f"{said}; {len(wrong)} are wrong: {names}.")
    if not ran:
        return Judgement(verdict=Verdict.SKIPPED, reason=f"{said}.")
    return Judgement(verdict=Verdict.PASS, reason=f"{said}.")
