"""Texts and conversations on which tokenizers and chat templates are compared: short, and each difficult in one way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TEXTS = (
    "Hello, world!",
    "The quick brown fox jumps over the lazy dog.",
    " leading",
    "trailing ",
    "two  spaces",
    "   ",
    "\n",
    "\n\n\nthree lines",
    "a\tb\t\tc",
    "a\r\nb\rc",
    "line\n  indented\n\tby a tab\n",
    "def f(x: int) -> int:\n    return x ** 2  # square\n",
    'for (int i = 0; i < 10; ++i) { printf("%d\\n", i); }',
    '<div class="a">&amp;</div>',
    '{"key": [1, 2.5, null], "a": {"b": true}}',
    "SELECT * FROM t WHERE x != 'y';",
    "https://example.org/path?q=1&r=%20#top",
    "0 1 12 123 1234 12345 123456789",
    "3.14159, -2e10, 1,000,000 and 0x1F",
    "2026-11-26T10:11:12Z",
    "don't can't I'll we've he'd it's DON'T",
    "CamelCase snake_case kebab-case SCREAMING",
    "a.b.c...d!!e??f;;g",
    "(a)[b]{c}<d>'e'\"f\"`g`",
    "+-*/=^~|&%$#@!\\",
    "Déjà vu à Noël, garçon! Où est l'été?",
    "Zoë Müller trinkt heiße Schokolade in Köln.",
    "¿Dónde está el niño? ¡Aquí!",
    "Žluťoučký kůň pěl ďábelské ódy.",
    "Быстрая коричневая лиса",
    "Η γρήγορη καφέ αλεπού",
    "السلام عليكم ورحمة الله",
    "שלום עולם",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "你好,世界。今天天气很好!",
    "こんにちは世界、テストです。",
    "안녕하세요 세계",
    "Xin chào thế giới",
    "e\u0301 is not \u00e9",
    "\ufb01 \u2460 \u00bd \u2122 \uff21",
    "\u201cquotes\u201d \u2018single\u2019 \u2013 \u2014 \u2026",
    "no\u00a0break thin\u2009space zero\u200bwidth",
    "😀",
    "a😀b 👍🏽 🇩🇪 👩‍👩‍👧‍👦",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𒀀",
    "bell\x07 escape\x1b[0m delete\x7f",
    "\ufeffmark",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
)


def _said(*turns: str) -> list[Mapping[str, str]]:
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": roles[turn[0]], "content": turn[2:]} for turn in turns]


CHATS: Mapping[str, Sequence[Mapping[str, str]]] = {
    "one question": _said("u:What is the capital of France?"),
    "a system message": _said("s:You are brief.", "u:Hi"),
    "several turns": _said("u:Hello", "a:Hello! How can I help?", "u:What is 2 + 2?"),
    "a system message and several turns": _said("s:You are brief.", "u:And “Italy”'s?", "a: Rome.\n", "u:Why?"),
    "quotes and braces": _said('u:Say "{{ x }}" \\n {% if %} <b>&amp;</b>'),
    "code": _said("u:```python\nprint('a')\n```\n\nWhat is wrong?"),
    "other scripts": _said("u:日本語で 😀 Зачем?"),
    "empty content": _said("u:"),
    "an empty system message": _said("s:", "u:x"),
    "space around the content": _said("u:  x \n"),
    "two questions in a row": _said("u:a", "u:b"),
    "the answer first": _said("a:a", "u:b"),
    "no question": _said("s:You are brief."),
}
"""By name. The first four are what every chat is made of; a runtime may be unlike the reference in the others."""
PLAIN = tuple(CHATS)[:4]
