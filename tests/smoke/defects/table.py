"""The matrix of defects and gates as a page: `python -m tests.smoke.defects.table [MODEL [RUNTIME [PART,PART…]]]`.

Runs them (in all of MODEL's runtimes or in one, all or those that have one of the PARTs in their name), keeps what was
seen in the cache beside what is there, and writes the page anew of it.
"""

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.smoke.defects.catalogue import ASKED, DEFECTS, HEALTHY, ORT, RUNTIMES, Defect
from tests.smoke.defects.planting import is_caught, planted
from wheelhouse.paths import ROOT, cache_dir

MODELS = {"smollm2-135m": RUNTIMES, "tiny-phi3": (*ORT, "openvino:fp16", "openvino-genai:int4")}
"""In which runtimes defects are planted, by model; in the others of tiny-phi3 by hand only, for their time."""
PAGE = ROOT / "docs" / "parity.md"
WORDS = 36
HEAD = """# What a PASS excludes

Defects planted by code (`tests/smoke/defects/catalogue.py`) into the graph or the weights of an export, or into an
engine, run by real workers and judged as `invoke smoke` judges; healthy variations beside them. fp32 and fp16 are held
to transformers, int4 to its twin. A cell says which gate named it first; an empty one: it was not planted there.
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
    """Run everything that has one of the parts in its name."""

    def asked_for(name):
        return any(part in name for part in parts)

    defects = {defect.name: defect for defect in DEFECTS if asked_for(defect.name)}
    ways = [name for name in HEALTHY if asked_for(name)]
    found = planted(model, defects.values(), work / "defects", runtimes=runtimes, healthy=ways)
    rows = [_row(name, runtime, defects.get(name), result) for (name, runtime), result in found.items()]
    for name, (asked, tokens) in ((name, way) for name, way in ASKED.items() if asked_for(name)):
        folder = work / Defect(name, "").key
        found = planted(model, (), folder, healthy=[name], asked=asked, tokens=tokens, runtimes=runtimes)
        rows += [_row(name, runtime, None, result) for (_, runtime), result in found.items()]
    return rows


def _row(name, runtime, defect, result):
    right = result.verdict == "PASS" if defect is None else is_caught(defect, result)
    return Row(name, runtime, defect is None, right, f"{result.verdict.value}: {result.reason}")


def kept(model, runtime):
    return cache_dir("defects") / f"{model}-{runtime.replace(':', '-')}.json"


def keep(model, rows):
    for runtime in dict.fromkeys(row.runtime for row in rows):
        path, order = kept(model, runtime), [*(defect.name for defect in DEFECTS), *HEALTHY, *ASKED]
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        found = {row["name"]: row for row in [*before, *(asdict(row) for row in rows if row.runtime == runtime)]}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([found[name] for name in order if name in found], indent=1), encoding="utf-8")


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
        names = dict.fromkeys(row.name for row in rows if row.healthy == healthy)
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
    said = _short(row.said.partition(": ")[2])
    return said if row.right else f"**not caught** ({row.said.partition(':')[0]}): {said}"


def _short(said):
    said = said.removeprefix("Its weights are at fault: ").partition(";")[0].partition("\n")[0].replace("|", "\\|")
    return said if len(said) <= WORDS else said[:WORDS].rpartition(" ")[0] + " …"


def main(arguments):
    for model in arguments[:1] or MODELS:
        with tempfile.TemporaryDirectory(dir=cache_dir()) as work:  # where exports can be linked to
            parts = arguments[2].split(",") if len(arguments) > 2 else ("",)
            keep(model, measured(model, Path(work), tuple(arguments[1:2]) or MODELS[model], parts))
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
