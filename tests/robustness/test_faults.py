"""The system says no, or a site lies: an error in words, nothing half made, and the next run is as if nothing was.

What is hit: the published lane over two small wheels, a step that fills a folder, and downloads from a web server.
Each test prints how many faults ended well. `DML_WHEELHOUSE_FAULTS` multiplies them (default 1).
"""

from __future__ import annotations

import errno
import http.server
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from unittest import mock

import pytest

from front.door.ending import ended
from recipes.spec.load import load
from recipes.wheels.index import write_index
from recipes.wheels.published import build_published
from tests.recipes.wheel_factory import make_wheel
from tests.robustness.test_kills import RECIPE
from wheelhouse import downloads, manifests
from wheelhouse.downloads import UrlFile, fetch_url
from wheelhouse.errors import IntegrityError, NetworkError, ResourceError
from wheelhouse.files import sha256_bytes, sha256_file, sha256_tree
from wheelhouse.paths import CACHE_VARIABLE, cache_dir
from wheelhouse.steps import Step, ensure

resource = pytest.importorskip("resource", reason="limits and links of POSIX")
pytestmark = pytest.mark.integration

TIMES = max(1, int(os.environ.get("DML_WHEELHOUSE_FAULTS", "1")))
SEED = int(os.environ.get("DML_WHEELHOUSE_SEED", "0")) or time.time_ns()


class Lane:
    """The published lane in this process, with a cache and an output of its own."""

    def __init__(self, base: Path) -> None:
        offered = base / "offered"
        runtime = make_wheel(offered, package="runtime")
        demo = make_wheel(offered, headers=("Requires-Dist: runtime>=9",), files={"demo_pkg/LICENSE": b"MIT"})
        sums = {"runtime_sha": sha256_file(runtime), "demo_sha": sha256_file(demo)}
        self.recipe, self.out, self.offered = base / "demo.toml", base / "out", offered
        self.recipe.write_text(RECIPE.format(runtime=runtime.name, demo=demo.name, **sums), encoding="utf-8")

    def run(self) -> None:
        build_published(load(str(self.recipe)), self.recipe, self.out)
        write_index(self.out)

    def whole(self) -> str:
        return sha256_tree(self.out)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of anybody else's is harmed: integration tests share their cache otherwise."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lane:
    made = Lane(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.offered))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    made.run()
    return made


def told(ended_well: int, what: str) -> None:
    print(f"{ended_well} of {ended_well} faults ended well: {what}")


def test_a_flipped_bit_in_any_kind_of_file_is_found_when_all_is_read(lane: Lane) -> None:
    """One bit in each file of the cache and of what came out; `--verify` makes again what was damaged."""
    good, draw, count = lane.whole(), random.Random(SEED), 0
    for _ in range(TIMES):
        files = [p for p in (*cache_dir().rglob("*"), *lane.out.rglob("*")) if p.is_file() and p.stat().st_size]
        kinds = {(p.suffix, p.parent.parent.name): p for p in files if "logs" not in p.parts}
        for path in kinds.values():
            content = bytearray(path.read_bytes())
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
            before = path.stat()
            path.write_bytes(content)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            with manifests.verifying(True):
                lane.run()
            assert lane.whole() == good, f"seed {SEED}: {path}"
            count += 1
    told(count, "flipped bits")


def test_any_file_that_is_gone_is_made_again(lane: Lane) -> None:
    good, count = lane.whole(), 0
    for path in sorted(p for p in (*cache_dir().rglob("*"), *lane.out.rglob("*")) if p.is_file()):
        if path.suffix == ".lock" or "logs" in path.parts or not path.exists():
            continue
        path.unlink()
        lane.run()
        assert lane.whole() == good, path
        count += 1
    told(count, "files that are gone")


