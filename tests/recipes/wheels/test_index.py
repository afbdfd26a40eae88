"""The package index: what it says, that a resolver takes it, and that it is never half written."""

from __future__ import annotations

import functools
import html.parser
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.wheels.index import index_files, write_index
from recipes.wheels.placing import WheelFacts
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError
from wheelhouse.files import sha256_file


class Links(html.parser.HTMLParser):
    """Collects the anchors of a page: attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = dict(attrs) if tag == "a" else None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.found.append((self._open, data))
            self._open = None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    make_wheel(folder, package="demo-pkg", version="1.0+local.1", headers=("Requires-Python: >=3.11,<4",))
    make_wheel(folder, package="demo-pkg", version="1.0+local.1", tag="cp313-cp313-win_amd64")
    make_wheel(folder, package="other", version="2.0", tag="py3-none-any")
    return folder


def test_links_lead_to_the_wheels_with_their_hashes(folder: Path) -> None:
    write_index(folder)
    page = folder / "simple" / "demo-pkg" / "index.html"
    found = Links(page.read_text(encoding="utf-8")).found
    assert len(found) == 2
    for attributes, text in found:
        target, fragment = urldefrag(urljoin("/w/simple/demo-pkg/", attributes["href"]))
        wheel = folder / unquote(target).removeprefix("/w/")
        assert wheel.name == text
        assert fragment == f"sha256={sha256_file(wheel)}"
        metadata = wheel.with_name(wheel.name + ".metadata")
        assert attributes["data-core-metadata"] == f"sha256={sha256_file(metadata)}"
    assert found[0][0]["data-requires-python"] == ">=3.11,<4"
    assert "data-requires-python" not in found[1][0]
    root = Links((folder / "simple" / "index.html").read_text(encoding="utf-8")).found
    assert [(a["href"], text) for a, text in root] == [("demo-pkg/", "demo-pkg"), ("other/", "other")]


def test_json_says_the_same(folder: Path) -> None:
    write_index(folder)
    page = json.loads((folder / "simple" / "demo-pkg" / "index.json").read_text(encoding="utf-8"))
    assert page["meta"] == {"api-version": "1.1"}
    assert (page["name"], page["versions"]) == ("demo-pkg", ["1.0+local.1"])
    for file in page["files"]:
        wheel = folder / file["filename"]
        assert file["hashes"]["sha256"] == sha256_file(wheel)
        assert file["size"] == wheel.stat().st_size


def test_sums_are_those_of_sha256sum(folder: Path) -> None:
    write_index(folder)
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert lines == [f"{sha256_file(w)}  {w.name}" for w in sorted(folder.glob("*.whl"))]


def test_what_is_gone_leaves_the_index(folder: Path) -> None:
    write_index(folder)
    for wheel in folder.glob("other-*.whl"):
        wheel.unlink()
    write_index(folder)
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert not [n for n in names if "other" in n]
    assert "simple/demo-pkg/index.html" in names
    assert not (folder / "simple" / "other").exists()


def test_second_writing_touches_nothing(folder: Path) -> None:
    write_index(folder)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    write_index(folder)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == before


def test_damaged_pages_are_mended(folder: Path) -> None:
    write_index(folder)
    page = folder / "simple" / "other" / "index.html"
    good = page.read_bytes()
    page.write_bytes(b"\xff\xfe")
    metadata = next(folder.glob("other*.metadata"))
    metadata.write_bytes(b"")
    write_index(folder)
    assert page.read_bytes() == good
    assert metadata.read_bytes()


def test_pip_takes_it_from_a_web_server_and_reads_metadata_without_the_wheel(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip checks the hashes of METADATA and wheel, and asks for the wheel of the version that it has chosen only."""
    write_index(folder)
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            asked.append(unquote(self.path))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | {"PIP_CONFIG_FILE": os.devnull}
    index = f"http://127.0.0.1:{server.server_port}/simple"
    target = (
        "--platform",
        "win_amd64",
        "--python-version",
        "3.12",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--index-url",
        index,
    )
    argv = [sys.executable, "-m", "pip", "download", "--only-binary=:all:", *target, "demo-pkg"]
    done = subprocess.run(
        argv, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, encoding="utf-8"
    )
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stderr
    wheel = "demo_pkg-1.0+local.1-cp312-cp312-win_amd64.whl"
    assert sha256_file(tmp_path / wheel) == sha256_file(folder / wheel)
    # each once; pip 23.0, which Debian 12 has, asks for the wheel that it has chosen twice
    assert list(dict.fromkeys(asked)) == ["/simple/demo-pkg/", f"/{wheel}.metadata", f"/{wheel}"]


@pytest.mark.parametrize("name", ["x.whl", "a-1.0-py3-none.whl", "a-not a version-py3-none-any.whl"])
def test_a_name_that_is_no_wheels_is_refused(folder: Path, name: str) -> None:
    next(folder.glob("other*.whl")).rename(folder / name)
    with pytest.raises(InputError, match="not a wheel's file name"):
        write_index(folder)


@given(
    requires=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30),
    local=st.from_regex(r"[a-z0-9]{1,5}(\.[a-z0-9]{1,5}){0,2}", fullmatch=True),
)
def test_whatever_metadata_says_the_page_stays_well_formed(requires: str, local: str) -> None:
    wheel = WheelFacts(
        filename=f"demo-1.0+{local}-py3-none-any.whl", size=1, sha256="a", metadata_sha256="b", requires_python=requires
    )
    files = index_files([wheel])
    ((attributes, text),) = Links(files["simple/demo/index.html"]).found
    assert text == wheel.filename
    assert attributes.get("data-requires-python", "") == requires
    assert unquote(urldefrag(attributes["href"] or "")[0]) == f"../../{wheel.filename}"
    assert json.loads(files["simple/demo/index.json"])["files"][0].get("requires-python", "") == requires
