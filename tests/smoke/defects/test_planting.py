"""What is planted into a copy of an export stays in the copy."""

import json

import pytest

from tests.smoke.defects import graphs
from tests.smoke.defects.planting import copied


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    tokenizer = {"added_tokens": [{"content": "<|user|>"}], "long": "x" * 2_000_000}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "genai_config.json").write_text(json.dumps({"model": {"eos_token_id": 2}}), encoding="utf-8")
    (folder / "chat_template.jinja").write_text("assistant", encoding="utf-8")
    (folder / "export.json").write_text(json.dumps({"kind": "cpu-int4"}), encoding="utf-8")
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "model.onnx.data").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize(
    "plant",
    [
        graphs.rewritten("tokenizer.json", graphs.plain_added_tokens),
        graphs.ends_at(3),
        graphs.template(lambda text: text.replace("assistant", "bot")),
    ],
    ids=["tokenizer", "configuration", "template"],
)
def test_a_defect_stays_in_its_copy_whatever_the_size_of_a_file(export, tmp_path, plant):
    before = {path.name: path.read_bytes() for path in export.iterdir()}
    copy = copied(export, tmp_path / "copy", "spoilt")
    plant(copy)
    assert {path.name: path.read_bytes() for path in export.iterdir()} == before
    assert any((copy / name).read_bytes() != content for name, content in before.items() if name != "export.json")


def test_the_weights_are_not_copied(export, tmp_path):
    copy = copied(export, tmp_path / "copy", "spoilt")
    assert (copy / "model.onnx.data").samefile(export / "model.onnx.data")
    assert not (copy / "model.onnx").samefile(export / "model.onnx")
