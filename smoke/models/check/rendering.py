"""A process that renders a chat template once, for `smoke.models.template_trial`: what a hostile one costs ends here.

Takes JSON on standard input (`template`, `tokens`: the special tokens by their names), and prints what is wrong with
it as JSON: a text, "" for nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from wheelhouse.processes.bounded import limit_oneself

SECONDS = 0.7
"""Real templates take milliseconds."""
MEMORY = 200_000_000
QUESTION = {"role": "user", "content": "What is the capital of France?"}
_MARKS = re.compile(r"{%([-+]?)\s*(?:end)?generation\s*([-+]?)%}")
"""Tags of transformers' own that mark the assistant's words and print nothing."""
_LONGEST = 500


def main() -> None:
    """Answer for one template."""
    print(flush=True)  # noqa: T201 - from here on it is watched
    asked = json.loads(sys.stdin.buffer.read())
    limit_oneself(SECONDS, MEMORY)
    print(json.dumps(problem(asked["template"], asked["tokens"])[:_LONGEST]))  # noqa: T201 - read by a process


def marked(template: str) -> str:
    """Return a template with something that prints nothing, either, in place of transformers' own tags."""
    return _MARKS.sub(r"{%\1 if true \2%}{% endif %}", template)


def problem(template: str, tokens: dict[str, str]) -> str:
    """Return why a template does not render one question, with what transformers puts at its disposal; "": it does."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols"],
        autoescape=False,  # what comes out is thrown away
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(raise_exception=raise_exception, strftime_now=dt.datetime.now().astimezone().strftime)
    given = {"messages": [QUESTION], "tools": None, "documents": None, "add_generation_prompt": True}
    try:
        for _ in environment.from_string(marked(template)).generate({**given, **tokens}):
            pass
    except MemoryError:
        return f"it needs more than {MEMORY // 1_000_000} MB"
    except Exception as error:  # noqa: BLE001 - a template can raise whatever Python can
        return str(error) or type(error).__name__
    return ""


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message: str) -> None:
    """As transformers has it: templates call it, and its name is in what Python says of a wrong call."""
    raise TemplateError(message)


if __name__ == "__main__":
    main()
