"""Runs a bundle: `python run.py`, with nothing but Python and, once, a package index.

Makes a virtual environment beside this file, installs the pinned packages into it, runs each worker, and packs what
they left into one archive for `invoke compare` at home. Standard library only, Python 3.9 syntax; nothing leaves this
machine, and nothing outside this folder is changed.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime as dt
import io
import json
import os
import platform
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROGRESS = "@progress "
TAIL_LINES = 15
LONGEST_PATH = 259
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")


class ProblemError(Exception):
    """Something that the person before this machine can mend."""


def main(arguments: list[str]) -> int:
    """Run what the bundle holds; return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a folder's name that this console has no letters for is no fault
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(prog="run.py", description="Run this bundle's backends on this machine.")
    parser.add_argument("--only", metavar="BACKEND:VARIANT", help="run this one only")
    parser.add_argument("--find-links", metavar="DIR", help="take packages from this folder instead of an index")
    chosen = parser.parse_args(arguments)
    bundle = json.loads((HERE / "bundle.json").read_text(encoding="utf-8"))
    try:
        folders = [_run(run, bundle, chosen.find_links) for run in _chosen(bundle, chosen.only)]
    except ProblemError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    archive = _packed(folders)
    print(f"Done. Take {archive.name} home, and compare it there: invoke compare HOME {archive.name}")
    return 0


def _chosen(bundle: dict[str, Any], only: str | None) -> list[dict[str, Any]]:
    runs = [run for run in bundle["runs"] if only in (None, run["name"])]
    if not runs:
        raise ProblemError(f"There is no {only} here, but: {', '.join(run['name'] for run in bundle['runs'])}.")
    return runs


def _run(run: dict[str, Any], bundle: dict[str, Any], find_links: str | None) -> Path:
    python = _environment(run["environment"], find_links)
    folder = HERE / "dumps" / str(run["name"]).replace(":", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    model = HERE / str(run["job"]["model"])
    if not model.is_dir():
        raise ProblemError(f"{run['name']} wants its model in {model}: {run['model_hint']}")
    job = {**bundle["questions"], **run["job"], "output": str(folder), "model": str(model)}
    job["engine"] = str(HERE / "worker" / run["job"]["engine"])
    (folder / "job.json").write_text(json.dumps(job, ensure_ascii=False), encoding="utf-8")
    print(f"{run['name']} ...")
    ended = _worker(python, folder, run)
    (folder / "job.json").unlink()
    record = {**run["record"], **ended, "host": _host(), "home": _home(python)}
    record["created"] = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.9
    (folder / "run.json").write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"{run['name']}: {ended['seconds']:.0f} s, exit code {ended['returncode']}")
    return folder


def _worker(python: Path, folder: Path, run: dict[str, Any]) -> dict[str, Any]:
    """Run the worker to its end or to its time limit; return how it ended."""
    variables = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    variables.update(run["variables"])
    command = [str(python), str(HERE / "worker" / "main.py"), str(folder / "job.json")]
    started, tail = time.monotonic(), []
    with (folder / "worker.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, env=variables, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            process.wait(run["timeout"])
            timed_out = False
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            timed_out = True
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            raise ProblemError("interrupted") from None
    seconds = time.monotonic() - started
    lines = (folder / "worker.log").read_text(encoding="utf-8", errors="replace").splitlines()
    tail = [line for line in lines if not line.startswith(PROGRESS)][-TAIL_LINES:]
    return {"returncode": process.returncode, "seconds": seconds, "timed_out": timed_out, "tail": tail}


def _environment(name: str, find_links: str | None) -> Path:
    """Return the Python of the environment, making it first unless it is there and whole."""
    about = json.loads((HERE / "environments" / f"{name}.json").read_text(encoding="utf-8"))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if version not in about["pythons"]:
        raise ProblemError(
            f"This is Python {version}; {name} has packages for {', '.join(about['pythons'])}. Start run.py with one "
            "of those, for instance: py -3.12 run.py (Windows), python3.12 run.py."
        )
    if why := about["impossible"].get(f"{sys.platform}-{platform.machine().lower()}"):
        raise ProblemError(f"{name} cannot be installed on this system. {why}")
    folder = HERE / f"environment-{name}-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    marker = folder / "complete"
    if marker.exists() and marker.read_text(encoding="utf-8") == about["key"]:
        return python
    _require_short(folder, about["deepest"])
    print(f"making the environment {name} ({about['label']}) ...")
    _step([sys.executable, "-m", "venv", "--clear", str(folder)], "Python's venv module, with ensurepip, is needed")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--only-binary", ":all:"]
    if find_links:
        pip += ["--no-index", "--find-links", str(Path(find_links).resolve())]
    network = "The packages come from PyPI once; --find-links DIR takes them from a folder"
    pins = HERE / "environments" / f"{name}.txt"
    _step([*pip, "--no-deps", "--requirement", str(pins)], network)
    # What differs by platform in what it needs, and wheels of the bundle: as a user's pip would take them.
    if about["with what they need"]:
        wheels = ["--find-links", str(HERE / "wheels")] * (HERE / "wheels").is_dir()
        _step([*pip, *wheels, "--constraint", str(pins), *about["with what they need"]], network)
    marker.write_text(about["key"], encoding="utf-8")
    return python


def _require_short(folder: Path, deepest: int) -> None:
    """Say that Windows will not take the environment's paths now, rather than in the middle of an installation."""
    if len(str(folder)) + 1 + deepest > LONGEST_PATH and not _long_paths():
        raise ProblemError(
            f"{folder} is {len(str(folder))} characters long, and what is to lie below it has up to {deepest}: Windows "
            f"takes {LONGEST_PATH} while long paths are off. Move this folder to a short place such as C:\\b."
        )


def _long_paths() -> bool:
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
                return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
        except OSError:
            return False
    return True


def _step(command: list[str], hint: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        said = done.stdout.decode("utf-8", errors="replace").strip().splitlines()[-8:]
        raise ProblemError("\n".join([f"`{' '.join(command)}` failed. {hint}.", *said]))


def _home(python: Path) -> str:
    """Return the folder that the environment's packages are in, as its own Python names it."""
    code = "import os, sys, sysconfig; sys.stdout.buffer.write(os.fsencode(sysconfig.get_paths()['platlib']))"
    said = subprocess.run([str(python), "-c", code], stdout=subprocess.PIPE, check=True).stdout
    return said.decode("utf-8", errors="replace")  # in no code page: the user's name may be in it


def _host() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "memory_bytes": _memory(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *(
            (name, ctypes.c_uint64)
            for name in ("total", "free", "page", "page_free", "virtual", "virtual_free", "more")
        ),
    )


def _memory() -> int:
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.total)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _packed(folders: list[Path]) -> Path:
    """Pack the dumps into one archive, named after this machine."""
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in platform.node() or "machine")
    archive = HERE / f"dumps-{name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for folder in folders:
            for file in sorted(folder.iterdir()):
                packed.write(file, f"{folder.name}/{file.name}")
    return archive


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
