"""One Windows program in Wine, as process 1 of namespaces of its own: `python process_one.py SPEC.json [ARGUMENT…]`.

Started by `unshare --mount --pid --ipc --fork --kill-child` (smoke/wine/namespace.py), with the standard library only.
Everything lives in those namespaces: mounts, the X server, wineserver and whatever it starts. They belong to this
process and end with it, however it ends; `kill -9` included. The kernel does that, not a clean-up that could be missed.

The Debian root, and the Wine prefix unless SPEC says "writable", are the lower layers of overlays whose upper layer is
in memory: a run cannot change the runtime, and runs side by side cannot see each other.

SPEC: `root` (folder), `prefix` (folder or null), `writable` (bool), `display` (bool), `argv` (ARGUMENTs are added),
`env` (variables), `pass_env` (prefixes of the names of inherited variables), `binds` (path in the root to host path),
`plant` (path in the prefix to host path: copied for this run only), `cwd` (host path, or null), `start` (path in the
root, in place of `cwd`), `uses` (lock files: held, shared with other sessions, as long as this process lives, so that
nobody replaces what they stand for).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC = 1, 2, 4, 8, 4096, 16384
LAYERS = "/run"
"""Where the memory file system goes: a folder that every Linux host has. It is hidden in these namespaces only."""
HOST = "host"
"""The folder in the root under which the host's own file system is seen; Wine's drive Z: is a link to it."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DISPLAY_SECONDS = 30.0
# What ends this process: the words are for the last line of the log, the number for whoever started us.
FAILED = 70


class SessionError(Exception):
    """The namespaces, the mounts or the display could not be set up."""


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Call mount(2). Raise SessionError with the system's reason."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.mount(source.encode(), target.encode(), kind.encode() or None, flags, data.encode() or None)
    if done != 0:
        code = ctypes.get_errno()
        raise SessionError(f"cannot mount {source} ({kind or 'bind'}) on {target}: {os.strerror(code)}")


def _layered(lower: str, name: str) -> str:
    """Return a folder that shows `lower` and takes changes in memory."""
    parts = {part: f"{LAYERS}/{name}-{part}" for part in ("upper", "work", "merged")}
    for folder in parts.values():
        Path(folder).mkdir()
    # Commas and colons separate overlay's options; a backslash takes that meaning away.
    escaped = "".join(f"\\{c}" if c in ":,\\" else c for c in lower)
    options = f"lowerdir={escaped},upperdir={parts['upper']},workdir={parts['work']}"
    mount("overlay", parts["merged"], "overlay", data=options)
    return parts["merged"]


def _bind(source: str, target: str, *, deep: bool = False) -> None:
    if Path(source).is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    mount(source, target, flags=MS_BIND | (MS_REC if deep else 0))


