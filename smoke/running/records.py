"""What stands beside a dump that is kept (`run.json`): everything that judging it needs on another day or machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from smoke.backends import webgpu
from smoke.backends.selection import Planned
from smoke.parity import gates, speeds
from smoke.parity.dumps import Dump, DumpError, Token
from smoke.parity.gates import Check, Gate, IsGolden
from smoke.parity.judge import Expectation, Judged
from smoke.parity.verdicts import Verdict
from smoke.report.results import Host, ModelInfo, Result
from wheelhouse.files import sha256_bytes, write_atomic
from wheelhouse.process import Completed

NAME = "run.json"
GATES: dict[str, Gate] = {gate.name: gate for gate in gates.ALL}


class RunRecord(Struct, frozen=True, kw_only=True):
    """One run of one variant: what was asked, where, and how the worker ended. The rest is in its dump.json."""

    format: Literal[1]
    backend: str
    called: str = ""
    """What people call the backend."""
    variant: str
    gate: str
    against: str
    requested_device: str
    model: ModelInfo
    messages: tuple[str, ...]
    """The prompts, before the chat template."""
    max_new_tokens: int
    golden: str = ""
    """SHA-256 over the tokens that its logits follow: only dumps that followed the same can be compared."""
    continuations: tuple[tuple[Token, ...], ...] = ()
    """Those tokens: the reference's answers. Empty for the reference, whose own they are."""
    ends: tuple[Token, ...] = ()
    """The tokens that end an answer, by the reference."""
    export: str = ""
    libraries: tuple[str, ...] = ()
    tokens_only: bool = False
    announced: bool = False
    scored_only: bool = False
    home: str = ""
    timed: bool = True
    """Whether its times are its own: not where it ran beside others."""
    remark: str = ""
    """What there is to say of how it was asked."""
    environment: str = ""
    host: Host
    created: str
    returncode: int = 0
    seconds: float = 0.0
    timed_out: bool = False
    idle_seconds: float = 0.0
    tail: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return BACKEND:VARIANT."""
        return f"{self.backend}:{self.variant}"

    def expectation(self) -> Expectation:
        """Return what the dump is held to."""
        return Expectation(
            gate=GATES[self.gate],
            device=self.requested_device,
            model_key=self.model.key,
            export=self.export,
            libraries=self.libraries,
            tokens_only=self.tokens_only,
            announced=self.announced,
            scored_only=self.scored_only,
            prompts=len(self.messages),
            home=self.home,
            ends=self.ends,
            limit=self.max_new_tokens,
        )

    def completed(self) -> Completed:
        """Return how the worker ended."""
        return Completed(
            returncode=self.returncode,
            tail=self.tail,
            seconds=self.seconds,
            timed_out=self.timed_out,
            idle_seconds=self.idle_seconds,
        )


def begun(
    item: Planned,
    model: ModelInfo,
    golden: Dump | None,
    *,
    messages: Sequence[str],
    max_new_tokens: int,
    environment: str,
    host: Host,
) -> RunRecord:
    """Return the record of a run that has not begun: what its dump will be held to; `golden` is the reference's."""
    variant = item.variant
    return RunRecord(
        format=1,
        backend=item.backend.name,
        called=item.backend.called,
        variant=variant.name,
        gate=variant.gate.name,
        against="" if isinstance(variant.gate, IsGolden) else variant.against,
        requested_device=variant.device,
        model=model,
        messages=tuple(messages),
        max_new_tokens=max_new_tokens,
        golden="" if golden is None else fingerprint(golden),
        continuations=() if golden is None else tuple(prompt.tokens for prompt in golden.prompts),
        ends=() if golden is None else golden.end_ids,
        export=variant.export,
        libraries=variant.libraries,
        tokens_only=variant.tokens_only,
        announced=variant.announced,
        scored_only=variant.is_base,
        environment=environment,
        host=host,
        created="",
    )


def described(record: RunRecord, judged: Judged, *, log: str = "", measured: str = "", machine: str = "") -> Result:
    """Return the result to report of a dump that has been judged."""
    dump, judgement = judged.dump, judged.judgement
    return Result(
        backend=record.backend,
        variant=record.variant,
        machine=machine,
        gate=record.gate,
        against=record.against,
        checks=gates.checks(GATES[record.gate], judgement.metrics),
        called=record.called,
        requested_device=record.requested_device,
        device=dump.device.name if dump else "",
        verdict=judgement.verdict,
        reason=_with_remark(judgement.reason, record.remark if dump and dump.status == "ok" else ""),
        remedy=judgement.remedy or _known_cause(record, judged),
        announced=record.announced,
        metrics=judgement.metrics,
        performance=speeds.measured(dump, record.seconds) if record.timed else speeds.untimed(dump),
        text=tuple(prompt.answer for prompt in dump.prompts) if dump and not record.scored_only else (),
        device_details=dump.device if dump and dump.device.name else None,
        environment=record.environment,
        settings=dump.settings if dump else {},
        versions=dump.versions if dump else {},
        loaded=dump.loaded if dump else (),
        log=log,
        measured=measured,
    )


def _known_cause(record: RunRecord, judged: Judged) -> str:
    """Return what is known to make such a dump diverge, from runs elsewhere."""
    if judged.dump is None or judged.judgement.verdict is not Verdict.DIVERGED or record.gate != gates.FP16.name:
        return ""
    return webgpu.HALF_SUMS if webgpu.SUBGROUP_MATRICES in judged.dump.device.evidence else ""


def _with_remark(reason: str, remark: str) -> str:
    said = f"{remark[:1].upper()}{remark[1:]}." if remark else ""
    return " ".join(part for part in (reason, said) if part)


def numbers_of(result: Result) -> tuple[Check, ...]:
    """Return a result's numbers beside their limits, also where an older report lacks them."""
    gate = GATES.get(result.gate)
    return result.checks or (() if gate is None else gates.checks(gate, result.metrics))


def fingerprint(golden: Dump) -> str:
    """Return the SHA-256 over the token ids of a reference's prompts and answers, and of the fixed text."""
    ids = [[prompt.ids, prompt.tokens] for prompt in golden.prompts]
    return sha256_bytes(json.dumps([ids, golden.text_ids]).encode())


def write(folder: Path, record: RunRecord) -> None:
    """Write the record beside its dump; what the worker was told (with this machine's paths) goes."""
    write_atomic(folder / NAME, msgspec.json.format(msgspec.json.encode(record)))
    (folder / "job.json").unlink(missing_ok=True)


def read(folder: Path) -> RunRecord:
    """Read the record in a dump's folder. Raise DumpError when it is not one that this version can judge."""
    try:
        record = msgspec.json.decode((folder / NAME).read_bytes(), type=RunRecord)
    except OSError as error:
        raise DumpError(f"it has no {NAME} ({error.strerror})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DumpError(f"its {NAME} is malformed, or of another version of this program ({error})") from error
    if record.gate not in GATES:
        raise DumpError(f"its {NAME} names the gate '{record.gate}', which this version does not know")
    return record
