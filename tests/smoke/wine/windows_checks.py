"""Run by Wine's Windows Python: `windows_checks.py CHECKOUT JOB.json OUTPUT.json`; test_runtime.py judges."""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

CHECKOUT, JOB, OUTPUT = sys.argv[1:4]
sys.path[:0] = [CHECKOUT, str(Path(CHECKOUT, "smoke", "worker"))]

import worker_host  # noqa: E402 - its folder has just become known

from wheelhouse import files  # noqa: E402
from wheelhouse.machine import dxgi  # noqa: E402


def arguments_of(lines):
    """Return what a program receives as its argument when cmd.exe runs each line."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        show = Path(folder, "show.py")
        show.write_text("import sys; print(repr(sys.argv[1:]))", encoding="utf-8")
        for number, line in enumerate(lines):
            script = Path(folder, f"run{number}.cmd")
            # In a file, cmd.exe reads %% as %.
            script.write_text(f'@"{sys.executable}" "{show}" {line.replace("%", "%%")}\r\n', encoding="utf-8")
            said = subprocess.run(
                ["cmd.exe", "/c", str(script)], capture_output=True, text=True, check=True, encoding="utf-8"
            ).stdout
            found += eval(said)
    return found


def main():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "deep", "file.txt")
        files.write_atomic(file, "text")
        files.write_atomic(file, "other")
        file.chmod(0o400)
        files.remove_tree(Path(folder, "deep"))
        if Path(folder, "deep").exists():
            raise SystemExit("a read-only file was not removed")
    found = {
        "platform": sys.platform,
        "arguments": arguments_of(json.loads(Path(JOB).read_text(encoding="utf-8"))["lines"]),
        "adapters": [asdict(adapter) for adapter in dxgi.list_adapters()],
        "peak_memory": worker_host.peak_memory(),
        "loaded": [entry["path"] for entry in worker_host.loaded_libraries(["python"])],
    }
    Path(OUTPUT).write_text(json.dumps(found), encoding="utf-8")


main()
