"""Backends made of the stand-in engine, and the model and exports they run on."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from smoke.backends.variants import Backend, Variant
from smoke.environments.source import Environment, Readiness
from smoke.models.model import Model
from smoke.parity import gates
from tests.smoke.models import building

ENGINE = Path(__file__).with_name("fake_engine.py")
KEY = "a" * 64
FIELDS = ("if_present", "libraries", "tokens_only", "unasked", "announced", "is_base", "explains")


@dataclass(frozen=True, kw_only=True)
class HereSource:
    """The Python that runs the tests."""

    def status(self):
        return Readiness(ready=True, makeable=True)

    def prepare(self, wheels):
        return Environment(
            name="here", python=(sys.executable,), env={"PYTHONUTF8": "1"}, label="the tests' own Python"
        )

    def takes(self, wheel):
        return wheel.name.startswith("mine-")


def backend(name, *variants, source=None):
    return Backend(name=name, summary=name, engine=ENGINE, source=source or HereSource(), variants=variants)


def variant(name, *, gate=gates.FP32, export="healthy", device="CPU", against="reference:fp32", **rest):
    if rest.get("tokens_only"):
        rest["shows_no_logits"] = True  # what the engine is told; the field says that it is expected
    fields = {key: rest.pop(key) for key in FIELDS if key in rest}
    return Variant(name=name, gate=gate, export=export, device=device, options=rest, against=against, **fields)


def reference(**options):
    return backend("reference", Variant(name="fp32", gate=gates.GOLDEN, options=options))


def model(folder, seed=1):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed").write_text(str(seed), encoding="utf-8")
    return Model(name="stand-in", folder=folder, key=KEY, label="a stand-in", facts=building.facts(vocab_size=64))


def export(folder, kind="healthy", *, key=KEY, seed=1):
    """Make an export's folder; `key` is what it says about its origin, `seed` decides its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed").write_text(str(seed), encoding="utf-8")
    (folder / "export.json").write_text(json.dumps({"kind": kind, "model_key": key, "settings": []}), encoding="utf-8")
    return folder
