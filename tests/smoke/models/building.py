"""Small Hugging Face folders for tests: random weights of a family's layout, written without any library for models."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from smoke.models.check import config as configuration
from smoke.models.check import layouts
from smoke.models.check.folder_facts import Facts
from smoke.models.check.values import Values

SPECIAL = ["<unk>", "<s>", "</s>"]
ARCHITECTURES = {family: known.architecture for family, known in layouts.FAMILIES.items()}
TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


def config(family: str = "llama", **changes: Any) -> dict[str, Any]:
    """Return a config.json of two layers, width 64, 512 tokens."""
    return {
        "architectures": [ARCHITECTURES[family]],
        "model_type": family,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "head_dim": 16,
        "hidden_act": "silu",
        "hidden_size": 64,
        "intermediate_size": 128,
        "max_position_embeddings": 1024,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "vocab_size": 512,
        **changes,
    }


def tensors(settings: Mapping[str, Any], *, seed: int = 0) -> dict[str, np.ndarray]:
    """Return random weights in the layout of a config.json; norms are ones."""
    said = Values(Path("config.json"), settings)
    family = configuration.family_of(said)
    assert family is not None
    draw = np.random.default_rng(seed)
    made = {}
    for name, shape in layouts.expected(family, configuration.sizes(said), said).items():
        random = (draw.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
        made[name] = np.ones(shape, np.float32) if "norm" in name else random
    return made


def safetensors(path: Path, content: Mapping[str, np.ndarray], dtypes: Mapping[str, str] | None = None) -> None:
    """Write a .safetensors file; `dtypes` says what a tensor's type is called, where it is not float32."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, array in content.items():
        called, end = (dtypes or {}).get(name, "F32"), position + array.nbytes
        header[name] = {"dtype": called, "shape": list(array.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in content.values()))


def tokenizer(*, size: int = 512, begin: str = "") -> dict[str, Any]:
    """Return a tokenizer.json: byte-level, one token a byte, and fillers up to `size`; `begin` is put before texts."""
    printable = [chr(c) for c in [*range(33, 127), *range(161, 173), *range(174, 256)]]
    letters = printable + [chr(256 + n) for n in range(256 - len(printable))]
    tokens = [*SPECIAL, *letters]
    tokens += [f"filler{n}" for n in range(size - len(tokens))]
    processor = None
    if begin:
        ids = {begin: {"id": begin, "ids": [tokens.index(begin)], "tokens": [begin]}}
        single = [{"SpecialToken": {"id": begin, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
        pair = [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}]
        processor = {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": ids}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": n, "content": token, **flags} for n, token in enumerate(SPECIAL)],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": processor,
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: n for n, token in enumerate(tokens)},
            "merges": [],
        },
    }


def write_json(path: Path, value: object) -> None:
    """Write JSON, nulls and all."""
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def build(folder: Path, family: str = "llama", **changes: Any) -> Path:
    """Make a whole model folder and return it; `changes` are of its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = config(family, **changes)
    write_json(folder / "config.json", settings)
    write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2})
    write_json(folder / "tokenizer.json", tokenizer())
    named = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE}
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **named})
    safetensors(folder / "model.safetensors", tensors(settings))
    return folder


def change(path: Path, **values: Any) -> None:
    """Change keys of a JSON file."""
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | values)


def drop(path: Path, *keys: str) -> None:
    """Remove keys of a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {key: value for key, value in content.items() if key not in keys})


def rewrite(folder: Path, edit: Any) -> None:
    """Write the weights again after `edit` has changed the dictionary of tensors (made anew from config.json)."""
    content = tensors(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    edit(content)
    safetensors(folder / "model.safetensors", content)


def shard(folder: Path, *, below: str = "") -> None:
    """Spread the weights over two files (in the subfolder `below`) with an index in place of the single file."""
    content = tensors(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    (folder / "model.safetensors").unlink(missing_ok=True)
    names = sorted(content)
    mapped = {}
    for number in (1, 2):
        file = f"{below}model-0000{number}-of-00002.safetensors"
        part = names[number - 1 :: 2]
        safetensors(folder / file, {name: content[name] for name in part})
        mapped |= dict.fromkeys(part, file)
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": mapped})


def facts(family: str = "llama", *, parameters: int = 250, size: int = 1000, **changes: Any) -> Facts:
    """Return the facts of a model that is nowhere: `changes` are of its config.json."""
    said = Values(Path("config.json"), config(family, **changes))
    positions = configuration.context(said)
    sizes = configuration.sizes(said)
    return Facts(
        architecture=ARCHITECTURES[family],
        family=family,
        sizes=sizes,
        context=positions,
        sliding_window=configuration.window(said),
        rope=configuration.rope(said, sizes.head_width, positions),
        ends=(2,),
        begin="",
        template=True,
        tokens=sizes.vocabulary,
        parameters=parameters,
        dtypes=("F32",),
        files=("model.safetensors",),
        bytes=size,
    )
