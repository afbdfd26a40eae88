"""Does on the host what a Windows program in Wine stands for: `python stand_in.py PROFILE USER PROGRAM REQUEST`.

REQUEST is a file in the profile's folder for temporary ones: see smoke/wine/whole/stand_in.c. Paths below the profile
and on drive Z: are the host's own by other names; they are translated on the way there and, in what is said, back.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, unquote

TEMPORARY = "AppData/Local/Temp"
_KEPT = ("GIT_", "LANG", "LC_", "SOURCE_DATE_EPOCH", "TZ")


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
    return found["before"] + (f"file://{quote(path, safe='/:=')}" if found["url"] else path)


def to_windows(output: bytes, profile: str, user: str) -> bytes:
    """Return what a program said with the profile by its Windows name."""
    return output.replace(profile.encode(), f"C:/users/{user}".encode())


def main(profile: str, user: str, program: str, request: str) -> None:
    """Run the program and leave what came of it beside the request, the exit code last."""
    file = Path(profile, TEMPORARY, request)
    words = [to_host(word, profile, user) for word in file.read_bytes().decode("utf-8").split("\0")[:-1]]
    kept = {name: to_host(value, profile, user) for name, value in os.environ.items() if name.startswith(_KEPT)}
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": profile, "LANG": "C.UTF-8", **kept}
    done = subprocess.run(
        [program, *words[1:]], cwd=words[0], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    for suffix, output in ((".out", done.stdout), (".err", done.stderr)):
        file.with_name(file.name + suffix).write_bytes(to_windows(output, profile, user))
    file.unlink()
    code = file.with_name(file.name + ".code.part")
    code.write_text(str(done.returncode), encoding="ascii")
    code.rename(file.with_name(file.name + ".code"))


if __name__ == "__main__":
    main(*sys.argv[1:])
