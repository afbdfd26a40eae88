"""Nothing raw reaches a terminal: whatever a name, a message or a model says, it is shown and not obeyed.

An escape sequence could rewrite what stands above it, a right-to-left mark could turn a name round. Control characters
appear as their pictures, marks of direction by their number; line ends and tabs stay.
"""

from __future__ import annotations

import re

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_RAW = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_DIRECTION}]")
_PICTURES = 0x2400
"""U+2400 is the picture of NUL, and so on for all that are below the space."""


def plain(text: str) -> str:
    """Return a text with everything that a terminal would obey made visible."""
    return _RAW.sub(_visible, text)


def plain_json(text: str) -> str:
    """Return a JSON document in which the same characters, which stand in strings only, are escaped as JSON does."""
    return _RAW.sub(lambda found: found[0] if found[0] == "\r" else f"\\u{ord(found[0]):04x}", text)


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"
