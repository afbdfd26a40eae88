"""Whether a chat template is one at all: its syntax, before a runtime stumbles over it."""

from __future__ import annotations

import re
from pathlib import Path

from wheelhouse.errors import InputError

_BYTES = 1_000_000
_MARKS = re.compile(r"{%([-+]?)\s*(?:end)?generation\s*([-+]?)%}")
"""Tags of transformers' own that mark the assistant's words and print nothing."""


def require_template(text: str, path: Path) -> None:
    """Raise InputError unless `text`, which stands in `path`, can be parsed as transformers would."""
    import jinja2  # not at the top: most commands look at no template

    if len(text) > _BYTES:
        raise InputError(f"{path}: the chat template has {len(text)} characters, which is none.")
    environment = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=True)
    try:
        environment.parse(_MARKS.sub(r"{%\1 if true \2%}{% endif %}", text))
    except jinja2.TemplateSyntaxError as error:
        raise InputError(
            f"{path}: the chat template cannot be parsed: {error.message} (line {error.lineno}).",
            remedy="Take the file as the model's author published it.",
        ) from error
    except (RecursionError, ValueError, TypeError) as error:
        raise InputError(f"{path}: the chat template cannot be parsed: {error}.") from error
