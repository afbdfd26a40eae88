"""One job: measure a model's norms, decide, rewrite and verify; the answer goes into a JSON file.

The job names the graph (`graph`), the folder with tokenizer and configuration (`folder`), what is wanted (`mode`:
"auto", "always" or "never"), where the healed graph goes (`write`, in the graph's own folder so that it finds the same
data; null: measure only), the file for the answer (`answer`), the number of `threads`, and questions that are measured
besides the texts of this program (`asked`).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from .calibrate import calibration
from .find import Norm, count_unexamined, find
from .measure import Range, measure, types
from .rewrite import Change, rewrite
from .scale import FP16_MAX, HEADROOM, Mode, Verdict, choose, starved, verdict
from .sessions import Decoder, UnusableModelError
from .verify import TOLERANCE, difference

COMPARED = 128
"""Single tokens whose logits are compared: those of all would fill the memory."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was found out about one norm, and the `scale` to put in front (1: none)."""

    norm: Norm
    range: Range | None
    verdict: Verdict
    scale: int

    @property
    def changes(self) -> bool:
        """Whether the graph changes: a decomposed norm at risk is fused even where the fused form needs no scale."""
        return self.scale > 1 or (self.norm.form == "decomposed" and self.verdict in {"overflows", "near"})

    def describe(self) -> dict[str, Any]:
        """Return the norm as it is recorded; mean squares that are not finite are null."""
        norm, found = self.norm, self.range
        return {
            "name": norm.name,
            "layer": norm.layer,
            "kind": norm.kind,
            "form": norm.form,
            "epsilon": norm.epsilon,
            "verdict": self.verdict,
            "worst_mean_square": found.worst if found and np.isfinite(found.worst) else None,
            "worst_token": found.worst_token if found else None,
            "least_mean_square": found.least if found else None,
            "width": found.width if found else None,
            "present_scale": norm.present,
            "scale": self.scale if self.changes else None,
            "imprecise": bool(found and starved(found.least, self.scale)),
        }


def decide(norms: Sequence[Norm], ranges: Sequence[Range | None], mode: Mode) -> list[Decision]:
    """Return the decision on each norm; one without a range does not compute in fp16 and needs nothing."""
    decisions = []
    for norm, found in zip(norms, ranges, strict=True):
        if found is None:
            decisions.append(Decision(norm=norm, range=None, verdict="wide", scale=1))
            continue
        # A decomposed norm adds up its squares in fp16; a fused one keeps their mean.
        demand = found.worst * (found.width if norm.form == "decomposed" else 1)
        judged = verdict(demand)
        scale = choose(mode, judged, worst=found.worst, least=found.least, present=norm.present)
        decisions.append(Decision(norm=norm, range=found, verdict=judged, scale=scale))
    return decisions


def perform(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job and return its answer. Raise UnusableModelError when the model cannot be used."""
    graph, folder = Path(job["graph"]), Path(job["folder"])
    threads, mode = int(job["threads"]), job["mode"]
    decoder = Decoder.from_config(json.loads((folder / "genai_config.json").read_text(encoding="utf-8")))
    model = _load(graph)
    norms = find(model)
    started = time.monotonic()
    fp16 = [kind == ir.DataType.FLOAT16 for kind in types(graph, threads=threads)]
    texts, chats = calibration(folder, decoder, job.get("asked", ()))
    ranges: list[Range | None] = [None] * len(norms)
    if any(fp16):
        ranges = measure(graph, decoder, texts, wanted=fp16, threads=threads, progress=_progress)
    decisions = decide(norms, ranges, mode)
    answer: dict[str, Any] = {
        "mode": mode,
        "limit": FP16_MAX,
        "headroom": HEADROOM,
        "calibration": {
            "texts": len(texts) - 1,
            "chat_template": chats,
            "longest": max(ids.shape[1] for ids in texts),
            "tokens": sum(ids.size for ids in texts),
            "single_tokens": len(texts[-1]),
        },
        "unexamined": count_unexamined(model),
        "seconds": round(time.monotonic() - started, 1),
        "norms": [decision.describe() for decision in decisions],
        "cpu_difference": None,
    }
    changes = [
        Change(norm=d.norm, scale=d.scale, width=d.range.width) for d in decisions if d.changes and d.range is not None
    ]
    if job["write"] and mode != "never" and changes:
        rewrite(model, changes)
        some = [*texts[:-1], texts[-1][:COMPARED]]
        answer["cpu_difference"] = _write(model, graph, Path(job["write"]), decoder, some, threads)
    return answer


def _load(graph: Path) -> ir.Model:
    try:
        return ir.load(graph)
    except Exception as error:  # protobuf and onnx-ir raise many kinds
        raise UnusableModelError(f"the graph cannot be read: {error}") from error


def _write(
    model: ir.Model,
    graph: Path,
    target: Path,
    decoder: Decoder,
    texts: Sequence[NDArray[np.int64]],
    threads: int,
) -> float:
    """Save the healed graph beside the old one, with references to the same data, and compare the two on the CPU."""
    ir.save(model, target)
    short = sorted(texts[:-1], key=np.size)[:3]
    off = difference(graph, target, decoder, short, threads=threads)
    if off > TOLERANCE:
        target.unlink()
        raise UnusableModelError(
            f"the rewritten graph's logits differ from the original's by {off:.1%} on the CPU provider, so it was "
            "thrown away; the original is as it was"
        )
    return off


def _progress(done: int, total: int) -> None:
    print(f"calibrated on {done} of {total} texts", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Do the job in the file that the one argument names; 0 also when the answer is an error for people."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        answer = perform(job)
    except UnusableModelError as error:
        answer = {"error": str(error)}
    Path(job["answer"]).write_text(json.dumps(answer, indent=1, allow_nan=False), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
