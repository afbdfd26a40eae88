"""What config.json says about a model, read strictly: sizes that fit each other, positions, quantisation, own code."""

from __future__ import annotations

from pathlib import Path

from smoke.models.check.folder_facts import Rope, Sizes
from smoke.models.check.layouts import FAMILIES, Family
from smoke.models.check.quantised import refuse_quantised
from smoke.models.check.values import Values, read, shown
from wheelhouse.errors import InputError, nearest

_LAYERS = 1000
_HIDDEN = ("hidden_size", "n_embd", "d_model")
_COUNT = ("num_hidden_layers", "n_layer", "n_layers")
_INNER = ("intermediate_size", "n_inner", "ffn_dim")
"""What a size is called, in newer architectures first."""
_ENDINGS = ("ForCausalLM", "LMHeadModel")
_NO_DECODER = "Give a language model that continues text (…ForCausalLM)."
_SCALED = ("linear", "dynamic", "yarn", "longrope", "llama3")
_ROPES = ("default", *_SCALED)
_EPSILONS = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon")
_ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function")
_KINDS_OF_ACTIVATION = (
    "gelu", "gelu_10", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate",
    "hardswish", "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6", "sigmoid",
    "silu", "swish", "tanh", "prelu", "xielu",
)  # fmt: skip
"""What transformers 5 knows (its ACT2FN)."""
_DTYPES = ("float32", "float16", "bfloat16", "float64", "auto", "fp32", "fp16", "bf16")


def load(folder: Path) -> Values:
    """Return config.json of a folder. Raise InputError unless it is that of one plain, unquantised decoder of text."""
    config = read(folder / "config.json", "It is not a Hugging Face model folder without it.")
    refuse_quantised(config)
    architecture(config)
    for name in ("dtype", "torch_dtype"):
        dtype = config.text(name).removeprefix("torch.")
        if dtype and dtype not in _DTYPES:
            raise config.refusal(name, "not a type of numbers that the weights of a model here can have")
    return config


def details(config: Values, vocabulary: int) -> None:
    """Raise InputError for what a class would stumble over while it is made: epsilon, activation, ids of tokens."""
    for name in _EPSILONS:
        if name in config.content and config.number(name) is None:
            raise config.refusal(name, "not a number above zero")
    for name in _ACTIVATIONS:
        kind = config.text(name)
        if kind and kind not in _KINDS_OF_ACTIVATION and config.part("auto_map") is None:
            known = nearest(kind, _KINDS_OF_ACTIVATION)
            raise config.refusal(name, "an activation that transformers does not have", known)
    kinds, layers = config.content.get("layer_types"), config.whole(*_COUNT)
    if kinds is not None and (not isinstance(kinds, list) or len(kinds) != layers):
        raise config.refusal("layer_types", f"not a list of {layers} kinds of layers")
    config.ids("bos_token_id", vocabulary)
    pad = config.content.get("pad_token_id")
    if pad is not None and (type(pad) is not int or not -vocabulary <= pad < vocabulary):
        raise config.refusal("pad_token_id", f"not the id of a token of a vocabulary of {vocabulary}")


def architecture(config: Values) -> str:
    """Return the one class that the configuration names. Raise InputError when it is no decoder of text."""
    path, named = config.path, config.content.get("architectures")
    if not named:
        raise InputError(
            f"{path} names no architecture.", remedy="Give a folder as transformers' save_pretrained writes it."
        )
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named) or len(named) != 1:
        raise config.refusal("architectures", "not a list with the name of one class")
    for part, kind in (("text_config", "text"), ("vision_config", "images"), ("audio_config", "sound")):
        if config.part(part) is not None:
            raise InputError(
                f"{path} has a {part}: {named[0]} is a model of several parts ({kind} among them).",
                remedy="Only models of text alone can be compared: give its language model as a folder of its own.",
            )
    if config.flag("is_encoder_decoder") or not named[0].endswith(_ENDINGS):
        raise config.refusal("architectures", "not a model that continues text", _NO_DECODER)
    family = family_of(config)
    if family is not None and family.architecture != named[0]:
        what = (
            f"but model_type is {shown(config.text('model_type'))}, which transformers loads as {family.architecture}"
        )
        raise config.refusal("architectures", what)
    by_name = next((kind for kind, known in FAMILIES.items() if known.architecture == named[0]), None)
    if family is None and by_name is not None:
        what = f"but architectures is {named[0]}, whose model_type is {by_name}"
        raise config.refusal("model_type", what)
    return str(named[0])


def family_of(config: Values) -> Family | None:
    """Return the family that transformers goes by (model_type), where its layout is known here."""
    return FAMILIES.get(config.text("model_type"))


