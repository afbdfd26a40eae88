"""rich's console, with everything that a terminal would obey made visible on its way out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from wheelhouse.console.plain import plain


def safe_text(text: Text) -> Text:
    """Return a text with nothing in it that a terminal would obey; one that is changed has one style only."""
    shown = plain(text.plain)
    return text if shown == text.plain else Text(shown, style=text.style, no_wrap=text.no_wrap, overflow=text.overflow)


class SafeConsole(Console):
    """A console whose texts are shown literally, whatever they hold: no markup, no control characters.

    What rich itself controls (cursor, colours) is not text and stays.
    """

    def __init__(self, *, stderr: bool = False, highlight: bool = True, width: int | None = None) -> None:
        super().__init__(stderr=stderr, highlight=highlight, width=width, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Leave it to the front door, which ends with the exit code for it; rich would end with 1 from anywhere."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text that a string is drawn as, and measured by."""
        return super().render_str(plain(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of anything: every part of a table comes by here, before its width is measured."""
        drawn = safe_text(renderable) if isinstance(renderable, Text) else renderable
        for segment in super().render(drawn, options):
            yield segment if segment.control else segment._replace(text=plain(segment.text))
