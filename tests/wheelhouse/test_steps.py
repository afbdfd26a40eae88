import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelhouse.steps import RECORD, Step, ensure, recorded_inputs, why_to_run


def make(text: str = "made"):  # type: ignore[no-untyped-def]
    def fill(folder: Path) -> None:
        (folder / "file").write_text(text, encoding="utf-8")

    return fill


def fail(folder: Path) -> None:
    (folder / "half").write_text("", encoding="utf-8")
    raise ValueError("broken")


def never(folder: Path) -> None:
    pytest.fail("a fresh step ran")


def test_runs_once_and_then_not_again(tmp_path: Path) -> None:
    step = Step(name="s", output=tmp_path / "out", inputs={"a": "1"})
    first = ensure(step, make())
    assert (first.ran, first.why) == (True, "not made yet")
    second = ensure(step, never)
    assert (second.ran, second.why) == (False, "nothing changed")


def test_says_which_input_changed(tmp_path: Path) -> None:
    output = tmp_path / "out"
    ensure(Step(name="s", output=output, inputs={"patch X": "1", "commit": "c"}), make("old"))
    changed = Step(name="s", output=output, inputs={"patch X": "2", "commit": "c"})
    assert why_to_run(changed) == "patch X changed"
    assert ensure(changed, make("new")).ran
    assert (output / "file").read_text(encoding="utf-8") == "new"


def test_failure_keeps_the_former_output_and_leaves_no_half(tmp_path: Path) -> None:
    output = tmp_path / "out"
    ensure(Step(name="s", output=output, inputs={"a": "1"}), make("old"))
    with pytest.raises(ValueError, match="broken"):
        ensure(Step(name="s", output=output, inputs={"a": "2"}), fail)
    assert (output / "file").read_text(encoding="utf-8") == "old"
    assert not (output / "half").exists()
    assert recorded_inputs(output) == {"a": "1"}


@pytest.mark.parametrize("record", ["", "[]", '{"inputs": 3}', '{"inputs": {"a"'])
def test_a_damaged_record_means_run_again(tmp_path: Path, record: str) -> None:
    step = Step(name="s", output=tmp_path / "out", inputs={"a": "1"})
    ensure(step, make())
    (step.output / RECORD).write_text(record, encoding="utf-8")
    assert ensure(step, make()).why == "an earlier run did not finish"


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_run_leaves_nothing_half_made(tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from pathlib import Path
        from wheelhouse.steps import Step, ensure
        def make(folder):
            (folder / "half").write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        ensure(Step(name="s", output=Path(sys.argv[1]), inputs={"a": "1"}), make)
    """
    output = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(output)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not output.exists()
    assert ensure(Step(name="s", output=output, inputs={"a": "1"}), make()).ran
    assert sorted(p.name for p in output.iterdir()) == [RECORD, "file"]


def test_a_run_killed_between_the_two_renames_is_made_again(tmp_path: Path) -> None:
    step = Step(name="s", output=tmp_path / "out", inputs={"a": "1"})
    ensure(step, make())
    step.output.rename(tmp_path / ".out.old")
    assert ensure(step, make("again")).ran
    assert not (tmp_path / ".out.old").exists()


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5))
def test_key_depends_on_content_not_on_order(inputs: dict[str, str]) -> None:
    backwards = dict(reversed(list(inputs.items())))
    assert Step(name="a", output=Path("x"), inputs=inputs).key == Step(name="b", output=Path("y"), inputs=backwards).key
    assert (
        Step(name="a", output=Path("x"), inputs={**inputs, "another": "1"}).key
        != Step(name="a", output=Path("x"), inputs={**inputs, "another": "2"}).key
    )


def test_record_is_plain_json(tmp_path: Path) -> None:
    ensure(Step(name="s", output=tmp_path / "out", inputs={"a": "1"}), make())
    assert json.loads((tmp_path / "out" / RECORD).read_text(encoding="utf-8")) == {"name": "s", "inputs": {"a": "1"}}
