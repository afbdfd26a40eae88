"""Whole Windows Pythons: what is asked for, the copy of the checkout, the DLL's definition, what a program is given."""

import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from smoke.wine import places
from smoke.wine.inside import stand_in
from smoke.wine.whole import commands, compiled, installing, machine, pythons
from wheelhouse.errors import InputError, ToolchainError, UsageError
from wheelhouse.paths import characters

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Wine is for Linux")


def git(folder, *words):
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path):
    source = tmp_path / "clone"
    source.mkdir()
    git(source, "init", "-q")
    (source / ".gitignore").write_text("*.log\n", encoding="utf-8")
    (source / "sub folder").mkdir()
    (source / "sub folder" / "ä.py").write_text("1", encoding="utf-8")
    (source / "tracked.txt").write_text("one", encoding="utf-8")
    git(source, "add", ".")
    (source / "new.txt").write_text("not added yet", encoding="utf-8")
    (source / "noise.log").write_text("", encoding="utf-8")
    return source


def test_the_copy_has_what_git_has_or_would_take(clone, tmp_path):
    target = tmp_path / "user" / "copy"
    installing.copy_checkout(clone, target)
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == {".gitignore", "sub folder/ä.py", "tracked.txt", "new.txt"}


def test_the_copy_follows_and_keeps_what_the_user_made(clone, tmp_path):
    target = tmp_path / "copy"
    installing.copy_checkout(clone, target)
    (target / "wheels").mkdir()
    (target / "wheels" / "made.whl").write_text("", encoding="utf-8")
    unchanged = (target / "new.txt").stat().st_ino
    (clone / "tracked.txt").write_text("two!", encoding="utf-8")
    (clone / "sub folder" / "ä.py").unlink()
    installing.copy_checkout(clone, target)
    assert (target / "tracked.txt").read_text(encoding="utf-8") == "two!"
    assert not (target / "sub folder" / "ä.py").exists()
    assert (target / "wheels" / "made.whl").exists()
    assert (target / "new.txt").stat().st_ino == unchanged


def test_a_folder_that_is_no_clone_is_said(tmp_path):
    with pytest.raises(ToolchainError, match="git cannot say"):
        installing.copy_checkout(tmp_path, tmp_path / "copy")


def test_pip_is_asked_again_only_for_what_it_installs():
    text = '[build-system]\nrequires = ["x"]\n[project]\nname = "a"\ndependencies = ["b"]\n'
    assert installing.project_key(text) == installing.project_key(text + "[tool.ruff]\nline-length = 3\n")
    assert installing.project_key(text) != installing.project_key(text.replace('"b"', '"c"'))


def test_the_choice():
    usual = machine.choose(python="", user="", folder="")
    start, end = r"C:\users\Zoë Müller" + "\\", r"\.venv\Scripts\python.exe"
    assert usual.python.startswith(start)
    assert usual.python.endswith(end)
    checkout = PureWindowsPath(usual.python.removesuffix(end))
    assert 170 <= characters(checkout) < 200
    assert {" ", "&", "(", ")", ",", "ü"} <= set(str(checkout).removeprefix(start))
    assert max(len(part) for part in checkout.parts) < 100  # as people name folders
    other = machine.choose(python="3.11", user="ann", folder="a\\b c")
    assert other.python == r"C:\users\ann\a\b c\.venv-3.11\Scripts\python.exe"
    assert other.home.name == "ann"


@pytest.mark.parametrize(
    "wrong", [{"python": "3.9"}, {"user": "a/b"}, {"user": "C:"}, {"folder": "../x"}, {"folder": "D:x"}]
)
def test_a_wrong_choice_is_refused(wrong):
    with pytest.raises(UsageError):
        machine.choose(**{"python": "", "user": "", "folder": "", **wrong})


def test_every_function_of_the_runtime_is_ours_or_forwarded():
    text = compiled.definition(["cabs", "malloc"], frozenset({"cabs"}))
    assert " cabs = own_cabs\n" in text
    assert " malloc = ucrtbase_wine.malloc\n" in text
    with pytest.raises(InputError, match="cpow"):
        compiled.definition(["malloc"], frozenset({"cpow"}))


