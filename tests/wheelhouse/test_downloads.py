"""Downloads, against a folder of wheels for pip and a loopback HTTP server for plain URLs."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recipes.wheel_factory import make_wheel
from wheelhouse import downloads
from wheelhouse.console import Task
from wheelhouse.downloads import IndexFile, UrlFile, cached_path, fetch_index_files, fetch_url, pip_download
from wheelhouse.errors import IntegrityError, NetworkError
from wheelhouse.files import sha256_bytes, sha256_file
from wheelhouse.paths import cache_dir
from wheelhouse.process import Command, Completed


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all the packages that pip knows."""
    folder = tmp_path / "offer"
    folder.mkdir()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())  # pip takes a path apart at its spaces
    return folder


def index_file(wheel: Path, **changed: str) -> IndexFile:
    name, version = wheel.name.split("-")[:2]
    facts = {
        "package": name.replace("_", "-"),
        "version": version,
        "filename": wheel.name,
        "sha256": sha256_file(wheel),
        "python": "3.12",
        "platform": "win_amd64",
    }
    return IndexFile(**facts | changed)


@pytest.fixture
def quick_pip(offer: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of a pip process, a function that copies from the offer what pip would."""

    def run(command: Command, **_: object) -> Completed:
        wanted = command.argv[command.argv.index("--dest") + 2 :]
        for requirement in wanted:
            name, version = requirement.split("===")
            for wheel in offer.glob(f"{name.replace('-', '_')}-{version}-*.whl"):
                shutil.copy(wheel, command.argv[command.argv.index("--dest") + 1])
        return Completed(returncode=0, tail=(), seconds=0)

    monkeypatch.setattr(downloads, "run", run)
    return offer


def test_pip_fetches_a_wheel_of_another_platform_and_not_our_own_local_version(offer: Path) -> None:
    file = index_file(make_wheel(offer))
    make_wheel(offer, version="1.0+dmlwheelhouse.1")
    path = fetch_index_files([file])[file.filename]
    assert path == cached_path(file.sha256, file.filename)
    assert sha256_file(path) == file.sha256


def test_two_versions_of_one_package(offer: Path) -> None:
    """pip takes one at a time."""
    files = [index_file(make_wheel(offer, version=version)) for version in ("1.0", "2.0")]
    assert sorted(fetch_index_files(files)) == sorted(file.filename for file in files)


def test_needs_no_pip_the_second_time(quick_pip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = index_file(make_wheel(quick_pip))
    fetch_index_files([file])
    monkeypatch.setattr(downloads, "run", lambda *_args, **_kwargs: pytest.fail("started a process"))
    assert fetch_index_files([file])[file.filename].is_file()


def test_wrong_content_names_both_hashes_and_caches_nothing(quick_pip: Path) -> None:
    wheel = make_wheel(quick_pip)
    pinned = "0" * 64
    with pytest.raises(IntegrityError) as caught:
        fetch_index_files([index_file(wheel, sha256=pinned)])
    assert pinned in str(caught.value)
    assert sha256_file(wheel) in str(caught.value)
    assert not cached_path(pinned, wheel.name).exists()


def test_another_file_than_the_pinned_one_is_refused(quick_pip: Path) -> None:
    wheel = make_wheel(quick_pip, tag="py3-none-any")
    with pytest.raises(IntegrityError, match="delivered demo_pkg"):
        fetch_index_files([index_file(wheel, filename="demo_pkg-1.0-cp312-cp312-win_amd64.whl")])


@pytest.mark.parametrize("damage", [b"", b"another wheel", None])
def test_what_is_damaged_in_the_cache_is_said_and_fetched_again(quick_pip: Path, capfd, damage: bytes | None) -> None:
    file = index_file(make_wheel(quick_pip))
    path = fetch_index_files([file])[file.filename]
    content = path.read_bytes()
    path.write_bytes(content[:-1] if damage is None else damage)
    assert fetch_index_files([file])[file.filename].read_bytes() == content
    assert f"{file.filename} was damaged in the cache" in capfd.readouterr().err


def test_what_no_index_offers_is_a_network_error_about_the_index(offer: Path) -> None:
    file = index_file(make_wheel(offer), package="not-there")
    with pytest.raises(NetworkError, match="No index that pip is configured for"):
        fetch_index_files([file])


def test_unreachable_index_is_a_network_error(offer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = index_file(make_wheel(offer))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: refused at once
    with pytest.raises(NetworkError, match="No package index could be reached"):
        fetch_index_files([file])


def test_what_a_killed_download_left_is_no_obstacle(quick_pip: Path) -> None:
    file = index_file(make_wheel(quick_pip))
    left = cache_dir("downloads", ".3.12-win_amd64.partial")
    left.mkdir(parents=True)
    (left / file.filename).write_bytes(b"half")
    assert sha256_file(fetch_index_files([file])[file.filename]) == file.sha256
    assert not left.exists()


def test_pip_command_is_limited_in_time_and_names_no_index(offer: Path) -> None:
    command = pip_download([index_file(make_wheel(offer))], Path("place"))
    assert {"--timeout", "--retries"} <= set(command.argv)
    assert not [a for a in command.argv if "index" in a]


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        if self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
        elif self.path == "/silent":
            self.server.wait.wait(20)  # type: ignore[attr-defined]
        else:
            super().do_GET()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server over a folder: its address and the folder. /cut breaks off, /silent never answers."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
    server.wait = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.wait.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def test_url_is_fetched_once(site: tuple[str, Path]) -> None:
    address, folder = site
    (folder / "a.bin").write_bytes(b"content")
    file = UrlFile(url=f"{address}/a.bin", filename="a.bin", sha256=sha256_bytes(b"content"))
    assert fetch_url(file).read_bytes() == b"content"
    (folder / "a.bin").unlink()
    assert fetch_url(file).read_bytes() == b"content"


def test_what_has_arrived_is_told_in_bytes(site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    address, folder = site
    (folder / "large.bin").write_bytes(b"x" * 5000)
    told: list[tuple[float, float | None, str]] = []
    monkeypatch.setattr(Task, "progress", lambda _, done, total, *, unit="": told.append((done, total, unit)))
    fetch_url(UrlFile(url=f"{address}/large.bin", filename="large.bin"))
    assert told[0] == (1024, 5000, "bytes")
    assert told[-1] == (5000, 5000, "bytes")


def test_hash_is_recorded_on_first_fetch_and_verified_later(site: tuple[str, Path]) -> None:
    address, folder = site
    (folder / "a.bin").write_bytes(b"first")
    file = UrlFile(url=f"{address}/a.bin", filename="a.bin")
    fetch_url(file).unlink()
    (folder / "a.bin").write_bytes(b"second")
    with pytest.raises(IntegrityError, match=sha256_bytes(b"first")):
        fetch_url(file)


@pytest.mark.parametrize("record", [b"", b"\xff", b"not a hash", b"0" * 63])
def test_a_damaged_record_is_a_first_fetch_again(site: tuple[str, Path], record: bytes) -> None:
    address, folder = site
    (folder / "a.bin").write_bytes(b"content")
    file = UrlFile(url=f"{address}/a.bin", filename="a.bin")
    fetch_url(file)
    (note,) = cache_dir("downloads").glob("*.sha256")
    note.write_bytes(record)
    assert fetch_url(file).read_bytes() == b"content"
    assert note.read_text(encoding="utf-8").split() == [sha256_bytes(b"content"), file.url]


@pytest.mark.parametrize(("path", "words"), [("missing", "404"), ("cut", "could not be fetched")])
def test_failures_of_a_site_are_network_errors(site: tuple[str, Path], path: str, words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        fetch_url(UrlFile(url=f"{site[0]}/{path}", filename="a.bin"))


def test_a_silent_site_does_not_hang_us(site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "CONNECT_SECONDS", 0.2)
    with pytest.raises(NetworkError, match="could not be fetched"):
        fetch_url(UrlFile(url=f"{site[0]}/silent", filename="a.bin"))


def test_nothing_listens() -> None:
    with pytest.raises(NetworkError, match="could not be fetched"):
        fetch_url(UrlFile(url="http://127.0.0.1:9/a", filename="a.bin"))
