import locale
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelhouse import process
from wheelhouse.errors import StepFailedError, ToolchainError
from wheelhouse.process import Command, render, run
from wheelhouse.processes import orphans, quoting
from wheelhouse.processes.quoting import quote

ARGUMENT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def python(code: str, **options: object) -> Command:
    return Command(argv=(sys.executable, "-c", code), **options)  # type: ignore[arg-type]


def test_output_goes_to_the_log_and_its_end_to_the_tail(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    done = run(python("for i in range(40): print('line', i)"), log=log)
    assert done.returncode == 0
    assert done.tail[-1] == "line 39"
    assert len(done.tail) == 15
    assert log.read_text(encoding="utf-8").splitlines()[0].startswith("+ ")
    assert "line 0" in log.read_text(encoding="utf-8")


def test_a_program_does_its_work_wherever_its_temporary_files_go(tmp_path: Path) -> None:
    """In Wine's Windows Python git is a stand-in, which speaks with the host's through files."""
    git = Command(argv=("git", "--version"), temporary=tmp_path / "t", timeout=120)
    assert "git version" in run(git, log=tmp_path / "x.log").tail[-1]


def test_what_a_python_prints_is_read_whatever_the_users_encoding_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LC_ALL=C", "PYTHONCOERCECLOCALE=0", "PYTHONUTF8=0", "PYTHONIOENCODING=cp437"):
        monkeypatch.setenv(*variable.split("="))
    said = "Jürgen Łukasz 中文"
    assert run(python(f"print({said!a})"), log=tmp_path / "x.log").tail == (said,)
    own = run(python("print('\\u0141')", env={"PYTHONIOENCODING": "ascii:backslashreplace"}), log=tmp_path / "x.log")
    assert own.tail == ("\\u0141",)


@pytest.mark.parametrize(("code_page", "raw"), [("cp1252", b"J\xfcrgen Gro\xdf"), ("cp850", b"J\x81rgen Gro\xe1")])
def test_what_other_programs_print_is_read_as_the_code_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code_page: str, raw: bytes
) -> None:
    monkeypatch.setattr(locale, "getencoding", lambda: code_page)
    code = f"import sys; sys.stdout.buffer.write({raw!r} + ' Müller\\n'.encode())"
    done = run(python(code), log=tmp_path / "x.log")
    assert done.tail == ("Jürgen Groß Müller",)
    assert "Jürgen Groß Müller" in (tmp_path / "x.log").read_text(encoding="utf-8")


def test_failure_names_exit_code_tail_log_and_remedy(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with pytest.raises(StepFailedError) as caught:
        run(python("print('the cause'); raise SystemExit(7)"), log=log, remedy="Try the other way.")
    text = str(caught.value)
    assert "exit code 7" in text
    assert "the cause" in text
    assert str(log) in text
    assert text.endswith("Try the other way.")


def test_unchecked_failure_is_returned(tmp_path: Path) -> None:
    assert run(python("raise SystemExit(3)"), log=tmp_path / "x.log", check=False).returncode == 3


def test_missing_program_is_a_toolchain_error(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="no-such-program"):
        run(Command(argv=("no-such-program",)), log=tmp_path / "x.log")


def test_every_line_is_reported_as_it_comes(tmp_path: Path) -> None:
    seen: list[str] = []
    run(python("print('a'); print('b')"), log=tmp_path / "x.log", on_line=seen.append)
    assert seen == ["a", "b"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_process_names_the_signal(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match="SIGKILL"):
        run(python("import os; os.kill(os.getpid(), 9)"), log=tmp_path / "x.log")


def test_time_limit_ends_the_whole_tree(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)"
    )
    done = run(python(code, timeout=20.0 if sys.platform == "win32" else 2.0), log=tmp_path / "x.log", check=False)
    assert done.timed_out
    grandchild = int(pid_file.read_text(encoding="utf-8"))
    for _ in range(50):
        if not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the grandchild outlived the time limit")


def test_environment_is_added_to_and_removed_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONE", "1")
    environment = Command(argv=("x",), env={"NEW": "2"}, unset=("GONE",)).environment()
    assert "GONE" not in environment
    assert environment["NEW"] == "2"
    assert "PATH" in environment


@given(st.lists(ARGUMENT, min_size=1, max_size=5))
def test_posix_line_parses_back_to_the_arguments(argv: list[str]) -> None:
    assert shlex.split(render(Command(argv=tuple(argv)))) == argv


@given(ARGUMENT)
def test_powershell_quoting_keeps_every_argument_one_word(argument: str) -> None:
    quoted = quote(argument, "powershell")
    if quoted != argument:
        assert quoted[0] == quoted[-1] == "'"
        assert quoted[1:-1].replace("''", "'") == argument
    else:
        assert not set(argument) & set(" '\"$`;|&(){}<>@#,")
        assert not (argument.startswith("-") and set(argument) & set(".:"))


@pytest.mark.parametrize("argument", ["-DCMAKE_SYSTEM_VERSION=10.0", "-DORT_HOME=C:\\x", "-verbosity:detailed"])
def test_powershell_cuts_no_option_in_two(argument: str) -> None:
    """Unquoted, PowerShell passes `-a=1.0` as `-a=1` and `.0`."""
    assert quote(argument, "powershell") == f"'{argument}'"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("plain", "plain"), (r"C:\Program Files\x", r'"C:\Program Files\x"'), ("a&b", '"a&b"'), ("", '""')],
)
def test_cmd_quoting(argument: str, expected: str) -> None:
    assert quote(argument, "cmd") == expected


