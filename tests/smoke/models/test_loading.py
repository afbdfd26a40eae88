"""Architectures whose layout is not known here: transformers is asked, once, what it would invent or leave out."""

import sys
from pathlib import Path

import msgspec
import pytest

from smoke.environments import pinned
from smoke.environments.source import Environment
from smoke.models import loading
from smoke.models.model import Model
from tests.smoke.models import building
from wheelhouse.errors import InputError, StepFailedError

HERE = Environment(name="here", python=(sys.executable,), env={}, label="here")


def model(folder: Path, family: str) -> Model:
    facts = msgspec.structs.replace(building.facts(), family=family, architecture="XForCausalLM")
    return Model(name="m", folder=folder, key="k" * 64, label="m", facts=facts)


def stand_in(folder: Path, line: str) -> Path:
    script = folder / "script.py"
    head = "import json, pathlib, sys\njob = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding='utf-8'))\n"
    script.write_text(f"{head}{line}\n", encoding="utf-8")
    return script


def test_what_does_not_agree_is_refused_and_what_does_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = model(tmp_path, "x")
    said = "pathlib.Path(job['output']).write_text('h.0.weight (1 in all) are missing' if not job['trust'] else '')"
    monkeypatch.setattr(loading, "SCRIPT", stand_in(tmp_path, said))
    with pytest.raises(InputError, match=r"cannot load it as XForCausalLM: h\.0\.weight"):
        loading.require_agreement(strange, HERE, runs_code=False)
    loading.require_agreement(strange, HERE, runs_code=True)
    monkeypatch.setattr(loading, "SCRIPT", tmp_path / "none.py")
    loading.require_agreement(strange, HERE, runs_code=True)
    loading.require_agreement(model(tmp_path, "llama"), HERE, runs_code=False)


def test_a_script_that_says_nothing_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "SCRIPT", stand_in(tmp_path, "pass"))
    with pytest.raises(StepFailedError, match="did not say"):
        loading.require_agreement(model(tmp_path, "x"), HERE, runs_code=False)


@pytest.mark.integration
def test_transformers_names_what_is_missing(tmp_path: Path) -> None:
    folder = building.build(tmp_path / "m", "phi3", pad_token_id=0)
    strange = msgspec.structs.replace(building.facts("phi3"), family="another")
    found = Model(name="m", folder=folder, key="l" * 64, label="m", facts=strange)
    environment = pinned.prepare(pinned.MAIN)
    loading.require_agreement(found, environment, runs_code=False)
    building.rewrite(folder, lambda content: content.pop("model.layers.1.mlp.down_proj.weight"))
    changed = Model(name="m", folder=folder, key="m" * 64, label="m", facts=strange)
    with pytest.raises(InputError, match=r"model\.layers\.1\.mlp\.down_proj\.weight \(1 in all\) are missing"):
        loading.require_agreement(changed, environment, runs_code=False)


@pytest.mark.integration
def test_settings_that_the_class_cannot_have_are_said(tmp_path: Path) -> None:
    """Without a pad_token_id the class takes its own, 32000, which a vocabulary of 512 does not have."""
    folder = building.build(tmp_path / "m", "phi3")
    strange = msgspec.structs.replace(building.facts("phi3"), family="another")
    found = Model(name="m", folder=folder, key="n" * 64, label="m", facts=strange)
    with pytest.raises(InputError, match="Padding_idx must be within num_embeddings"):
        loading.require_agreement(found, pinned.prepare(pinned.MAIN), runs_code=False)
