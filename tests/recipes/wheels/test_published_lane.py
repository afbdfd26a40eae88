"""The published lane for real: PyPI's wheels, packed, indexed, resolved by pip; killed at random, and repeated offline.

The downloads are shared through the user's cache; everything else is made in folders of the test's own.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recipes.spec.load import load
from recipes.wheels.published import index_files_of
from wheelhouse.downloads import IndexFile, cached_path, fetch_index_files
from wheelhouse.files import sha256_file
from wheelhouse.paths import CACHE_VARIABLE, ROOT, cache_dir

pytestmark = [pytest.mark.integration, pytest.mark.network]

LOCKS = ("pylock.*.toml", "requirements.*.txt")
GENAI, RUNTIME = "onnxruntime-genai-directml", "onnxruntime-directml"


@pytest.fixture(scope="module")
def downloads() -> Path:
    """The folder of verified downloads."""
    files: list[IndexFile] = index_files_of(load("published"))
    fetch_index_files(files)
    return cache_dir("downloads")


# -S, because an editable installation of the checkout that runs this test would put itself before the copy.
_INVOKE = f"""
import sys
sys.path[:0] = [".", {sysconfig.get_path("purelib")!r}, {sysconfig.get_path("platlib")!r}]
from invoke.main import program
program.run()
"""


class Checkout:
    """A copy of this checkout with a cache of its own, in which only the downloads are there already."""

    def __init__(self, folder: Path, downloads: Path) -> None:
        self.folder = folder
        shutil.copytree(
            ROOT, folder, ignore=shutil.ignore_patterns(".*", "*.whl*", "simple", "SHA256SUMS", "third_party", *LOCKS)
        )
        self.cache = folder / ".cache"
        shutil.copytree(downloads, self.cache / "downloads", copy_function=os.link)
        self.wheels = folder / "wheels"

    def command(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """An `invoke` that can reach no package index: what follows must work offline."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        environ |= {CACHE_VARIABLE: str(self.cache), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
        return [sys.executable, "-S", "-c", _INVOKE, *arguments], environ

    def invoke(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv, environ = self.command(*arguments)
        return subprocess.run(
            argv, env=environ, cwd=self.folder, capture_output=True, text=True, timeout=600, encoding="utf-8"
        )

    def hashes(self) -> dict[str, str]:
        return {w.name: sha256_file(w) for w in self.wheels.glob("*.whl")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Checkout:
    checkout = Checkout(tmp_path_factory.mktemp("one") / "checkout", downloads)
    done = checkout.invoke("build-dml", "--lane", "published")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Lane: published (")
    assert len(checkout.hashes()) == 16
    return checkout


def elsewhere(argv: list[str]) -> subprocess.CompletedProcess[str]:
    """Run an installer in a folder of its own: pip makes its target there for a lock, `--dry-run` or not."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=600, encoding="utf-8")


def resolve(
    python: str, index: str | None, platform: str = "win_amd64", wanted: tuple[str, ...] = (GENAI,)
) -> dict[str, str]:
    """What pip would install on Windows for the GenAI package: name to version."""
    extra = () if index is None else ("--extra-index-url", index)
    target = ("--platform", platform, "--python-version", python, "--target", "never-made")
    argv = (sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-")
    done = elsewhere([*argv, "--only-binary=:all:", *target, *extra, *wanted])
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return {item["metadata"]["name"]: item["metadata"]["version"] for item in report["install"]}


@pytest.mark.parametrize("platform", ["win_amd64", "win_arm64"])
@pytest.mark.parametrize("python", load("published").pythons)
def test_pip_chooses_our_pair(built: Checkout, python: str, platform: str) -> None:
    chosen = resolve(python, (built.wheels / "simple").as_uri(), platform)
    assert (chosen[GENAI], chosen[RUNTIME]) == ("0.18.0+dmlwheelhouse.1", "1.30.0+dmlwheelhouse.1")


@pytest.fixture(scope="module")
def served(built: Checkout) -> Iterator[str]:
    """The address of the wheel folder on a plain web server."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(built.wheels))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


PAIR = {f"{GENAI}==0.18.0+dmlwheelhouse.1", f"{RUNTIME}==1.30.0+dmlwheelhouse.1"}
UV_PLATFORMS = {"windows-x64": "x86_64-pc-windows-msvc", "windows-arm64": "aarch64-pc-windows-msvc"}


def uv_would_install(target: str, python: str, *arguments: str) -> set[str]:
    """What uv would install on that system, as name==version."""
    argv = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--no-config", "--only-binary=:all:"]
    argv += ["--python-platform", UV_PLATFORMS[target], "--python-version", python, "--target", "never-made"]
    done = elsewhere([*argv, *arguments])
    assert done.returncode == 0, done.stderr
    return {line.removeprefix(" + ") for line in done.stderr.splitlines() if line.startswith(" + ")}


@pytest.mark.parametrize("target", UV_PLATFORMS)
@pytest.mark.parametrize("python", load("published").pythons)
def test_uv_chooses_our_pair_from_folder_and_server(built: Checkout, served: str, python: str, target: str) -> None:
    for index in ((built.wheels / "simple").as_uri(), f"{served}/simple"):
        chosen = uv_would_install(target, python, "--extra-index-url", index, GENAI)
        assert chosen > PAIR
        served_too = ("--extra-index-url", index, "-r", f"{served}/requirements.{target}.txt")
        for locked_by in (("-r", f"{built.wheels}/pylock.{target}.toml"), served_too):
            locked = uv_would_install(target, python, "--require-hashes", *locked_by)
            assert locked > PAIR
            assert {n.partition("==")[0] for n in locked} == {n.partition("==")[0] for n in chosen}


@pytest.mark.parametrize(("platform", "target"), [("win_amd64", "windows-x64"), ("win_arm64", "windows-arm64")])
@pytest.mark.parametrize("python", load("published").pythons)
def test_pip_takes_the_locked_requirements(
    built: Checkout, served: str, python: str, platform: str, target: str
) -> None:
    assert resolve(python, f"{served}/simple", platform)[GENAI] == "0.18.0+dmlwheelhouse.1"
    wanted = ("--require-hashes", "-r", str(built.wheels / f"requirements.{target}.txt"))
    locked = resolve(python, None, platform, wanted)
    assert {f"{name}=={version}" for name, version in locked.items()} > PAIR


def test_with_pypi_alone_pip_falls_back() -> None:
    """The defect that this project mends; when this fails, PyPI has changed and the README must too."""
    assert resolve("3.12", None)[GENAI] == "0.13.1"


def test_the_binaries_are_pypis_own(built: Checkout) -> None:
    """Each binary is in the published wheel that the provenance record names, byte for byte."""
    for wheel in built.wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            record = json.loads(archive.read(next(n for n in archive.namelist() if n.endswith("/provenance.json"))))
            origins = {a["name"]: cached_path(a["sha256"], a["filename"]) for a in record["artifacts"]}
            assert [b["path"] for b in record["binaries"]] == sorted(
                n for n in archive.namelist() if n.endswith((".dll", ".pyd"))
            )
            for binary in record["binaries"]:
                with zipfile.ZipFile(origins[binary["origin"]]) as source:
                    assert source.read(binary["path"]) == archive.read(binary["path"])


def test_a_pair_has_one_onnxruntime_dll(built: Checkout) -> None:
    found: dict[str, list[str]] = {}
    for wheel in built.wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            tag = wheel.name.split("-", 2)[2]
            found.setdefault(tag, []).extend(n for n in archive.namelist() if n.endswith("/onnxruntime.dll"))
    assert set(map(tuple, found.values())) == {("onnxruntime/capi/onnxruntime.dll",)}
    assert len(found) == 8


def test_sums_and_summary_name_every_wheel(built: Checkout) -> None:
    lines = (built.wheels / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert dict(reversed(line.split("  ")) for line in lines) == built.hashes()
    assert len(lines) == 16


def test_second_run_changes_nothing_and_packs_nothing(built: Checkout) -> None:
    before = {p: p.stat().st_mtime_ns for p in built.wheels.rglob("*") if p.is_file()}
    done = built.invoke("--verbose", "build-dml", "--lane", "published")
    assert done.returncode == 0
    assert "+ " not in done.stderr  # the mark before every process that is started
    assert done.stdout.count("unchanged") == len(built.hashes())
    assert {p: p.stat().st_mtime_ns for p in built.wheels.rglob("*") if p.is_file()} == before
    argv, environ = built.command("build-dml", "--lane", "published")
    third = subprocess.run([argv[0], "-X", "importtime", *argv[1:]], env=environ, cwd=built.folder, capture_output=True)
    assert third.stdout.decode() == done.stdout
    assert b"recipes.standing" in third.stderr
    assert b"recipes.lanes" not in third.stderr  # told from memory


def test_another_folder_gives_the_same_bits_also_after_being_killed(
    built: Checkout, tmp_path: Path, downloads: Path
) -> None:
    other = Checkout(tmp_path / "another" / "place" / "checkout", downloads)
    good = built.hashes()
    chance = random.Random(24)
    argv, environ = other.command("build-dml", "--lane", "published")
    for _ in range(5):
        process = subprocess.Popen(
            argv, env=environ, cwd=other.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.2, 9))
        process.kill()
        process.wait()
        assert other.hashes().items() <= good.items()
    done = other.invoke("build-dml", "--lane", "published")
    assert done.returncode == 0, done.stderr
    assert other.hashes() == good
    names = {p.name for p in other.wheels.rglob(".*") if p.is_file()}
    assert names <= {".simple.lock"}
    for page in (built.wheels / "simple").rglob("*.*"):
        assert (other.wheels / page.relative_to(built.wheels)).read_bytes() == page.read_bytes()
