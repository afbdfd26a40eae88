"""What generation_config.json asks for: the ends of an answer, and settings that make it more than greedy."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from smoke.models.check.values import Values, optional, shown

FILE = "generation_config.json"
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "do_sample": (False,),
    "num_beams": (1,),
    "num_beam_groups": (1,),
    "num_return_sequences": (1,),
    "repetition_penalty": (1.0,),
    "encoder_repetition_penalty": (1.0,),
    "diversity_penalty": (0.0,),
    "length_penalty": (1.0,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "min_length": (0,),
    "temperature": (1.0,),
    "top_k": (50, 0),
    "top_p": (1.0,),
    "typical_p": (1.0,),
    "epsilon_cutoff": (0.0,),
    "eta_cutoff": (0.0,),
    "renormalize_logits": (False,),
    "remove_invalid_values": (False,),
}
"""Settings, and the values with which they change nothing."""
_SETTINGS = (
    *_NEUTRAL, "min_p", "min_new_tokens", "bad_words_ids", "force_words_ids", "suppress_tokens",
    "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id", "sequence_bias",
    "exponential_decay_length_penalty", "guidance_scale", "penalty_alpha", "stop_strings", "watermarking_config",
    "constraints", "top_h",
)  # fmt: skip
"""Those that change which token is chosen, or which end an answer."""


class Generation(Struct, frozen=True, kw_only=True):
    """The ids that end an answer, and what is asked for beyond them, by name."""

    ends: tuple[int, ...]
    asks: dict[str, str]


def load(folder: Path, config: Values, vocabulary: int) -> Generation:
    """Return what is asked for. Raise InputError for ids that are none, or numbers that cannot be used."""
    own = optional(folder / FILE)
    for name in ("repetition_penalty", "temperature", "top_p"):
        if own.content.get(name) != 0:
            own.number(name)
    own.flag("do_sample")
    if own.content.get("top_k") != 0:
        own.whole("top_k")
    ends = own.ids("eos_token_id", vocabulary) or config.ids("eos_token_id", vocabulary)
    return Generation(ends=ends, asks={name: shown(own.content[name]) for name in _SETTINGS if _counts(own, name)})


def _counts(own: Values, name: str) -> bool:
    value = own.content.get(name)
    return value is not None and value not in _NEUTRAL.get(name, ())
