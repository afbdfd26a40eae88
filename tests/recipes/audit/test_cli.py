import json
import sys

import pytest

from recipes.audit import commands
from wheelhouse.errors import AuditError, UsageError

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


def test_a_warning_fails_only_when_strict(tmp_path):
    path = make(tmp_path, PLAIN.without("demo/LICENSE"))
    run(path)
    with pytest.raises(AuditError, match="1 warning"):
        run(path, strict=True)


def test_a_pair_is_two(tmp_path):
    with pytest.raises(UsageError, match="1 was given"):
        run(make(tmp_path, PLAIN), pair=True)
    run(make(tmp_path, GENAI), make(tmp_path, RUNTIME), pair=True)


def test_json_has_findings_and_facts(tmp_path, capsys):
    run(make(tmp_path, GENAI), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["worst"] == "info"
    binaries = {b["path"]: b for b in document["wheels"][0]["binaries"]}
    genai = binaries["onnxruntime_genai/onnxruntime-genai.dll"]
    assert genai["ort_api_compiled"]["value"] == 23
    assert genai["machine"] == "x64"
    assert document["findings"][0]["rule"] == "windows-version"


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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
