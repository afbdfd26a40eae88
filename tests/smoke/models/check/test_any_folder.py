"""Whatever a model's files say: it is understood, or refused with an InputError; no other error, never much memory."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoke.models import gguf_file
from smoke.models.check import whole_folder
from smoke.models.check.layouts import FAMILIES
from smoke.models.converters.from_gguf import table
from tests.smoke.models import building
from tests.smoke.models import gguf_building as gguf
from wheelhouse.errors import InputError

EXTREMES = (0, -1, 1, 2, 3, 7, 64, 512, 1 << 20, 1 << 31, 1 << 40, 1 << 64, -(1 << 63), 10**30)
NUMBERS = st.one_of(st.sampled_from(EXTREMES), st.floats(), st.integers(0, 2048))
TEXTS = st.one_of(
    st.sampled_from(["", "llama", "linear", "longrope", "yarn", "dynamic", "64", "None", "é\ud800"]),
    st.text(max_size=8),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
NAMES = st.sampled_from(
    ["factor", "type", "rope_type", "quant_method", "bits", "short_factor", "long_factor", "full_attention",
     "original_max_position_embeddings", "low_freq_factor", "high_freq_factor", "rope_theta", "x", ""]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=9) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)
KEYS = (
    *building.config(), "sliding_window", "use_sliding_window", "rope_scaling", "rope_parameters", "auto_map", "n_embd",
    "original_max_position_embeddings", "quantization_config", "text_config", "is_encoder_decoder", "attention_bias",
    "mlp_bias", "partial_rotary_factor", "n_layer", "n_head", "n_inner", "compression_config", "dtype",
)  # fmt: skip
CHANGES = st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=4)
THOROUGH = settings.get_current_profile_name() == "thorough"
"""`pytest --hypothesis-profile=thorough`: as many examples as that profile says, of everything."""


def many(examples: int) -> settings:
    wanted = settings().max_examples if THOROUGH else examples
    return settings(max_examples=wanted, deadline=None, suppress_health_check=list(HealthCheck))


MANY = many(60)


def dump(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")


def understood_or_refused(folder: Path) -> None:
    try:
        whole_folder.facts_of(folder)
    except InputError as error:
        assert str(folder) in error.message  # noqa: PT017 - whatever is raised, it names the folder
        assert len(error.message) < 3000  # noqa: PT017


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return building.build(tmp_path_factory.mktemp("models") / "m", request.param)


@many(25)
@given(changes=CHANGES, missing=st.sets(st.sampled_from(KEYS), max_size=2))
def test_configurations(folder: Path, changes: dict[str, Any], missing: set[str]) -> None:
    path = folder / "config.json"
    whole = path.read_bytes()
    config = {key: value for key, value in (json.loads(whole) | changes).items() if key not in missing}
    dump(path, config)
    try:
        understood_or_refused(folder)
    finally:
        path.write_bytes(whole)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return building.build(tmp_path_factory.mktemp("models") / "m")


FILES = ("config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json")


@MANY
@given(
    name=st.sampled_from(FILES),
    content=st.one_of(VALUES.map(lambda v: json.dumps(v).encode("utf-8", "surrogatepass")), st.binary(max_size=40)),
)
def test_files_that_hold_anything(llama: Path, name: str, content: bytes) -> None:
    whole = (llama / name).read_bytes()
    (llama / name).write_bytes(content)
    try:
        understood_or_refused(llama)
    finally:
        (llama / name).write_bytes(whole)


SETTINGS = ("eos_token_id", "repetition_penalty", "temperature", "top_k", "top_p", "do_sample", "bos_token", "auto_map",
            "chat_template", "add_bos_token", "stop_strings", "model", "added_tokens", "post_processor")  # fmt: skip


@MANY
@given(name=st.sampled_from(FILES[1:]), key=st.sampled_from(SETTINGS), value=VALUES)
def test_settings_of_any_kind(llama: Path, name: str, key: str, value: Any) -> None:
    whole = (llama / name).read_bytes()
    dump(llama / name, json.loads(whole) | {key: value})
    try:
        understood_or_refused(llama)
    finally:
        (llama / name).write_bytes(whole)


@MANY
@given(data=st.data())
def test_indexes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    sharded = tmp_path_factory.getbasetemp() / "sharded"
    if not sharded.exists():
        building.build(sharded)
        building.shard(sharded)
    path = sharded / "model.safetensors.index.json"
    whole = path.read_bytes()
    index = json.loads(whole)
    names = st.sampled_from([*index["weight_map"], "none", ""])
    index["weight_map"] |= data.draw(
        st.dictionaries(names, VALUES | st.sampled_from(["../x.safetensors", "config.json"]), max_size=3)
    )
    for name in data.draw(st.sets(names, max_size=2)):
        index["weight_map"].pop(name, None)
    dump(path, data.draw(st.sampled_from([index, {"weight_map": data.draw(VALUES)}, data.draw(VALUES)])))
    try:
        understood_or_refused(sharded)
    finally:
        path.write_bytes(whole)


@MANY
@given(data=st.data())
def test_headers_of_weights(llama: Path, data: st.DataObject) -> None:
    path = llama / "model.safetensors"
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    name = data.draw(st.sampled_from([*header, "new"]))
    entry = st.fixed_dictionaries(
        {"dtype": TEXTS, "shape": st.lists(NUMBERS, max_size=5), "data_offsets": st.lists(NUMBERS, max_size=3)}
    )
    header[name] = data.draw(entry | VALUES)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    given_length = data.draw(st.sampled_from([len(text), len(text) + 1, 0, 1 << 40, (1 << 64) - 1]))
    path.write_bytes(struct.pack("<Q", given_length) + text + whole[8 + length :])
    try:
        understood_or_refused(llama)
    finally:
        path.write_bytes(whole)


def of_gguf(value: Any) -> Any:
    """Return a value that GGUF can hold."""
    if isinstance(value, float):
        return gguf.Exactly(12, struct.pack("<d", value))
    if isinstance(value, int) and not isinstance(value, bool):
        return gguf.Exactly(11, struct.pack("<q", max(-(1 << 63), min(value, (1 << 63) - 1))))
    if isinstance(value, list):
        return [of_gguf(item) for item in value if isinstance(item, str)] or [1, 2]
    return value if isinstance(value, bool) else str(value).encode("utf-8", "replace").decode()


GGUF_KEYS = (
    "block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
    "attention.head_count_kv", "attention.key_length", "rope.freq_base", "rope.scaling.type", "rope.scaling.factor",
    "rope.scaling.original_context_length", "attention.layer_norm_rms_epsilon", "rope.dimension_count", "new.key",
    "attention.sliding_window", "expert_count", "vocab_size",
)  # fmt: skip
WORDS = ("model", "pre", "tokens", "token_type", "scores", "merges", "bos_token_id", "eos_token_id", "add_bos_token")


def planned_or_refused(path: Path) -> None:
    try:
        gguf_file.planned(path)
    except InputError as error:
        assert str(path) in error.message  # noqa: PT017
        assert len(error.message) < 3000  # noqa: PT017


@MANY
@given(
    architecture=st.sampled_from(sorted(table.ARCHITECTURES)),
    changes=st.dictionaries(st.sampled_from(GGUF_KEYS), SCALARS, max_size=3),
    words=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=2),
)
def test_keys_of_gguf_files(
    tmp_path_factory: pytest.TempPathFactory, architecture: str, changes: dict[str, Any], words: dict[str, Any]
) -> None:
    keys = gguf.keys(architecture)
    keys |= {f"{architecture}.{name}": of_gguf(value) for name, value in changes.items()}
    keys |= {f"tokenizer.ggml.{name}": of_gguf(value) for name, value in words.items()}
    tensors = gguf.tensors(gguf.keys(architecture), untied=architecture != "gemma3")
    planned_or_refused(gguf.write(tmp_path_factory.getbasetemp() / "keys.gguf", keys, tensors))


@MANY
@given(at=st.integers(0, 1600), to=st.binary(min_size=1, max_size=8), cut=st.none() | st.integers(0, 3000))
def test_bytes_of_gguf_files(tmp_path_factory: pytest.TempPathFactory, at: int, to: bytes, cut: int | None) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.gguf"
    whole = gguf.build(path).read_bytes()
    path.write_bytes((whole[:at] + to + whole[at + len(to) :])[:cut])
    planned_or_refused(path)


def test_a_refusal_takes_no_memory(tmp_path: Path) -> None:
    folder = building.build(tmp_path / "m")
    huge = {"num_hidden_layers": 1000, "vocab_size": 1 << 40, "hidden_size": 1 << 40, "intermediate_size": 1 << 40}
    building.change(folder / "config.json", **huge, head_dim=None)
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000 + "]" * 100_000, encoding="utf-8")
    nested = building.build(tmp_path / "nested")
    deep.replace(nested / "config.json")
    tracemalloc.start()
    try:
        for refused in (folder, nested):
            with pytest.raises(InputError):
                whole_folder.facts_of(refused)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