def test_render_says_directory_variables_and_command_in_each_shell() -> None:
    command = Command(argv=("C:/My Tools/x.exe", "-a"), cwd=Path("work"), env={"K": "v w"})
    assert render(command) == "cd work && K='v w' 'C:/My Tools/x.exe' -a"
    assert render(command, "cmd") == 'cd /d work && set "K=v w" && "C:/My Tools/x.exe" -a'
    assert render(command, "powershell") == "cd work; $env:K='v w'; & 'C:/My Tools/x.exe' -a"


def test_interrupt_leaves_no_process(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(python("import time; print('x', flush=True); time.sleep(60)"), log=tmp_path / "x.log", on_line=interrupt)
    children = psutil.Process().children(recursive=True)
    ours = [c for c in children if c.name() != "explorer.exe"]  # Wine's desktop, which any program may start
    assert [c for c in ours if c.status() != psutil.STATUS_ZOMBIE] == []


def test_a_process_that_is_gone_before_its_turn_is_no_reason_to_spare_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On Windows a virtual environment's python.exe takes its child along."""
    killed: list[str] = []

    class Child:
        def __init__(self, name: str, *, gone: bool = False) -> None:
            self.name, self.gone, self.pid = name, gone, 1

        def kill(self) -> None:
            if self.gone:
                raise psutil.NoSuchProcess(self.pid)
            killed.append(self.name)

        def children(self, *, recursive: bool) -> list["Child"]:
            return [Child("first", gone=True), Child("second")] if recursive else []

    monkeypatch.setattr(psutil, "Process", lambda _: Child("itself"))
    orphans.end_with_descendants(Child("itself"))  # type: ignore[arg-type]
    assert killed == ["second", "itself"]
    monkeypatch.setattr(psutil, "Process", lambda pid: (_ for _ in ()).throw(psutil.NoSuchProcess(pid)))
    orphans.end_with_descendants(Child("alone"))  # type: ignore[arg-type]
    assert killed[-1] == "alone"


@pytest.mark.parametrize(
    ("system", "environ", "shell"),
    [
        ("posix", {"PROMPT": "$P$G"}, "posix"),
        ("nt", {"PROMPT": "$P$G"}, "cmd"),
        ("nt", {"MSYSTEM": "MINGW64"}, "posix"),
        ("nt", {}, "powershell"),
    ],
)
def test_what_was_run_is_shown_as_the_users_shell_takes_it(
    system: str, environ: dict[str, str], shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = SimpleNamespace(name=system, environ=environ)
    monkeypatch.setattr(quoting, "os", fake)
    assert quoting.own_shell() == shell


@pytest.mark.parametrize(("shell", "shown"), [("cmd", '"a & b"'), ("powershell", "'a & b'"), ("posix", "'a & b'")])
def test_the_log_begins_with_what_the_users_shell_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, shown: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(process.console, "command", said.append)
    monkeypatch.setattr(process, "own_shell", lambda: shell)
    run(Command(argv=(sys.executable, "-c", "pass", "a & b")), log=tmp_path / "x.log")
    assert said[0].endswith(f" {shown}")
    assert (tmp_path / "x.log").read_text(encoding="utf-8").splitlines()[0] == f"+ {said[0]}"


def test_list2cmdline_agrees_where_cmd_has_no_special_meaning() -> None:
    assert quote('say "hi" now', "cmd") == subprocess.list2cmdline(['say "hi" now'])
