"""What comes of a command: one paragraph and an exit code for whatever a user or a machine did."""

import errno
import os
import sys

import pytest

from front.door import ending
from front.door.ending import ended
from wheelhouse import console
from wheelhouse.console import speaking
from wheelhouse.errors import InputError
from wheelhouse.paths import CACHE_VARIABLE, cache_dir


def failing(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("No such thing.", remedy="Give another."), 4, "error: No such thing. Give another.\n"),
        (KeyboardInterrupt(), 130, "interrupted: what was finished is kept, the next run goes on from there\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/f"), 9, "error: /x/f cannot be written: No space"),
        (OSError(errno.EACCES, "Permission denied", "/x/f"), 4, "error: /x/f cannot be used: Permission denied.\n"),
        (OSError(errno.EROFS, "Read-only file system", "/x/f"), 4, "error: /x/f cannot be used: Read-only"),
    ],
)
def test_faults_are_one_paragraph(capsys, error, code, said):
    assert ended(failing(error)) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(said)
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_cache_that_is_a_file_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "cache").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    assert ended(lambda: cache_dir("logs").mkdir(parents=True)) == 4
    assert f"{CACHE_VARIABLE} names the folder" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("/a/" + "b" * 257,), ("/x", None, "/a/" + "b" * 245)])
def test_a_path_that_is_too_long_for_windows_is_named(names, monkeypatch, capsys):
    error = OSError(errno.ENOENT, "The system cannot find the path specified", *names)
    with pytest.raises(OSError, match="cannot find"):
        ended(failing(error))
    monkeypatch.setattr(ending, "limited", lambda: True)
    assert ended(failing(error)) == 9
    said = capsys.readouterr().err
    assert "characters long: Windows takes 259 while long paths are off, and 12 less for a folder" in said
    assert "LongPathsEnabled" in said
    with pytest.raises(OSError, match="cannot find"):
        ended(failing(OSError(errno.ENOENT, "cannot find", "/a/" + "b" * 240)))


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.ENOENT, "No such file", "/x")])
def test_a_bug_of_ours_stays_one(error):
    with pytest.raises(type(error)):
        ended(failing(error))


def test_debug_says_where_it_arose(capsys):
    ended(failing(InputError("No such thing.")), debug=True)
    assert "in failing" not in capsys.readouterr().out
    ended(failing(InputError("No such thing.")), debug=True)
    assert "in act" in capsys.readouterr().err


def test_success_is_zero():
    assert ended(os.getpid) == 0


@pytest.mark.parametrize("speak", [console.say, console.show, console.warn, console.result])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_whatever_is_said_to_a_reader_who_left_ends_alike(monkeypatch, speak, name):
    """`invoke audit 2>&1 | head`: rich would end the program with 1 in the middle of a message."""
    read, write = os.pipe()
    os.close(read)
    for console_of in (speaking.stdout, speaking.stderr):
        console_of.cache_clear()
    with os.fdopen(write, "w", encoding="utf-8") as closed:
        monkeypatch.setattr(sys, name, closed)

        def act():
            speak("x" * 9)
            closed.write("more")

        assert ended(act) == 141
    for console_of in (speaking.stdout, speaking.stderr):
        console_of.cache_clear()