@pytest.mark.parametrize("moment", [0, 86_400, 4_000_000_000], ids=["1970", "a day after", "2096"])
def test_clocks_that_jump(lane: Lane, moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    good = lane.whole()
    for path in (*cache_dir().rglob("*"), *lane.out.rglob("*")):
        os.utime(path, (moment, moment))
    monkeypatch.setattr(time, "time", lambda: float(moment))
    monkeypatch.setattr(time, "time_ns", lambda: moment * 10**9)
    lane.run()
    assert lane.whole() == good
    shutil.rmtree(cache_dir("published"))
    lane.run()
    assert lane.whole() == good
    told(2, f"clocks that say {moment}")


class FileLimit(AbstractContextManager[None]):
    """No file may grow beyond so many bytes, here and in what is started: writing fails as on a full disk."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def test_no_room_at_any_byte(lane: Lane, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit code and words come from the front door; what was there stays, and the next run finishes."""
    good, refused = lane.whole(), 0
    for size in [0, 1, 50, 200, 700, 1500, 3000, 6000][:: 1 if TIMES > 1 else 2]:
        shutil.rmtree(cache_dir("published"))
        with FileLimit(size):
            code = ended(lane.run)
        said = capfd.readouterr().err
        assert "Traceback" not in said
        assert code or lane.whole() == good, size
        refused += bool(code)
        lane.run()
        assert lane.whole() == good, size
    assert refused, "the limits were never reached"
    with capfd.disabled():
        told(refused, "no room for a file")


def fill(folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 1000)
    manifests.write(folder)


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_rename_that_is_refused_leaves_the_former_output(tmp_path: Path, number: int) -> None:
    """Quotas are often counted when a file gets its name: each rename of a step fails once."""
    out, count = tmp_path / "out", 0
    real, calls, failing = os.replace, [0], [0]

    def replace(*arguments: object, **more: object) -> None:
        calls[0] += 1
        if calls[0] == failing[0]:
            raise OSError(number, os.strerror(number), str(arguments[0]))
        real(*arguments, **more)  # type: ignore[arg-type]

    def rename(self: Path, target: Path) -> Path:
        replace(self, target)
        return Path(target)

    with (
        mock.patch("os.replace", replace),
        mock.patch.object(Path, "rename", rename),
        mock.patch.object(Path, "replace", rename),
        mock.patch("os.rename", replace),
    ):
        for turn in range(1, 9):
            step = Step(name="fill", output=out, inputs={"turn": str(turn)})
            calls[0], failing[0] = 0, turn
            try:
                ensure(step, fill)
            except (OSError, ResourceError):
                count += 1
            failing[0] = 0
            ensure(step, fill)
            assert manifests.damage(out) is None
            assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["out"]
    assert count, "no rename was refused"
    told(count, f"renames refused with {errno.errorcode[number]}")


FULL = """
import subprocess, sys
from pathlib import Path
from wheelhouse.errors import ResourceError
from wheelhouse.steps import Step, ensure
from wheelhouse import manifests
disk = Path(sys.argv[1])
def fill(folder):
    for number in range(30):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 100_000)
    manifests.write(folder)
for size in range(300, 2900, 400):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(disk)], check=True)
    step = Step(name="fill", output=disk / "out", inputs={"size": str(size)})
    try:
        ensure(step, fill)
        raise SystemExit("it fitted")
    except ResourceError as error:
        assert "fill" in str(error) or "room" in str(error), str(error)
    assert [p.name for p in disk.iterdir() if p.is_dir()] == [], list(disk.iterdir())
    subprocess.run(["mount", "-o", "remount,size=9m", str(disk)], check=True)
    ensure(step, fill)
    assert manifests.damage(disk / "out") is None
    subprocess.run(["umount", str(disk)], check=True)
    print("ended well")
"""


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """On a small disk of its own, in a namespace that takes its mounts with it."""
    own = ["unshare", "--mount", "--propagation", "private"]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("a namespace for mounts is not permitted here")
    done = subprocess.run(
        [*own, sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, encoding="utf-8"
    )
    if "mount" in done.stderr and "permission denied" in done.stderr:
        pytest.skip("mounting is not permitted here")
    assert done.returncode == 0, done.stderr
    told(done.stdout.count("ended well"), "a full disk")


class Lying(http.server.BaseHTTPRequestHandler):
    """A site that does what the path says."""

    protocol_version = "HTTP/1.1"
    content = b"the true content" * 1000

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def answer(self, code: int, length: object, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")  # or the client asks the next thing while this is being closed
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:  # noqa: C901 - a list of lies
        whole = self.content
        match self.path.strip("/"):
            case "true":
                self.answer(200, len(whole), whole)
            case "moved":
                self.answer(302, 0, b"", Location="/true")
            case "round":
                self.answer(302, 0, b"", Location="/round")
            case "nowhere":
                self.answer(302, 0, b"", Location="http://127.0.0.1:9/x")
            case "other-scheme":
                self.answer(302, 0, b"", Location="file:///etc/passwd")
            case "cut":
                self.answer(200, len(whole), whole[:1000])
            case "longer":
                self.answer(200, len(whole) + 7, whole + b"garbage")
            case "empty":
                self.answer(200, 0, b"")
            case "wrong":
                self.answer(200, len(whole), bytes(reversed(whole)))
            case "no-number":
                self.answer(200, "many", whole)
            case "negative":
                self.answer(200, -5, whole)
            case "not-gzip":
                self.answer(200, len(whole), whole, **{"Content-Encoding": "gzip"})
            case "huge":
                self.answer(200, 10**18, whole)
            case "endless" | "slow":
                self.send_response(200)
                self.end_headers()
                self.close_connection = True
                for _ in range(10_000):
                    self.wfile.write(b"x" * 1024)
                    if self.path == "/slow":
                        time.sleep(0.05)
            case "hangs":
                time.sleep(3)
            case code:
                self.answer(int(code), 0, b"")


LIES = [
    "round", "nowhere", "other-scheme", "cut", "longer", "empty", "wrong", "no-number", "not-gzip", "huge",
    "endless", "slow", "hangs", "404", "500", "503", "204", "304",
]  # fmt: skip


@pytest.fixture
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lying)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # the client leaves in the middle
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_sites_that_lie(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(downloads, "DOWNLOAD_SECONDS", 1.0)
    monkeypatch.setattr(downloads, "MOST_BYTES", 1_000_000)
    pinned = sha256_bytes(Lying.content)

    def fetch(path: str) -> Path:
        return fetch_url(UrlFile(url=f"{site}/{path}", filename="a.bin", sha256=pinned))

    for lie in LIES:
        with pytest.raises((NetworkError, IntegrityError)):
            fetch(lie)
        assert list(cache_dir("downloads").rglob("*.bin")) == [], lie
    for harmless in ("moved", "negative"):
        arrived = fetch(harmless)
        assert sha256_file(arrived) == pinned, harmless
        arrived.unlink()
    told(len(LIES), "downloads cut off, slow, redirected, too large, wrong")
