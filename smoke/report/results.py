"""The report as data: what `report.json` holds. Its JSON schema is generated from these structures."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from smoke.parity.dumps import Device, Library
from smoke.parity.gates import Check
from smoke.parity.parity import Metrics
from smoke.parity.speeds import Performance
from smoke.parity.verdicts import Verdict

Cell = str | int | float | None


class Result(Struct, frozen=True, kw_only=True):
    """One variant of one backend."""

    backend: str
    variant: str
    device: str
    """As the runtime reported it; empty when nothing was loaded."""
    verdict: Verdict
    reason: str = ""
    remedy: str = ""
    gate: str = ""
    against: str = ""
    checks: tuple[Check, ...] = ()
    """What the gate looked at, each number beside its limit."""
    called: str = ""
    """What people call the backend."""
    metrics: Metrics = Metrics()
    performance: Performance = Performance()
    text: tuple[str, ...] = ()
    """The answers, in the order of the prompts."""
    requested_device: str = ""
    device_details: Device | None = None
    environment: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    loaded: tuple[Library, ...] = ()
    log: str = ""
    machine: str = ""
    """On which of several machines, in a comparison of dumps."""
    measured: str = ""
    """When (UTC), if it is from an earlier run."""
    announced: bool = False
    """The variant's name says that it runs on another device: FELL_BACK is then what was asked for."""

    @property
    def name(self) -> str:
        """Return "BACKEND VARIANT", after the machine where there are several."""
        return " ".join(part for part in (self.machine, self.backend, self.variant) if part)

    @property
    def is_fault(self) -> bool:
        """Whether something went wrong that nobody announced."""
        return self.verdict.is_fault and not (self.announced and self.verdict is Verdict.FELL_BACK)


class Timing(Struct, frozen=True, kw_only=True):
    """Seconds that one part of the run took."""

    part: str
    seconds: float
    start_s: float | None = None
    """When it first began, in seconds from the start of the run."""
    spans: tuple[tuple[float, float], ...] = ()
    """Each time that it went on: from when to when."""
    beside: bool = False
    """It went on beside a worker: its seconds are part of the others', too."""


class Section(Struct, frozen=True, kw_only=True):
    """A further table of the report, for a backend that has more to say than a verdict."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()
    note: str = ""
    usual: str = ""
    """What the terminal says in place of the table, where nothing in it needs anybody's attention."""


class Change(Struct, frozen=True, kw_only=True):
    """A difference from an earlier report, of the result `name`; only what is worse fails a run."""

    kind: Literal["worse", "better", "note"]
    name: str
    about: Literal["verdict", "drift", "speed", "memory", "model"]
    text: str


class ModelInfo(Struct, frozen=True, kw_only=True):
    """The model that was run; `key` is the SHA-256 over its files."""

    name: str
    label: str
    key: str
    asks: dict[str, str] = {}
    """What its generation_config.json asks for beyond greedy; `generate` does it, comparisons do not."""
    notes: tuple[str, ...] = ()
    """What a reader should know of it."""
    code: dict[str, str] = {}
    """Code of its own that was run: its revision where known, and the SHA-256 of each file."""


class Host(Struct, frozen=True, kw_only=True):
    """The machine, and what this program itself took on it."""

    system: str
    machine: str
    cpu: str
    cores: int
    memory_bytes: int
    devices: dict[str, str] = field(default_factory=dict)
    parent_peak_memory_bytes: int = 0
    noise: float | None = None
    """How much the same work varied in time on it during the run: from the 10th to the 90th percentile, as a share."""
    work_s: float | None = None
    """Median seconds of that work, before or after the run, whichever was slower."""


class Report(Struct, frozen=True, kw_only=True):
    """The whole report."""

    schema: Literal[1, 2, 3]
    """2 since repetitions, drift by position and the timeline are in it, 3 since gates' numbers and limits; what an
    older one lacks is absent or empty, and it is read as before."""
    created: Annotated[str, Meta(description="UTC, ISO 8601")]
    model: ModelInfo
    host: Host
    prompts: tuple[str, ...]
    max_new_tokens: int
    passed: bool
    results: tuple[Result, ...]
    timings: tuple[Timing, ...]
    seconds: float
    sections: tuple[Section, ...] = ()
    repeat: int = 1
    options: tuple[str, ...] = ()
    """The command line's options that decide what is measured, the backends aside: they make a run like this one."""
    quick: bool = False
    """One prompt and a short context, nothing timed (`--quick`)."""
    choice: str = ""
    """What `invoke advise` makes of it: which backend to use on this machine, in a sentence."""

    baseline: str = ""
    """When the report was made that this one was compared with."""
    changes: tuple[Change, ...] = ()

    def faults(self) -> list[Result]:
        """Return the results that ran and went wrong."""
        return [result for result in self.results if result.is_fault]
