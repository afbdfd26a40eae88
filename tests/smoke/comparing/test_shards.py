"""A run divided among machines comes home as the run it would have been; a part that is missing is missed."""

import json
import shutil
import zipfile

import pytest

from smoke.backends import selection, sharding
from smoke.backends.sharding import Shard
from smoke.comparing import shards
from smoke.comparing.compare import compare
from smoke.parity import gates
from smoke.running import run
from smoke.running.smoke_request import Request
from tests.smoke import fakes
from wheelhouse.errors import InputError

BACKENDS = (
    fakes.reference(),
    fakes.backend("cpu", fakes.variant("int4", gate=gates.QUANTISED, noise=0.1, export="one")),
    fakes.backend("dml", fakes.variant("int4", gate=gates.FP16, noise=0.1, against="cpu:int4", export="one")),
    fakes.backend("b", fakes.variant("drifting", gate=gates.FP16, noise=0.1, export="two")),
    fakes.backend("c", fakes.variant("fp32", export="three")),
    fakes.backend("lazy", fakes.variant("fp32", export="four", unasked=lambda: "nobody asked")),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The dumps of three parts of a run, and the report of the whole."""
    base = tmp_path_factory.mktemp("shards")
    plan = selection.select([], everything=True, known=BACKENDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DML_WHEELHOUSE_CACHE", str(base / "cache"))
        model, export = fakes.model(base / "model"), fakes.export(base / "healthy")
        patch.setattr(run, "resolve", lambda spec: model)
        patch.setattr(run, "export_all", lambda model, kinds, **_: dict.fromkeys(kinds, export))

        def smoke(chosen, dump):
            return run.smoke(
                Request(plan=chosen, model="any", prompts=("one", "two words"), max_new_tokens=12,
                        report=base / "report", timeout=60.0, dump=dump)
            )  # fmt: skip

        for number in (1, 2, 3):
            share, folder = Shard(number=number, of=3), base / "dumps" / f"part{number}"
            found = smoke(sharding.part(plan, share), folder)
            shards.write(folder, share, [item.name for item in plan], found)
        whole = smoke(plan, None)
    return base / "dumps", whole


@pytest.fixture
def parts(made, tmp_path, monkeypatch):
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(made[0], tmp_path / "dumps")
    return [tmp_path / "dumps" / f"part{number}" for number in (1, 2, 3)]


def verdicts(report):
    return sorted(
        (r.backend, r.variant, r.against.rpartition(" ")[2], r.verdict.value, r.reason) for r in report.results
    )


def own(report):
    """The rows but those that compare a later part's reference with the first's."""
    rows = [r for r in report.results if not (r.backend == "reference" and r.against)]
    return verdicts(
        type(report)(**{f: getattr(report, f) for f in report.__struct_fields__} | {"results": tuple(rows)})
    )


def test_the_joined_report_has_the_verdicts_of_the_whole_run(made, parts):
    joined = compare(parts)
    assert own(joined) == verdicts(made[1])
    assert joined.passed is made[1].passed is False
    assert {r[3] for r in own(joined)} == {"PASS", "DIVERGED", "SKIPPED"}
    references = [r for r in joined.results if r.backend == "reference" and r.against]
    assert [(r.machine, r.verdict.value) for r in references] == [("part2", "PASS"), ("part3", "PASS")]


def test_a_folder_of_all_parts_and_archives_will_do(made, parts, tmp_path):
    assert own(compare([parts[0].parent])) == verdicts(made[1])
    for part in parts:
        with zipfile.ZipFile(tmp_path / f"{part.name}.zip", "w") as archive:
            for file in part.rglob("*"):
                archive.write(file, f"top/{file.relative_to(part)}")
    assert own(compare([tmp_path / f"{part.name}.zip" for part in parts])) == verdicts(made[1])


def test_a_missing_part_is_named(parts):
    with pytest.raises(InputError, match="Of the run's 3 parts, 2/3 missing"):
        compare([parts[0], parts[2]])
    with pytest.raises(InputError, match="Of the run's 3 parts, 1/3, 3/3 missing"):
        compare([parts[1]])


def edit(folder, **changes):
    file = folder / shards.NAME
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"number": 1}, "2/3 missing"),
        ({"of": 4}, "divided otherwise"),
        ({"plan": ["reference:fp32"]}, "divided otherwise"),
        ({"number": 9}, "part 9 of 3"),
        ({"number": "x"}, "cannot be used"),
        ({"without_dump": 7}, "cannot be used"),
    ],
)
def test_parts_of_something_else_are_refused(parts, changes, words):
    edit(parts[1], **changes)
    with pytest.raises(InputError, match=words):
        compare(parts)


def test_the_same_part_twice_is_refused(parts, tmp_path):
    shutil.copytree(parts[1], tmp_path / "again")
    with pytest.raises(InputError, match="2/3 is there twice"):
        compare([*parts, tmp_path / "again"])
