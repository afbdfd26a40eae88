"""A process that reads wheels, one after the other, for `recipes.audit.apart`: what a hostile one costs ends here.

Takes a JSON line for each wheel on standard input, and answers on standard output with the length and the pickled
`Wheel`. It limits itself where the system can (Linux); whoever started it watches it, too.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path

import msgspec

from recipes.audit.readers.limits import MAX_MEMORY, seconds_for
from recipes.audit.readers.wheel import read_wheel
from wheelhouse.processes.bounded import limit_oneself

LENGTH = 8
"""Bytes of the length before each answer."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One wheel to read."""

    path: str
    own: bool
    roots: tuple[str, ...]


def main() -> None:
    """Answer until standard input ends."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # a library that prints must not print into an answer
        for line in sys.stdin.buffer:
            asked = msgspec.convert(json.loads(line), Asked)  # unlike msgspec's JSON, it takes a name that is no UTF-8
            path = Path(asked.path)
            limit_oneself(seconds_for(path.stat().st_size), MAX_MEMORY)
            answer = pickle.dumps(read_wheel(path, own=asked.own, roots=asked.roots))
            answers.write(len(answer).to_bytes(LENGTH, "little") + answer)
            answers.flush()


if __name__ == "__main__":
    main()