def set_up_files(spec: dict[str, Any]) -> str:
    """Mount everything that the program will see; return the folder to make its root."""
    held = os.open("/", os.O_RDONLY | os.O_DIRECTORY)  # the host's root, from before anything is mounted
    host = f"/proc/self/fd/{held}"
    mount("tmpfs", LAYERS, "tmpfs", MS_NODEV, "mode=0755")
    root = spec["root"] if spec["writable"] and not spec["prefix"] else _layered(spec["root"], "root")
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _bind("/sys", f"{root}/sys", deep=True)
    mount("tmpfs", f"{root}/dev", "tmpfs", MS_NOSUID, "mode=0755")
    for name in DEVICES:
        _bind(f"/dev/{name}", f"{root}/dev/{name}")
    Path(root, "dev/fd").symlink_to("/proc/self/fd")
    shared_memory = Path(root, "dev", "shm")
    shared_memory.mkdir()
    mount("tmpfs", str(shared_memory), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    if spec["prefix"]:
        prefix = spec["prefix"] if spec["writable"] else _layered(spec["prefix"], "prefix")
        _bind(prefix, f"{root}/prefix")
        for inside, outside in spec["plant"].items():
            Path(root, "prefix", inside).unlink(missing_ok=True)  # it may be a link, which must not be written through
            shutil.copyfile(outside, f"{root}/prefix/{inside}")
        _bind(host, f"{root}/{HOST}", deep=True)
    for inside, outside in spec["binds"].items():  # some lie in the prefix
        _bind(outside, f"{root}/{inside.lstrip('/')}")
    os.close(held)
    return str(root)


def environment(spec: dict[str, Any]) -> dict[str, str]:
    """Return the program's whole environment: little of the host's is right in another file system."""
    names = tuple(spec["pass_env"])
    inherited = {name: value for name, value in os.environ.items() if names and name.startswith(names)}
    fixed = {"PATH": "/usr/bin:/usr/sbin:/bin:/sbin", "HOME": "/root", "LANG": "C.UTF-8", "USER": "root"}
    return {**fixed, **inherited, **spec["env"]}


class Session:
    """Owns the processes of one run; the context manager `opened` makes it and takes everything down."""

    def __init__(self, root: str, spec: dict[str, Any]) -> None:
        self.root = root
        self.env = environment(spec)
        self.cwd = spec.get("start") or (f"/{HOST}{spec['cwd']}" if spec["cwd"] else "/")

    def start(self, argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program inside the root."""

        def enter() -> None:
            os.chroot(self.root)
            os.chdir(options.get("cwd") or "/")

        passed = {"stdin": subprocess.DEVNULL, **{key: value for key, value in options.items() if key != "cwd"}}
        # preexec_fn is safe here: this process has one thread.
        return subprocess.Popen(argv, env=self.env, preexec_fn=enter, **passed)  # noqa: PLW1509

    def open_display(self) -> None:
        """Start Xvfb on a free display number: without a display Wine's DXGI finds no adapter."""
        reader, writer = os.pipe()
        screen = ["-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset"]
        log = Path(self.root, "var/log/xvfb.log")
        with log.open("wb") as stream:
            server = self.start(
                ["Xvfb", "-displayfd", str(writer), *screen], pass_fds=(writer,), stdout=stream, stderr=stream
            )
        os.close(writer)
        number = b""
        deadline = time.monotonic() + DISPLAY_SECONDS
        os.set_blocking(reader, False)
        while b"\n" not in number and server.poll() is None and time.monotonic() < deadline:
            try:
                number += os.read(reader, 16)
            except BlockingIOError:
                time.sleep(0.02)
        os.close(reader)
        if not number.strip().isdigit():
            said = log.read_text(encoding="utf-8", errors="replace")[-300:].strip()
            raise SessionError(f"Xvfb did not start: {said or 'it said nothing'}")
        self.env["DISPLAY"] = f":{number.decode().strip()}"

    def run(self, argv: list[str]) -> int:
        """Run the program to its end; return its exit code (128 + n when signal n killed it).

        A program that keep_exit_code.py has started leaves its own exit code, which is the one that counts.
        """
        code = self.start(argv, cwd=self.cwd, stdin=None).wait()  # what we were given, for it alone
        own = Path(self.root, "prefix/drive_c/exit-code")
        if own.exists():
            return int(own.read_text(encoding="ascii"))
        return code if code >= 0 else 128 - code


@contextmanager
def opened(spec: dict[str, Any]) -> Iterator[Session]:
    """Open the one session of these namespaces; at the end the prefix's state is written and all processes end."""
    session = Session(set_up_files(spec), spec)
    try:
        if spec["display"]:
            session.open_display()
        yield session
    finally:
        if spec["prefix"] and spec["writable"]:  # otherwise nothing is kept, so nothing is worth waiting for
            session.start(["wineserver", "-w"]).wait()


def hold(files: list[str]) -> None:
    """Take a shared lock on each file, waiting for whoever has it alone. The kernel gives them back when we end."""
    for file in files:
        fcntl.flock(os.open(file, os.O_RDWR | os.O_CREAT, 0o644), fcntl.LOCK_SH)


def _stop(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    """Run the program that the file `arguments[0]` describes; return its exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)  # process 1 of a namespace ignores what it does not handle
    spec = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    if spec["cwd"] is None and spec["prefix"]:
        spec["cwd"] = str(Path.cwd())
    try:
        hold(spec.get("uses", []))
        with opened(spec) as session:
            return session.run([*spec["argv"], *arguments[1:]])
    except (SessionError, OSError) as error:
        print(f"wine session: {error}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
