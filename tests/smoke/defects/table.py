"""The matrix of defects and gates as a page: `python -m tests.smoke.defects.table [MODEL [RUNTIME [PART,PART…]]]`.

Runs them (in all of MODEL's runtimes or in one, all or those that have one of the PARTs in their name), keeps what was
seen in the cache beside what is there, and writes the page anew of it.
"""

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.smoke.defects.catalogue import ASKED, DEFECTS, HEALTHY, ORT, RUNTIMES
from tests.smoke.defects.planting import is_caught, planted
from wheelhouse.paths import ROOT, cache_dir

MODELS = {"smollm2-135m": RUNTIMES, "tiny-phi3": (*ORT, "openvino:fp16")}
"""In which runtimes defects are planted, by model. tiny-phi3's choices are so clear that tokens alone show little."""
PAGE = ROOT / "docs" / "parity.md"
ORDER = [*(defect.name for defect in DEFECTS), *HEALTHY, *ASKED]
WORDS = 60
AT_ONCE = 5
"""Defects in a run: what it finds is kept when it ends."""
HEAD = """# What a PASS excludes

Defects planted by code (`tests/smoke/defects/catalogue.py`) into the graph or the weights of an export, or into an
engine, run by real workers and judged as `invoke smoke` judges; healthy variations beside them. fp32 and fp16 are held
to transformers, int4 to its twin. A cell says what named it; in an empty one it was not planted or not run.
`python -m tests.smoke.defects.table` writes this page anew; `pytest -m integration tests/smoke/defects` holds the code
to it. What the gates are, and what their limits rest on: [smoke.md](smoke.md), `smoke/parity/thresholds.toml`.
"""


@dataclass(frozen=True)
class Row:
    """One defect or healthy variation in one runtime, and whether the verdict on it is right."""

    name: str
    runtime: str
    healthy: bool
    right: bool
    said: str


def measured(model, work, runtimes, parts=("",)):
    """Run everything that has one of the parts in its name, and yield the rows as they come."""

    def asked_for(name):
        return any(part in name for part in parts)

    defects = {defect.name: defect for defect in DEFECTS if asked_for(defect.name)}
    ways = [name for name in HEALTHY if asked_for(name)]
    for number, runtime in enumerate(runtimes):
        here = [defect for defect in defects.values() if defect.planted_in(runtime)]
        for start in range(0, len(here) or 1, AT_ONCE):
            some, healthy = here[start : start + AT_ONCE], () if start else ways
            with tempfile.TemporaryDirectory(dir=work, prefix=f"{number}-{start}-") as folder:
                found = planted(model, some, Path(folder), runtimes=(runtime,), healthy=healthy) if some or ways else {}
            yield from (_row(name, runtime, defects.get(name), result) for (name, _), result in found.items())
    for name, (asked, tokens) in ((name, way) for name, way in ASKED.items() if asked_for(name)):
        with tempfile.TemporaryDirectory(dir=work) as folder:
            found = planted(model, (), Path(folder), healthy=[name], asked=asked, tokens=tokens, runtimes=runtimes)
        yield from (_row(name, runtime, None, result) for (_, runtime), result in found.items())


def _row(name, runtime, defect, result):
    right = result.verdict == "PASS" if defect is None else is_caught(defect, result)
    return Row(name, runtime, defect is None, right, f"{result.verdict.value}: {result.reason}")


def kept(model, runtime):
    return cache_dir("defects") / f"{model}-{runtime.replace(':', '-')}.json"


def keep(model, row):
    path = kept(model, row.runtime)
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    found = {other["name"]: other for other in [*before, asdict(row)]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([found[name] for name in ORDER if name in found], indent=1), encoding="utf-8")


def page():
    """Return the page over all that is kept."""
    text = HEAD
    for model, runtimes in MODELS.items():
        paths = [kept(model, runtime) for runtime in runtimes]
        rows = [Row(**row) for path in paths if path.exists() for row in json.loads(path.read_text(encoding="utf-8"))]
        if rows:
            text += _section(model, runtimes, rows)
    return text


def _section(model, runtimes, rows):
    cells = {(row.name, row.runtime): row for row in rows}
    head = f"{' | '.join(name.replace(':', ' ') for name in runtimes)} |\n|{'---|' * (1 + len(runtimes))}\n"

    def lines(healthy):
        seen = {row.name for row in rows if row.healthy == healthy}
        names = [name for name in ORDER if name in seen]
        shown = ((name, [_cell(cells.get((name, runtime))) for runtime in runtimes]) for name in names)
        return "".join(f"| {name} | {' | '.join(found)} |\n" for name, found in shown)

    bad, good = (sum(row.healthy == healthy for row in rows) for healthy in (False, True))
    right = sum(row.right for row in rows if not row.healthy)
    fine = sum(row.right for row in rows if row.healthy)
    return (
        f"\n## {model}\n\n{right} of {bad} defects are caught by a gate that names them.\n\n"
        f"| defect | {head}{lines(False)}\n{fine} of {good} healthy variations trip no gate.\n\n"
        f"| healthy variation | {head}{lines(True)}"
    )


def _cell(row):
    if row is None:
        return ""
    if row.healthy:
        return "passes" if row.right else f"**trips**: {_short(row.said)}"
    said = _short(_naming(row))
    return said if row.right else f"**not caught** ({row.said.partition(':')[0]}): {said}"


def _naming(row):
    """Return the part of the reason that names what found it, or its beginning."""
    said = row.said.partition(": ")[2].removeprefix("Its weights are at fault: ")
    gates = next(defect.gate for defect in DEFECTS if defect.name == row.name).split("|")
    clauses = said.split("; ")
    named = [clause for gate in gates for clause in clauses if gate.lower() in clause.lower()]
    return (
        (named or clauses)[0]
        .removeprefix("The quantised weights are not the model's: ")
        .removeprefix("the quantised weights are not the model's: ")
    )


def _short(said):
    said = said.partition("\n")[0].replace("|", "\\|").rstrip(".")
    return said if len(said) <= WORDS else said[:WORDS].rpartition(" ")[0] + " …"


def main(arguments):
    for model in arguments[:1] or MODELS:
        with tempfile.TemporaryDirectory(dir=cache_dir()) as work:  # where exports can be linked to
            parts = arguments[2].split(",") if len(arguments) > 2 else ("",)
            for row in measured(model, Path(work), tuple(arguments[1:2]) or MODELS[model], parts):
                keep(model, row)
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
