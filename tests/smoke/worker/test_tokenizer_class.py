"""A copy for an older GenAI: another tokenizer's class, graphs and weights where they were."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from smoke.backends.registry import WORKER

sys.path.insert(0, str(WORKER))
import worker_tokenizer  # the worker's modules lie in no package


def test_the_class_is_another_and_graphs_stay_where_they_are(tmp_path: Path) -> None:
    folder, place = tmp_path / "exports" / "m", tmp_path / "run" / "output" / "renamed"
    folder.mkdir(parents=True)
    sections = {"decoder": {"filename": "model.onnx", "layers": [{"filename": "part.onnx"}]}, "type": "phi3"}
    (folder / "genai_config.json").write_text(json.dumps({"model": sections}), encoding="utf-8")
    for name in ("model.onnx", "model.onnx.data", "part.onnx", "tokenizer.json"):
        (folder / name).write_text(name, encoding="utf-8")
    before = {"tokenizer_class": "TokenizersBackend", "bos_token": "é"}
    (folder / "tokenizer_config.json").write_text(json.dumps(before), encoding="utf-8")

    assert worker_tokenizer.renamed(folder, place, "PreTrainedTokenizerFast") == "TokenizersBackend"

    after = json.loads((place / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert after == {**before, "tokenizer_class": "PreTrainedTokenizerFast"}
    assert json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")) == before
    assert (place / "tokenizer.json").read_text(encoding="utf-8") == "tokenizer.json"
    assert not list(place.glob("*.onnx*"))
    model = json.loads((place / "genai_config.json").read_text(encoding="utf-8"))["model"]
    for path in (model["decoder"]["filename"], model["decoder"]["layers"][0]["filename"]):
        assert (place / path).resolve().parent == folder
