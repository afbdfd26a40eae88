"""Models that bring code of their own: when it is left aside, and that nothing of it runs then."""

import json
import shutil
from pathlib import Path

import pytest

from smoke.exports import making, own_code
from smoke.models import resolving

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
    (package / "modeling_phi3.py").write_text("class Phi3ForCausalLM(Phi3PreTrainedModel):\n    pass\n")
    return tmp_path / "bin" / "python"


@pytest.mark.parametrize(
    ("changes", "dispensable"),
    [
        ({}, True),
        ({"auto_map": {}}, False),
        ({"model_type": "phi3small"}, False),
        ({"model_type": "../phi3"}, False),
        ({"model_type": None}, False),
        ({"architectures": ["Phi3SmallForCausalLM"]}, False),
        ({"architectures": []}, False),
    ],
)
def test_code_is_dispensable_where_the_library_has_the_class(
    python: Path, changes: dict[str, object], dispensable: bool
) -> None:
    assert own_code.is_dispensable(PHI3 | changes, python) is dispensable


@pytest.mark.parametrize("forbidden", [(), ("symlink",), ("symlink", "link")])
def test_the_copy_has_every_file_and_names_no_code(
    tmp_path: Path, forbidden: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "not allowed")

    for name in forbidden:
        monkeypatch.setattr(own_code.os, name, refuse)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(PHI3))
    (model / "model.safetensors").write_bytes(b"weights")
    (model / ".manifest.json").write_text("{}")
    made = own_code.without(model, PHI3, tmp_path)
    assert sorted(path.name for path in made.iterdir()) == ["config.json", "model.safetensors"]
    assert "auto_map" not in json.loads((made / "config.json").read_text())
    assert (made / "model.safetensors").read_bytes() == b"weights"
    assert json.loads((model / "config.json").read_text()) == PHI3


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["openvino-fp16", "openvino-int4"])
def test_phi3_is_exported_whatever_its_code_does(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "Phi-3-mini-4k-instruct"
    shutil.copytree(resolving.resolve("tiny-phi3-4k").folder, folder, ignore=shutil.ignore_patterns(".*"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | PHI3))
    for name in ("configuration_phi3.py", "modeling_phi3.py"):
        (folder / name).write_text("raise RuntimeError('the code of the model ran')\n")
    made = making.export(resolving.resolve(str(folder)), kind)
    assert "auto_map" not in json.loads((made / "config.json").read_text())
    assert not (made / own_code.FOLDER).exists()