def sizes(config: Values) -> Sizes:
    """Return the sizes. Raise InputError for one that is missing, of another kind, or that does not fit the others."""
    family = family_of(config)
    hidden = config.needed("hidden_size", "n_embd", "d_model")
    layers = config.needed("num_hidden_layers", "n_layer", "n_layers")
    if layers > _LAYERS:
        raise config.refusal(
            config.first(("num_hidden_layers", "n_layer", "n_layers")), "more layers than any model has"
        )
    heads = config.needed("num_attention_heads", "n_head", "n_heads")
    key_heads = config.whole("num_key_value_heads") or heads
    width = config.whole("head_dim") or (family.head_width if family else 0)
    if not width:
        if hidden % heads:
            raise config.refusal(config.first(_HIDDEN), f"which {heads} attention heads do not divide")
        width = hidden // heads
    if family is not None and width % 2:
        raise config.refusal("head_dim" if "head_dim" in config else config.first(_HIDDEN), f"heads of {width} are odd")
    if heads % key_heads:
        raise config.refusal("num_key_value_heads", f"which does not divide the {heads} attention heads")
    said = family is not None or _INNER[0] in config.content
    return Sizes(
        layers=layers,
        hidden=hidden,
        heads=heads,
        key_heads=key_heads,
        head_width=width,
        inner=config.needed(*_INNER) if said else config.whole(*_INNER) or 4 * hidden,
        vocabulary=config.needed("vocab_size"),
        tied=config.flag("tie_word_embeddings", default=family is not None and family.tied),
    )


def context(config: Values) -> int | None:
    """Return the most positions; None where an architecture that is not known here does not say."""
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
    return config.needed(*names) if family_of(config) else config.whole(*names)


def window(config: Values) -> int | None:
    """Return the sliding window in tokens, where one is in use."""
    found = config.whole("sliding_window")
    return found if config.flag("use_sliding_window", default=True) else None


def rope(config: Values, width: int, positions: int | None) -> Rope:
    """Return how positions are turned into angles. Raise InputError for a scaling that cannot be computed."""
    parts = [part for part in (config.part("rope_scaling"), config.part("rope_parameters")) if part is not None]
    theta = config.number("rope_theta")
    outside = config.whole("original_max_position_embeddings")
    found = Rope(theta=theta)
    for part in parts:
        inner = part.part("full_attention") or part  # Gemma 3: one object for each kind of layer
        scaled = _scaling(inner, width, positions, outside, theta)
        if part is not parts[0] and scaled.kind != found.kind:
            raise config.refusal("rope_scaling", f"but rope_parameters are of the kind {scaled.kind}")
        found = scaled
    return found


def _kind(part: Values) -> tuple[str, str]:
    """Return the key that names the scaling, and the scaling. Raise InputError when it is none, or two are named."""
    name = "rope_type" if part.text("rope_type") else "type"
    kind = part.text(name) or "default"
    kind = {"su": "longrope"}.get(kind, kind)
    if kind not in _ROPES:
        raise part.refusal(name, f"a scaling of positions that is not known here. {nearest(kind, _ROPES)}")
    other = part.text("type")
    if name == "rope_type" and other and {"su": "longrope"}.get(other, other) != kind:
        raise part.refusal(name, f"but type is {shown(other)}")
    return name, kind


def _scaling(part: Values, width: int, positions: int | None, outside: int | None, theta: float | None) -> Rope:
    name, kind = _kind(part)
    theta = part.number("rope_theta") or theta
    if kind == "default":
        if part.number("factor") not in {None, 1.0}:
            raise part.refusal("factor", "but no kind of scaling is named (rope_type)")
        return Rope(theta=theta)
    original = part.whole("original_max_position_embeddings") or outside
    if kind == "longrope":
        share = part.number("partial_rotary_factor") or 1.0
        pairs = int(width * share) // 2
        for factors in ("short_factor", "long_factor"):
            part.numbers(factors, pairs)
        if original is None:
            raise part.refusal("original_max_position_embeddings", "which longrope needs, is not there")
        factor = positions / original if positions else None
        return Rope(kind=kind, theta=theta, factor=factor, original=original)
    factor = part.number("factor")
    if factor is None or factor < 1:
        raise part.refusal("factor", f"which {kind} needs: a number from 1 on")
    if kind == "llama3":
        low, high = part.number("low_freq_factor"), part.number("high_freq_factor")
        if low is None or high is None or high <= low or original is None:
            needs = "low_freq_factor < high_freq_factor and original_max_position_embeddings"
            raise part.refusal(name, f"which needs {needs}")
    if kind == "dynamic":
        original = original or positions
    return Rope(kind=kind, theta=theta, factor=factor, original=original)
