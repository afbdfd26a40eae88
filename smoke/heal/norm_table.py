"""What is known about a model's norms, as a table for people."""

from __future__ import annotations

from pathlib import Path

from smoke.heal.known_norms import Answer, NormRecord
from wheelhouse.console import Column, Table, as_json, show_json
from wheelhouse.errors import InputError, UsageError

_COLUMNS = (
    Column(name="layer", right=True),
    Column(name="norm"),
    Column(name="form", drop=3),
    Column(name="worst mean square", right=True, drop=1),
    Column(name="token", right=True, drop=4),
    Column(name="smallest", right=True, drop=5),
    Column(name="verdict"),
    Column(name="scale", drop=2),
)
_WORDS = {
    "overflows": "overflows",
    "near": "close to overflowing",
    "safe": "safe",
    "wide": "safe: computes in fp32",
    "infinite": "not finite even on the CPU",
}


def table(answer: Answer) -> Table:
    """Return the norms that matter: those at risk, those healed, and of the others the one with the largest square."""
    drawn = Table(columns=_COLUMNS)
    for norm in _interesting(answer):
        drawn.add(
            "" if norm.layer is None else str(norm.layer),
            norm.name,
            f"{norm.form} {norm.kind}",
            _number(norm.worst_mean_square, norm),
            "" if norm.worst_token is None else str(norm.worst_token),
            _number(norm.least_mean_square, norm),
            _WORDS[norm.verdict] + (", imprecise" if norm.imprecise else ""),
            _scale(norm),
        )
    return drawn


def lines(answer: Answer) -> list[str]:
    """Return the sentences below the table."""
    said = [answer.summary[0].upper() + answer.summary[1:] + "."]
    measured = answer.calibration
    said.append(
        f"Measured on the CPU over {measured.texts} texts ({measured.tokens} tokens, the longest {measured.longest}) "
        f"and {measured.single_tokens} single tokens, in {answer.seconds:.0f} s."
    )
    if answer.cpu_difference is not None:
        said.append(
            f"{len(answer.rewritten)} norms were rewritten; on the CPU the logits moved by at most "
            f"{answer.cpu_difference:.2%} of the largest."
        )
    if answer.unexamined:
        said.append(f"{answer.unexamined} norms inside branches, loops or functions were not looked at.")
    return said


def _interesting(answer: Answer) -> list[NormRecord]:
    shown = [n for n in answer.norms if n.at_risk or n.scale is not None or n.present_scale > 1]
    rest = [n for n in answer.norms if n not in shown and n.verdict in {"safe", "infinite"}]
    infinite = [n for n in rest if n.verdict == "infinite"]
    largest = max(rest, key=lambda n: n.worst_mean_square or 0.0, default=None)
    chosen = {*map(id, shown), *map(id, infinite), *([] if largest is None else [id(largest)])}
    return [norm for norm in answer.norms if id(norm) in chosen]


def _number(value: float | None, norm: NormRecord) -> str:
    if value is None:
        return "" if norm.verdict == "wide" else "not finite"
    return f"{value:.4g}" if value < 1 else f"{value:,.0f}"


def _scale(norm: NormRecord) -> str:
    total = norm.present_scale * (norm.scale or 1)
    return "" if total == 1 and norm.scale is None else f"1/{total}"


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The prompts file {path} cannot be read: {error}.", remedy="Give a text file, UTF-8."
        ) from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def show(folder: str, *, out: str, check: bool, prompts: str = "", json: bool, mode: str) -> None:
    """Check or heal a folder as `invoke heal` was told to, and print what was found, as a table or as JSON."""

    from smoke.heal import healing
    from wheelhouse.console import result, say

    source, target = Path(folder).expanduser(), Path(out).expanduser() if out else None
    if check and target is not None:
        raise UsageError("--check changes nothing and so has nothing to write to --out.", remedy="Give one of the two.")
    if prompts and not check:
        raise UsageError("--prompts is what --check measures besides its own texts.", remedy="Give both, or neither.")
    asked = _lines(Path(prompts).expanduser()) if prompts else ()
    found = healing.check(source, asked) if check else healing.heal(source, out=target, mode=mode)
    if json:
        show_json(as_json(found))
        return
    result(table(found))
    for line in lines(found):
        say(line)
    if check and found.at_risk:
        say(f"`invoke heal {folder}` cures it.")
