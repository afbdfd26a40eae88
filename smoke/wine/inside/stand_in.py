"""Does on the host what a Windows program in Wine stands for: `python stand_in.py PROFILE USER PROGRAM REQUEST`.

REQUEST is a file in the profile's folder for temporary ones: see smoke/wine/whole/stand_in.c. Paths below the profile
and on drive Z: are the host's own by other names; they are translated on the way there and, in what is said, back.
A PROGRAM called zig-TOOL is a tool of the Zig in this Python's environment.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote

TEMPORARY = "AppData/Local/Temp"
_KEPT = ("GIT_", "LANG", "LC_", "SOURCE_DATE_EPOCH", "TZ", "ZIG_")
PLACES = "STAND_IN_PLACES"
_COMPILERS = ("zig-cc", "zig-c++")
_FOLDER_OPTION = re.compile(r"^(-[IL])([a-zA-Z]:[\\/].*)$", re.DOTALL)


def to_host(word: str, profile: str, user: str) -> str:
    """Return a word with the Windows paths in it as the host names them: at its start, after `=`, or in a URL.

    `url.FOLDER.insteadOf=…` is how git is told of a mirror.
    """
    if word.lower() == "nul":
        return "/dev/null"
    drive = re.compile(
        r"^(?P<before>(?:--?[\w.-]+=|[\w.-]+=|url\.)?)(?P<url>file:///)?(?P<path>[a-zA-Z]:[\\/].*)$", re.DOTALL
    )
    found = drive.match(word)
    if found is None:
        return word
    path = found["path"].replace("\\", "/")
    path = unquote(path) if found["url"] else path
    own = f"c:/users/{user}".lower()
    if path.lower().startswith(own):
        path = profile + path[len(own) :]
    elif path[:2].lower() == "z:":
        path = path[2:]
    else:
        path = next(
            (place + path[len(name) :] for name, place in _elsewhere() if f"{path}/".startswith(f"{name}/")), path
        )
    return found["before"] + (f"file://{quote(path, safe='/:=')}" if found["url"] else path)


def _elsewhere() -> Iterator[tuple[str, str]]:
    """Yield the other folders of drive C: that the host has, and where: C:/NAME=/FOLDER for each, between |."""
    for entry in filter(None, os.environ.get(PLACES, "").split("|")):
        name, _, place = entry.partition("=")
        yield name, place


def to_windows(output: bytes, profile: str, user: str) -> bytes:
    """Return what a program said with the profile by its Windows name."""
    return output.replace(profile.encode(), f"C:/users/{user}".encode())


def for_compiler(words: list[str], profile: str, user: str, folder: Path) -> Iterator[str]:
    """Yield a compiler's words for the host: also paths behind -I and -L, and the words in @files.

    The compiler is told that the profile is where Windows has it: sources may ask for their own names.
    """
    for word in words:
        file = folder / to_host(word[1:].replace("\\", "/"), profile, user)
        option = _FOLDER_OPTION.match(word)
        if word.startswith("@") and file.is_file():
            yield from for_compiler(shlex.split(file.read_text(encoding="utf-8")), profile, user, folder)
        elif option:
            yield option[1] + to_host(option[2], profile, user)
        else:
            kept = word.startswith("-") and not word.startswith("-Wl,")  # a macro's backslashes are its own
            yield to_host(word if kept else word.replace("\\", "/"), profile, user)


def translate_dependencies(words: list[str], profile: str, user: str, folder: Path) -> None:
    """Give the files that an object was made of, which the compiler has written down, their Windows names."""
    for option, name in pairwise(words):
        file = folder / to_host(name.replace("\\", "/"), profile, user)
        if option == "-MF" and file.is_file():
            there = f"C:/users/{user}".replace(" ", "\\ ")
            text = file.read_text(encoding="utf-8").replace(profile.replace(" ", "\\ "), there)
            file.write_text(re.sub(r"(?m)(?<=\s)/(?=\S)", "Z:/", text), encoding="utf-8")


def command(program: str, words: list[str], profile: str, user: str, folder: Path) -> list[str]:
    """Return what the host is to run."""
    if not program.startswith("zig-"):
        return [program, *(to_host(word, profile, user) for word in words)]
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("`pip install -e '.[cross]'` brings Zig")
    maps = [f"-ffile-prefix-map={profile}=C:/users/{user}"] if program in _COMPILERS else []
    zig = str(Path(spec.origin).with_name("zig"))
    return [zig, program.removeprefix("zig-"), *maps, *for_compiler(words, profile, user, folder)]


def _run(program: str, words: list[str], profile: str, user: str, folder: Path) -> tuple[int, bytes, bytes]:
    """Run it; return exit code, output and errors, also when it cannot be started: somebody waits for an answer."""
    kept = {name: to_host(value, profile, user) for name, value in os.environ.items() if name.startswith(_KEPT)}
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": profile, "LANG": "C.UTF-8", **kept}
    try:
        argv = command(program, words, profile, user, folder)
        done = subprocess.run(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except (OSError, ValueError) as error:
        return 127, b"", f"the host's {program} cannot be started: {error}\n".encode()
    return done.returncode, done.stdout, done.stderr


def main(profile: str, user: str, program: str, request: str) -> None:
    """Run the program and leave what came of it beside the request, the exit code last."""
    file = Path(profile, TEMPORARY, request)
    start, *words = file.read_bytes().decode("utf-8").split("\0")[:-1]
    folder = Path(to_host(start, profile, user))
    code, *said = _run(program, words, profile, user, folder)
    if program in _COMPILERS:
        translate_dependencies(words, profile, user, folder)
    for suffix, output in zip((".out", ".err"), said, strict=True):
        file.with_name(file.name + suffix).write_bytes(to_windows(output, profile, user))
    file.unlink()
    part = file.with_name(file.name + ".code.part")
    part.write_text(str(code), encoding="ascii")
    part.rename(file.with_name(file.name + ".code"))


if __name__ == "__main__":
    main(*sys.argv[1:])