def test_the_source_names_the_functions_that_wine_lacks():
    own = compiled._own_functions((compiled.SOURCE / "complex.c").read_text(encoding="utf-8"))
    assert {"cabs", "cabsf", "csqrt", "csqrtf", "cpow", "conjf"} <= own
    assert len(own) == 42
    assert not any("name" in function for function in own)


def test_a_program_is_given_a_machine_of_its_own(tmp_path, monkeypatch):
    certificates = tmp_path / "ca.crt"
    certificates.touch()
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_CERT", str(certificates))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(pythons, "ensure", lambda python: tmp_path / python.minor)
    monkeypatch.setattr(compiled, "ensure", lambda: tmp_path / "compiled")
    chosen = machine.choose(python="3.11", user="Ann Ö", folder="x")
    (places.prefix() / places.FILES).mkdir(parents=True)
    (places.prefix() / places.FILES / "user.reg").write_text('"TEMP"="C:\\\\users\\\\root\\\\Temp"', encoding="utf-8")
    (places.prefix() / places.FILES / "system.reg").write_text("WINE REGISTRY Version 2\n", encoding="utf-8")
    spec = machine._spec(chosen, start="x")
    assert Path(spec.plant["user.reg"]).read_text(encoding="utf-8") == r'"TEMP"="C:\\users\\Ann \x00d6\\Temp"'
    assert Path(spec.plant["system.reg"]).read_text(encoding="utf-8").endswith('"LongPathsEnabled"=dword:00000001\n')
    assert spec.binds["/prefix/drive_c/users/Ann Ö"] == str(chosen.home)
    assert spec.binds["/prefix/drive_c/users/Ann Ö/.dmlw/downloads"] == str(tmp_path / "downloads")
    assert spec.binds["/prefix/drive_c/Python311"] == str(tmp_path / "3.11")
    assert spec.env["USER"] == "Ann Ö"
    assert spec.env["PIP_CERT"] == places.windows(certificates)
    assert "SSL_CERT_FILE" not in spec.env
    assert spec.env["WINEPATH"] == r"C:\Python313;C:\Python311;C:\stand-ins"
    assert not spec.writable  # what a run does to the registry is gone with it
    assert not any("DML_WHEELHOUSE_CACHE".startswith(name) for name in spec.pass_env)  # the cache there is another


def test_the_command_gives_way_to_the_program(monkeypatch):
    given = []
    monkeypatch.setattr(installing, "ensure", lambda machine: ("session",))
    monkeypatch.setattr(os, "execvp", lambda name, argv: given.append((name, argv)))
    commands.wine_python(["-m", "pytest", "a b"], python="", user="u", folder="f")
    commands.wine_python([], python="", user="u", folder="f")
    python = r"C:\users\u\f\.venv\Scripts\python.exe"
    assert given == [
        ("session", ("session", python, "-m", "pytest", "a b")),
        ("session", ("session", python, "-VV")),
    ]


def test_the_parts_of_an_installation_lie_where_an_installer_puts_them():
    assert pythons._place("_socket.pyd") == "DLLs/_socket.pyd"
    assert pythons._place("libcrypto-3.dll") == "DLLs/libcrypto-3.dll"
    assert pythons._place("python313.dll") == "python313.dll"
    assert Path(pythons.VENV, "__init__.py").is_file()


HOME = "/cache/users/Zoë Müller"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("status", "status"),
        ("C:\\users\\Zoë Müller\\x\\y", f"{HOME}/x/y"),
        ("c:/USERS/Zoë Müller", HOME),
        ("--git-dir=C:\\users\\Zoë Müller\\x", f"--git-dir={HOME}/x"),
        ("safe.directory=C:/users/Zoë Müller/x", f"safe.directory={HOME}/x"),
        ("Z:\\src\\main", "/src/main"),
        ("file:///C:/users/Zo%C3%AB%20M%C3%BCller/m", "file:///cache/users/Zo%C3%AB%20M%C3%BCller/m"),
        ("url.C:\\users\\Zoë Müller\\m/.insteadOf=https://x/", f"url.{HOME}/m/.insteadOf=https://x/"),
        ("NUL", "/dev/null"),
        ("a message: C:\\users\\Zoë Müller", "a message: C:\\users\\Zoë Müller"),
        ("--format=%ct", "--format=%ct"),
        ("C:\\elsewhere\\x", "C:/elsewhere/x"),
    ],
)
def test_a_stand_in_translates_what_names_a_file(word, expected):
    assert stand_in.to_host(word, HOME, "Zoë Müller") == expected


