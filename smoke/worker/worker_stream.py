"""Showing an answer while it grows: tokens in, text out, no character shown before it is whole."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from typing import TextIO

UNFINISHED = "\ufffd"
"""What a decoder shows for a character whose bytes have not all arrived."""


class Writer:
    """Shows tokens as text: what has become certain, at once. `heard` says whether Ctrl-C was pressed meanwhile."""

    def __init__(
        self, decode: Callable[[Sequence[int]], str], stream: TextIO, heard: Callable[[], bool] = lambda: False
    ) -> None:
        self._decode = decode
        self._stream = stream
        self._heard = heard
        self.tokens: list[int] = []
        self.shown = ""
        self.first: float | None = None
        self.stopping = False

    def stop(self, *_: object) -> None:
        """Handle Ctrl-C: end with the next token, when text and record agree; a second one ends at once."""
        if self.stopping:
            raise KeyboardInterrupt
        self.stopping = True

    def add(self, token: int) -> None:
        """Take one more token. Raise KeyboardInterrupt to end the answer with it."""
        self.first = self.first or time.perf_counter()
        self.tokens.append(token)
        text = self._decode(self.tokens)
        if text.startswith(self.shown) and not text.endswith(UNFINISHED):
            self._stream.write(text[len(self.shown) :])
            self._stream.flush()
            self.shown = text
        if self.stopping or self._heard():
            raise KeyboardInterrupt

    def finish(self) -> str:
        """Show what is left of a text that ended in the middle of a character; return the whole."""
        whole = self._decode(self.tokens) if self.tokens else ""
        if whole.startswith(self.shown):
            self._stream.write(whole[len(self.shown) :])
        return whole


def streamed(decode: Callable[[Sequence[int]], str], tokens: Sequence[int]) -> str:
    """Return the text as it appears when tokens come one by one."""
    stream = io.StringIO()
    writer = Writer(decode, stream)
    for token in tokens:
        writer.add(token)
    writer.finish()
    return stream.getvalue()
