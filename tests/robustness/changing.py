"""The changes that the fuzz suite makes to valid files: to bytes, to the values of JSON, to the lines of TOML."""

from __future__ import annotations

import json
import random
from typing import Any

EXTREMES: list[Any] = [
    None, True, -1, 0, 1 << 63, 1 << 200, 1e308, float("nan"), "", "\0", "\x1b[2J", "\u202e", "../../x", "x" * 100_000,
    [], [[]], {}, {"": {}}, [None] * 1000,
]  # fmt: skip


def bytes_changed(data: bytes, draw: random.Random) -> bytes:
    raw = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at, length = draw.randrange(len(raw) + 1), draw.choice([1, 1, 2, 4, 8, 64, 1024])
        match draw.randrange(6):
            case 0 if at < len(raw):
                raw[at] ^= 1 << draw.randrange(8)
            case 1:
                raw[at : at + length] = draw.randbytes(length)
            case 2:
                del raw[at : at + length]
            case 3:
                raw[at:at] = draw.randbytes(length)
            case 4:
                raw[at:at] = raw[at : at + length] * draw.choice([1, 2, 50])
            case _:
                raw[at : at + length] = draw.choice([b"\xff", b"\0"]) * length
    return bytes(raw)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the keys that lead to every value of a document."""
    inside: Any = ()
    if isinstance(document, dict):
        inside = document.items()
    elif isinstance(document, list):
        inside = enumerate(document)
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


def value_changed(document: Any, draw: random.Random) -> Any:
    """Return the document with one value replaced, removed, renamed or buried."""
    document = json.loads(json.dumps(document))
    *above, last = draw.choice([place for place in places(document) if place])
    parent = document
    for key in above:
        parent = parent[key]
    match draw.randrange(5):
        case 0:
            del parent[last]
        case 1 if isinstance(parent, dict):
            parent[draw.choice(["", "x", str(last).upper(), f"{last}s"])] = parent.pop(last)
        case 2:
            parent[last] = [parent[last]] * draw.choice([1, 2, 500])
        case _:
            parent[last] = draw.choice(EXTREMES)
    return document


def json_changed(data: bytes, draw: random.Random) -> bytes:
    if draw.random() < 0.3:
        return bytes_changed(data, draw)
    if draw.random() < 0.03:
        depth = draw.choice([1000, 100_000])
        return b"[" * depth + b"]" * depth
    return json.dumps(value_changed(json.loads(data), draw)).encode()


def toml_changed(data: bytes, draw: random.Random) -> bytes:
    text = data.decode()
    if draw.random() < 0.5:
        return bytes_changed(data, draw)
    lines = text.splitlines()
    at = draw.randrange(len(lines))
    key, equals, _ = lines[at].partition("=")
    value = draw.choice(
        [
            '""',
            "1",
            "-1",
            "true",
            "[]",
            "{}",
            "1979-05-27",
            "nan",
            "9" * 5000,
            '"../x"',
            '"\\u001b[2J"',
            "[[[]]]",
            "[" * 5000,
        ]
    )
    lines[at] = f"{key}= {value}" if equals else draw.choice(["", lines[at] * 2, "[[x]]", "[a.b", "\0"])
    return "\n".join(lines).encode()
