"""Runs defective and healthy variants of one model through the real workers and the real judging."""

import json
import os
import shutil
from dataclasses import replace
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
from tests.smoke.defects.catalogue import HEALTHY, ORT, RUNTIMES, Defect
from wheelhouse import manifests

FAULTY = Path(__file__).with_name("faulty.py")
KNOWN = {backend.name: backend for backend in BACKENDS}
LINKED = {".data", ".bin"}
"""What is linked and not copied: weights, which no defect changes where they lie. All else may be written anew in
place, and would be in the healthy export and in every other defect's."""


def planted(model_name, defects, work, *, asked=prompts.DEFAULT, runtimes=RUNTIMES, healthy=(), tokens=64):
    """Return the results by (name, runtime): of every defect in the runtimes that it concerns, of every healthy way."""
    model = resolve(model_name)
    folders = {kind: export(model, kind) for kind in {variant_of(name).export for name in runtimes}}
    variants, bases, names = {}, {}, {}
    for runtime in runtimes:
        whole = variant_of(runtime)
        for item in [*(d for d in defects if d.planted_in(runtime)), *_ways(healthy, runtime)]:
            name = f"{item.key}-{runtime}".replace(":", "-")
            folders[name] = copied(folders[whole.export], work / name, name)
            plant = item.plant if runtime in ORT else item.ir
            if plant is not None:
                plant(folders[name])
            manifests.write(folders[name])  # twins are kept by what their export holds
            against = twins.of(name) if item.weights and "int4" in runtime else whole.against
            if against.startswith(twins.BACKEND):
                kind = against.partition(":")[2]
                bases[kind] = Variant(name=kind, export=kind, gate=gates.QUANTISED, is_base=True)
            variants.setdefault(runtime.partition(":")[0], []).append(
                replace(whole, name=name, export=name, against=against, options=_options(runtime, whole, item))
            )
            names[name] = (item.name, runtime)
    twin = replace(KNOWN[twins.BACKEND], variants=tuple(bases.values()))
    faulty = [
        Backend(name=f"faulty-{name}", summary="", engine=FAULTY, source=KNOWN[name].source, variants=tuple(each))
        for name, each in variants.items()
    ]
    request = Request(
        plan=selection.select([], everything=True, known=(KNOWN["reference"], *([twin] if bases else []), *faulty)),
        model=model_name,
        prompts=asked,
        max_new_tokens=tokens,
        report=work / "report",
        timeout=600.0,
    )
    with mock.patch.object(run, "export_all", lambda model, kinds, **_: {kind: folders[kind] for kind in kinds}):
        results = run.smoke(request).results
    return {names[r.variant]: r for r in results if r.backend.startswith("faulty")}


def variant_of(runtime):
    """Return the registry's variant of a name such as "ort-cpu:int4"."""
    backend, _, name = runtime.partition(":")
    return next(variant for variant in KNOWN[backend].variants if variant.name == name)


def is_caught(defect, result):
    """Say whether a defect is no PASS, and the reason names what found it."""
    reason = result.reason.lower()
    named = any(part in reason for part in defect.gate.lower().split("|"))
    return result.verdict in {Verdict.DIVERGED, Verdict.FELL_BACK} and named


def _ways(healthy, runtime):
    """Return the healthy variations that a runtime has: options are ONNX Runtime's."""
    return [Defect(name, "") for name in healthy if runtime in ORT or name not in HEALTHY]


def _options(runtime, whole, item):
    own = {"runtime": KNOWN[runtime.partition(":")[0]].engine.stem, "fault": item.fault}
    return {**whole.options, **own, **HEALTHY.get(item.name, {})}


def copied(folder, target, kind):
    """Copy an export, so that what is planted into the copy stays there."""

    def link(source, place):
        (os.link if Path(source).suffix in LINKED else shutil.copy2)(source, place)

    shutil.copytree(folder, target, copy_function=link)
    record = json.loads((target / "export.json").read_text(encoding="utf-8"))
    (target / "export.json").write_text(json.dumps({**record, "kind": kind}), encoding="utf-8")
    return target
