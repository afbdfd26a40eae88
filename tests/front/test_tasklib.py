import subprocess
import sys
from pathlib import Path

TASKS = """
from wheelhouse.errors import InputError
from front.tasklib import task

@task(iterable=["name"])
def fails(_c, name=None):
    '''Fail.'''
    raise InputError(f"No such thing: {list(name)}.", remedy="Give another.")

@task
def interrupted(_c):
    raise KeyboardInterrupt
"""


def invoke(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "tasks.py").write_text(TASKS)
    argv = [sys.executable, "-m", "invoke", *arguments]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def test_expected_failure_is_one_paragraph_with_its_exit_code(tmp_path: Path) -> None:
    done = invoke(tmp_path, "fails", "--name", "a", "--name", "b")
    assert done.returncode == 4
    assert done.stderr == "error: No such thing: ['a', 'b']. Give another.\n"


def test_interrupt_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    done = invoke(tmp_path, "interrupted")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(
        "from front.tasklib import task\n\n@task\ndef talk(_c):\n    'x'\n    print('line\\n' * 200_000)\n"
    )
    talk = subprocess.Popen(
        [sys.executable, "-m", "invoke", "talk"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert talk.stdout is not None
    talk.stdout.readline()
    talk.stdout.close()
    assert talk.stderr is not None
    assert talk.stderr.read() == b""
    talk.stderr.close()
    assert talk.wait(timeout=60) == 141
