"""Models that bring code of their own: when it is left aside, and that nothing of it runs then."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from smoke.exports import making, own_code
from smoke.models import resolving
from smoke.models.model import Model
from tests.not_in_wine import LINKS
from tests.smoke.models import building
from wheelhouse import files
from wheelhouse.errors import UnsupportedError

PHI3 = {
    "model_type": "phi3",
    "architectures": ["Phi3ForCausalLM"],
    "auto_map": {
        "AutoConfig": "configuration_phi3.Phi3Config",
        "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM",
    },
}


@pytest.fixture(params=["lib/python3.11/site-packages", "Lib/site-packages"])
def python(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the Python of an environment whose transformers knows Phi-3."""
    package = tmp_path / request.param / "transformers" / "models" / "phi3"
    package.mkdir(parents=True)
    (package / "modeling_phi3.py").write_text(
        "class Phi3ForCausalLM(Phi3PreTrainedModel):\n    pass\n", encoding="utf-8"
    )
    return tmp_path / "bin" / "python"


@pytest.mark.parametrize(
    ("family", "architecture", "dispensable"),
    [
        ("phi3", "Phi3ForCausalLM", True),
        ("phi3small", "Phi3ForCausalLM", False),
        ("../phi3", "Phi3ForCausalLM", False),
        ("", "Phi3ForCausalLM", False),
        ("phi3", "Phi3SmallForCausalLM", False),
    ],
)
def test_code_is_dispensable_where_the_library_has_the_class(
    python: Path, family: str, architecture: str, dispensable: bool
) -> None:
    facts = msgspec.structs.replace(building.facts(), family=family, architecture=architecture)
    assert own_code.is_dispensable(facts, python) is dispensable


@pytest.mark.parametrize("forbidden", [pytest.param((), marks=LINKS), ("symlink",), ("symlink", "link")])
def test_the_copy_has_every_file_and_names_no_code(
    tmp_path: Path, forbidden: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "not allowed")

    for name in forbidden:
        monkeypatch.setattr(files.os, name, refuse)
    model = tmp_path / "model"
    (model / "shards").mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(PHI3), encoding="utf-8")
    (model / "tokenizer_config.json").write_text(
        '{"auto_map": {"AutoTokenizer": ["t.T", null]}, "bos_token": "<s>"}', encoding="utf-8"
    )
    (model / "generation_config.json").write_text('{"eos_token_id": 2}', encoding="utf-8")
    (model / "shards" / "1.safetensors").write_bytes(b"weights")
    (model / "modeling_phi3.py").write_text("raise RuntimeError\n", encoding="utf-8")
    (model / ".manifest.json").write_text("{}", encoding="utf-8")
    made = own_code.without(model, tmp_path)
    found = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
    assert found == ["config.json", "generation_config.json", "shards/1.safetensors", "tokenizer_config.json"]
    assert "auto_map" not in json.loads((made / "config.json").read_text(encoding="utf-8"))
    assert json.loads((made / "tokenizer_config.json").read_text(encoding="utf-8")) == {"bos_token": "<s>"}
    assert (made / "shards" / "1.safetensors").read_bytes() == b"weights"
    assert json.loads((model / "config.json").read_text(encoding="utf-8")) == PHI3


def bringing(folder: Path, *, trusted: bool = False, **changes: object) -> Model:
    building.build(folder, "phi3")
    building.change(folder / "config.json", **(PHI3 | changes))
    (folder / "modeling_x.py").write_text("raise RuntimeError('the code of the model ran')\n", encoding="utf-8")
    kind, (named,) = changes.get("model_type", "phi3"), changes.get("architectures", ["Phi3ForCausalLM"])  # type: ignore[misc]
    facts = msgspec.structs.replace(building.facts("phi3"), family=kind, architecture=named)
    own = {"AutoModelForCausalLM": "modeling_x.X"}
    if isinstance(changes.get("auto_map"), dict):
        own = changes["auto_map"]  # type: ignore[assignment]
    facts = msgspec.structs.replace(facts, own_code=own)
    return Model(name="m", folder=folder, key="k", label="m", facts=facts, trusted=trusted)


def test_code_runs_only_where_it_is_needed_and_trusted(tmp_path: Path, python: Path) -> None:
    for trusted in (False, True):
        assert not own_code.runs(bringing(tmp_path / "known", trusted=trusted), python)
    unknown = {"model_type": "x", "architectures": ["XForCausalLM"]}
    with pytest.raises(UnsupportedError, match=r"AutoModelForCausalLM: modeling_x\.X.*has no class") as caught:
        own_code.runs(bringing(tmp_path / "unknown", **unknown), python)
    assert "--trust-remote-code" in caught.value.remedy
    model = bringing(tmp_path / "trusted", trusted=True, **unknown)
    assert own_code.runs(model, python)
    assert list(own_code.identity(model)) == ["modeling_x.py"]
    elsewhere = bringing(tmp_path / "else", trusted=True, **unknown, auto_map={"AutoModel": "owner/other--x.X"})
    with pytest.raises(UnsupportedError, match="lies in another repository"):
        own_code.runs(elsewhere, python)


def test_the_revision_is_told_where_it_is_known(tmp_path: Path) -> None:
    commit = "0a67737cc96d2554230f90338b163bc6380a2a85"
    snapshot = bringing(tmp_path / "snapshots" / commit)
    assert own_code.identity(snapshot)["revision"] == commit
    fetched = bringing(tmp_path / "fetched")
    (fetched.folder / "commit.json").write_text(json.dumps({"id": "a/b", "commit": commit}), encoding="utf-8")
    found = own_code.identity(fetched)
    assert found["revision"] == commit
    assert len(found["modeling_x.py"]) == 64


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["openvino-fp16", "openvino-int4"])
def test_phi3_is_exported_whatever_its_code_does(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "Phi-3-mini-4k-instruct"
    shutil.copytree(resolving.resolve("tiny-phi3-4k").folder, folder, ignore=shutil.ignore_patterns(".*"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | PHI3), encoding="utf-8")
    for name in ("configuration_phi3.py", "modeling_phi3.py"):
        (folder / name).write_text("raise RuntimeError('the code of the model ran')\n", encoding="utf-8")
    made = making.export(resolving.resolve(str(folder)), kind)
    assert "auto_map" not in json.loads((made / "config.json").read_text(encoding="utf-8"))
    assert not (made / own_code.FOLDER).exists()
