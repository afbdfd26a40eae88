"""How a Python is started."""

from pathlib import Path

from smoke.environments.source import Environment

HERE = Environment(name="here", python=("python",), env={"CI": "true"}, label="here")


def test_temporary_files_lie_where_the_caller_says(tmp_path: Path) -> None:
    seen = HERE.command("x", temporary=tmp_path).environment()
    assert {seen[name] for name in ("TMPDIR", "TEMP", "TMP")} == {str(tmp_path)}
    assert HERE.command("x").temporary is None