def test_a_stand_in_is_told_of_other_folders_of_drive_c(monkeypatch):
    monkeypatch.setenv(stand_in.PLACES, "C:/Python313=/made/python|C:/sdk=/made/sdk")
    assert stand_in.to_host(r"C:\Python313\Include", HOME, "u") == "/made/python/Include"
    assert stand_in.to_host("C:/sdk", HOME, "u") == "/made/sdk"
    assert stand_in.to_host("C:/sdk-2", HOME, "u") == "C:/sdk-2"
    assert stand_in.to_host("C:/elsewhere", HOME, "u") == "C:/elsewhere"


def test_a_stand_in_does_on_the_host_what_it_is_asked(tmp_path):
    profile = tmp_path / "Zoë Müller"
    folder = profile / stand_in.TEMPORARY
    folder.mkdir(parents=True)
    words = [r"C:\users\Zoë Müller\AppData", "-c", "pwd; echo no >&2; echo $1; exit 3", "x", r"C:\users\Zoë Müller\f"]
    (folder / "request").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    stand_in.main(str(profile), "Zoë Müller", "sh", "request")
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert found == {
        "request.out": "C:/users/Zoë Müller/AppData\nC:/users/Zoë Müller/f\n",
        "request.err": "no\n",
        "request.code": "3",
    }


def test_a_stand_in_that_the_host_cannot_start_still_answers(tmp_path):
    folder = tmp_path / stand_in.TEMPORARY
    folder.mkdir(parents=True)
    (folder / "request").write_bytes(b"C:\\users\\u\0")
    stand_in.main(str(tmp_path), "u", "no-such-program", "request")
    assert (folder / "request.code").read_text(encoding="ascii") == "127"
    assert "no-such-program cannot be started" in (folder / "request.err").read_text(encoding="utf-8")


def test_a_compilers_words_are_translated_also_in_files_of_them(tmp_path):
    user = "Zoë Müller"
    (tmp_path / "y.rsp").write_text(f'"-IC:/users/{user}/a" "C:/users/{user}/b c.obj" -LZ:/lib', encoding="utf-8")
    words = [
        "-DX=1",
        f"-IC:\\users\\{user}\\i",
        "@y.rsp",
        "-o",
        "CMakeFiles\\x.dir\\a.obj",
        "-Wl,--out-implib,Release\\a.lib",
    ]
    found = list(stand_in.for_compiler(words, HOME, user, tmp_path))
    expected = ["-DX=1", f"-I{HOME}/i", f"-I{HOME}/a", f"{HOME}/b c.obj", "-L/lib", "-o", "CMakeFiles/x.dir/a.obj"]
    assert found == [*expected, "-Wl,--out-implib,Release/a.lib"]


def test_what_an_object_was_made_of_is_told_by_the_names_of_windows(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a.d").write_text(
        "a.obj: \\\n  /cache/users/Zoë\\ Müller/x\\ y.c /usr/lib/zig/stdio.h \\\n  b.h\n", encoding="utf-8"
    )
    stand_in.translate_dependencies(["-MD", "-MF", "x\\a.d"], HOME, "Zoë Müller", tmp_path)
    told = (tmp_path / "x/a.d").read_text(encoding="utf-8")
    assert told == "a.obj: \\\n  C:/users/Zoë\\ Müller/x\\ y.c Z:/usr/lib/zig/stdio.h \\\n  b.h\n"


def test_a_stand_in_for_a_compiler_says_where_windows_has_the_sources(tmp_path):
    pytest.importorskip("ziglang")
    zig, tool, mapped, *words = stand_in.command("zig-cc", ["-c", "a.c"], HOME, "Zoë Müller", tmp_path)
    assert Path(zig).is_file()
    assert (tool, mapped, words) == ("cc", f"-ffile-prefix-map={HOME}=C:/users/Zoë Müller", ["-c", "a.c"])
    assert stand_in.command("zig-ar", ["qc"], HOME, "u", tmp_path)[1:] == ["ar", "qc"]
