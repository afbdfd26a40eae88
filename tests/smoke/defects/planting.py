"""Runs defective and healthy variants of one model through the real workers and the real judging."""

import dataclasses
import json
import shutil
from pathlib import Path
from unittest import mock

from smoke.backends import selection, twins
from smoke.backends.registry import BACKENDS
from smoke.backends.variants import Backend, Variant
from smoke.exports.making import export
from smoke.models.resolving import resolve
from smoke.parity import gates
from smoke.parity.verdicts import Verdict
from smoke.running import prompts, run
from smoke.running.smoke_request import Request
from tests.smoke.defects.catalogue import HEALTHY, Defect
from wheelhouse import manifests

FAULTY = Path(__file__).with_name("faulty_ort.py")
GATES = {"cpu-fp32": gates.FP32, "cpu-int4": gates.INT4}


def copied(folder, target, kind):
    shutil.copytree(folder, target)
    record = json.loads((target / "export.json").read_text(encoding="utf-8"))
    (target / "export.json").write_text(json.dumps({**record, "kind": kind}), encoding="utf-8")
    return target


EXPORTS = ("cpu-fp32", "cpu-int4")


def planted(model_name, defects, work, *, asked=prompts.DEFAULT, exports=EXPORTS, healthy=(), tokens=64):
    """Return the results by (name, export): of every defect in the exports that it concerns, of every healthy way."""
    model = resolve(model_name)
    folders = {kind: export(model, kind) for kind in exports}
    variants, bases, names = [], [], {}
    for kind in exports:
        ways = [Defect(name, "") for name in healthy]
        for item in [*(d for d in defects if kind in d.exports), *ways]:
            name = f"{item.key}-{kind}"
            folders[name] = copied(folders[kind], work / name, name)
            if item.plant is not None:
                item.plant(folders[name])
            manifests.write(folders[name])  # twins are kept by what their export holds
            if item.weights:
                bases.append(Variant(name=name, export=name, gate=gates.QUANTISED, is_base=True))
            base = twins.of(name if item.weights else kind) if kind == "cpu-int4" else "reference:fp32"
            options = {"fault": item.fault} if item.fault else HEALTHY.get(item.name, {})
            variants.append(Variant(name=name, export=name, gate=GATES[kind], against=base, options=options))
            names[name] = (item.name, kind)
    known = {backend.name: backend for backend in BACKENDS}
    if "cpu-int4" in exports:
        bases.append(Variant(name="cpu-int4", export="cpu-int4", gate=gates.QUANTISED, is_base=True))
    twin = dataclasses.replace(known[twins.BACKEND], variants=tuple(bases))
    faulty = Backend(name="faulty", summary="", engine=FAULTY, source=known["ort-cpu"].source, variants=tuple(variants))
    backends = (known["reference"], *([twin] if bases else []), faulty)
    request = Request(
        plan=selection.select([], everything=True, known=backends),
        model=model_name,
        prompts=asked,
        max_new_tokens=tokens,
        report=work / "report",
        timeout=600.0,
    )
    with mock.patch.object(run, "export_all", lambda model, kinds, **_: {kind: folders[kind] for kind in kinds}):
        results = run.smoke(request).results
    return {names[r.variant]: r for r in results if r.backend == "faulty"}


def is_caught(defect, result):
    """Say whether a defect is no PASS, and the reason names what found it."""
    return result.verdict in {Verdict.DIVERGED, Verdict.FELL_BACK} and defect.gate.lower() in result.reason.lower()
