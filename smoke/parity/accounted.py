"""Whether a free answer is accounted for: chosen by the runtime's own logits, ended by an end token, not a loop."""

from __future__ import annotations

from collections.abc import Sequence

from smoke.parity.dumps import Dump, PromptDump
from smoke.parity.thresholds import THRESHOLDS

LONGEST_CYCLE, LEAST_TURNS, LEAST_TOKENS = 16, 4, 16
"""Tokens that repeat at the end of an answer are a loop from so many turns and tokens on."""


def margin(dump: Dump, spread: float) -> float | None:
    """Return by how many spreads a token of the answers lacks to the best one, at most; None where nobody looked."""
    if not any(prompt.rechecked for prompt in dump.prompts):
        return None
    leads = [lead for prompt in dump.prompts for _, _, lead in prompt.unchosen if lead is not None]
    return max(leads, default=0.0) / (spread or 1.0)


def violations(dump: Dump, *, tie: float, spread: float, ends: Sequence[int], limit: int) -> list[str]:
    """Return what is wrong with the free answers, in words; `tie` in spreads, `limit` the most tokens of an answer."""
    numbered = list(enumerate(dump.prompts, 1))
    found = [said for number, prompt in numbered if (said := _unlike_its_logits(number, prompt, tie, spread, ends))]
    found += [said for number, prompt in numbered if (said := _ended_wrongly(number, prompt, ends, limit))]
    unsure = sum(lead is None for prompt in dump.prompts for _, _, lead in prompt.unchosen)
    checked = sum(prompt.rechecked for prompt in dump.prompts)
    if unsure > THRESHOLDS.answers.unlike * checked:
        found.append(f"asked again, it goes on differently after {unsure} of {checked} beginnings of its own answers")
    if any(not prompt.rechecked for prompt in dump.prompts):
        found.append("nobody looked whether its answers are what its logits say")
    return found


def not_greedy(dump: Dump, *, tie: float, spread: float) -> list[str]:
    """Return where a reference's answers are not what its own logits say, in words: it would blame all others."""
    numbered = enumerate(dump.prompts, 1)
    return [said for number, prompt in numbered if (said := _unlike_its_logits(number, prompt, tie, spread, ()))]


def loops(dump: Dump) -> list[str]:
    """Return which answers end in a loop, in words."""
    found = []
    for number, prompt in enumerate(dump.prompts, 1):
        cycle = _cycle(prompt.tokens)
        if cycle is not None:
            start, period = cycle
            turn = "".join(prompt.pieces[start : start + period])
            found.append(f"from token {start} on its answer to prompt {number} repeats {turn!r}")
    return found


def _unlike_its_logits(number: int, prompt: PromptDump, tie: float, spread: float, ends: Sequence[int]) -> str:
    wrong = [(k, best, lead / (spread or 1.0)) for k, best, lead in prompt.unchosen if lead is not None]
    wrong = [entry for entry in wrong if not entry[2] <= tie]
    if not wrong:
        return ""
    position, best, lead = wrong[0]
    more = f", and so on at {len(wrong) - 1} more" if len(wrong) > 1 else ""
    where = f"token {position} of its answer to prompt {number} is {_shown(prompt, position)}"
    if best in ends:
        return f"{where} where by its own logits the answer ends (by {lead:.3g} spreads){more}"
    return f"{where} where by its own logits another one is best (by {lead:.3g} spreads){more}"


def _ended_wrongly(number: int, prompt: PromptDump, ends: Sequence[int], limit: int) -> str:
    if not ends or not limit or not prompt.tokens:
        return ""
    early = next((k for k, token in enumerate(prompt.tokens[:-1]) if token in ends), None)
    if early is not None:
        return f"its answer to prompt {number} goes on after its end token at {early}"
    if len(prompt.tokens) < limit and prompt.tokens[-1] not in ends:
        return (
            f"its answer to prompt {number} ends after {len(prompt.tokens)} tokens with "
            f"{_shown(prompt, len(prompt.tokens) - 1)}, which is no end token of the model"
        )
    return ""


def _shown(prompt: PromptDump, position: int) -> str:
    piece = prompt.pieces[position] if position < len(prompt.pieces) else ""
    return repr(piece) if piece else f"the special token {prompt.tokens[position]}"


def _cycle(tokens: Sequence[int]) -> tuple[int, int] | None:
    """Return where a loop at the end begins, and its length; None when there is none."""
    for period in range(1, LONGEST_CYCLE + 1):
        start = len(tokens) - period
        while start > 0 and tokens[start - 1] == tokens[start - 1 + period]:
            start -= 1
        if len(tokens) - start >= max(LEAST_TURNS * period, LEAST_TOKENS):
            return start, period
    return None
