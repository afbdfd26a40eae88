"""Which chat template a folder has, and whether it is one at all: its syntax, before a runtime stumbles over it.

Whether it renders a question is tried elsewhere (`smoke.models.template_trial`), once for each model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smoke.models.check.values import Values, optional
from wheelhouse.errors import InputError

_BYTES = 1_000_000
_NAMED = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
_GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""Classes without special tokens of their own; others fill in what tokenizer_config.json does not name."""


def templates(folder: Path, config: Values) -> list[tuple[str, Path]]:
    """Return every chat template of a folder, that which transformers takes first, and where it stands.

    `config` is tokenizer_config.json. Raise InputError for what is no template.
    """
    path = folder / "chat_template.jinja"
    beside = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    older = optional(folder / "chat_template.json")
    found = ((beside, path), (_named(config), config.path), (older.text("chat_template"), older.path))
    return [(text, where) for text, where in found if text]


def _named(config: Values) -> str:
    """Return the template in a configuration; of a list of named ones, the default."""
    own = config.content.get("chat_template")
    if isinstance(own, list):
        entries = {entry.get("name"): entry.get("template") for entry in own if isinstance(entry, dict)}
        if own and "default" not in entries:
            raise config.refusal("chat_template", "a list without a template whose name is 'default'")
        own = entries.get("default")
    if own is not None and not isinstance(own, str):
        raise config.refusal("chat_template", "neither a text nor a list of named texts")
    return own or ""


def tokens(config: Values) -> dict[str, str]:
    """Return the special tokens that a template finds by their names, as tokenizer_config.json writes them."""
    named: dict[str, Any] = {}
    for name in _NAMED:
        value = config.content.get(name)
        named[name] = value.get("content") if isinstance(value, dict) else value
    found = {name: value for name, value in named.items() if isinstance(value, str)}
    if config.content.get("tokenizer_class") in _GENERIC:
        return found
    return dict.fromkeys(_NAMED, "") | found


def require_template(text: str, path: Path | str) -> None:
    """Raise InputError unless `text`, which stands at `path`, can be parsed as transformers would."""
    import jinja2  # not at the top: most commands look at no template

    from smoke.models.check.rendering import marked

    if len(text) > _BYTES:
        raise InputError(f"{path}: the chat template has {len(text)} characters, which is none.")
    environment = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=True)
    try:
        environment.parse(marked(text))
    except jinja2.TemplateSyntaxError as error:
        raise InputError(
            f"{path}: the chat template cannot be parsed: {error.message} (line {error.lineno}).",
            remedy="Take the file as the model's author published it.",
        ) from error
    except (RecursionError, ValueError, TypeError) as error:
        raise InputError(f"{path}: the chat template cannot be parsed: {error}.") from error
