"""Downloads from a hub on the loopback interface that cuts the line: what is fetched again, and what is not."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from smoke.environments import pinned
from smoke.models import hub_listing, resolving
from smoke.models.model import Model
from wheelhouse.errors import NetworkError, StepFailedError

pytestmark = pytest.mark.integration

COMMIT = "c" * 40
LARGE = "model.safetensors"
WRITTEN = 1 << 16
"""What a line that is cut after 100 000 bytes leaves: whole pieces (hub_download.WRITTEN_AT_ONCE)."""


class LocalHub:
    """The tiny model as a hub serves it. `cut`: bytes of the large file after which the line is cut, every time."""

    def __init__(self, folder: Path) -> None:
        self.files = {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}
        self.cut: int | None = None
        self.flip = False
        self.ranges: list[str] = []
        self.fetched: list[str] = []

    def listing(self) -> dict[str, object]:
        """Return the answer of the hub's API: git's hashes, for the large file a SHA-256."""
        siblings: list[dict[str, object]] = []
        for name, data in self.files.items():
            large = {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 1}}
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            siblings.append({"rfilename": name, "size": len(data), "blobId": blob, **(large if name == LARGE else {})})
        return {"id": "owner/tiny", "sha": COMMIT, "siblings": siblings}

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        """Return a request handler that serves all this."""
        state = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                name = path.rsplit("/", 1)[-1]
                if path.startswith("/api/models/owner/tiny/revision/"):
                    self.send(json.dumps(state.listing()).encode(), 0)
                elif path == f"/owner/tiny/resolve/{COMMIT}/{name}" and name in state.files:
                    state.fetched.append(name)
                    asked = self.headers.get("Range", "") if name == LARGE else ""
                    if name == LARGE:
                        state.ranges.append(asked)
                    self.send(
                        state.files[name], int(asked.removeprefix("bytes=").rstrip("-") or 0), large=name == LARGE
                    )
                else:
                    self.send_error(404)

            def send(self, data: bytes, start: int, *, large: bool = False) -> None:
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(data) - start))
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.end_headers()
                if large and state.flip:
                    data = bytes(byte ^ 255 for byte in data)
                end = state.cut if large and state.cut is not None else len(data)
                self.wfile.write(data[start : max(start, end)])

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def local_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    tiny: Model = resolving.resolve("tiny-phi3")
    main = pinned.prepare(pinned.MAIN)
    monkeypatch.setattr(pinned, "prepare", lambda _: main)
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path / "cache"))
    state = LocalHub(tiny.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), state.handler()) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setenv(hub_listing.ENDPOINT_VARIABLE, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield state
        server.shutdown()


def test_a_model_is_fetched_once(local_hub: LocalHub) -> None:
    model = resolving.resolve("owner/tiny")
    assert (model.folder / LARGE).read_bytes() == local_hub.files[LARGE]
    assert json.loads((model.folder / "commit.json").read_text(encoding="utf-8"))["commit"] == COMMIT
    assert resolving.resolve("owner/tiny") == model
    assert sorted(local_hub.fetched) == sorted(local_hub.files)


def test_a_second_run_asks_for_the_rest_only(local_hub: LocalHub) -> None:
    local_hub.cut = 100_000
    with pytest.raises(NetworkError, match=r"broke off at model\.safetensors") as caught:
        resolving.resolve("owner/tiny")
    assert "goes on where it stopped" in caught.value.remedy
    local_hub.cut = None
    local_hub.ranges.clear()
    local_hub.fetched.clear()
    model = resolving.resolve("owner/tiny")
    assert local_hub.ranges == [f"bytes={WRITTEN}-"]
    assert local_hub.fetched == [LARGE], "what was whole is not fetched again"
    assert (model.folder / LARGE).read_bytes() == local_hub.files[LARGE]


def test_a_part_that_does_not_fit_is_thrown_away(local_hub: LocalHub) -> None:
    local_hub.cut, local_hub.flip = 100_000, True
    with pytest.raises(NetworkError):
        resolving.resolve("owner/tiny")
    local_hub.cut, local_hub.flip = None, False
    local_hub.ranges.clear()
    model = resolving.resolve("owner/tiny")
    assert local_hub.ranges == [f"bytes={WRITTEN}-", ""]
    assert (model.folder / LARGE).read_bytes() == local_hub.files[LARGE]


def test_a_file_that_is_not_the_listed_one_is_refused(local_hub: LocalHub) -> None:
    local_hub.flip = True
    with pytest.raises(StepFailedError, match="not the file that the hub's listing"):
        resolving.resolve("owner/tiny")
