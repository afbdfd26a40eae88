"""A web server on this machine that stands in for the public hosts: repositories over git's own protocol, and files."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


class _Handler(SimpleHTTPRequestHandler):
    """Hands git's requests to `git http-backend`; everything else is a file below `directory`."""

    def do_GET(self) -> None:
        if "/info/refs" in self.path:
            self._git(b"")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._git(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _git(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
        }
        # the partial clones of a sparse checkout are something that a server must allow
        argv = ["git", "-c", "uploadpack.allowFilter=true", "http-backend"]
        done = subprocess.run(argv, input=body, capture_output=True, check=True, env=os.environ | variables)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write nothing: what matters is in the answers."""


class _Redirecting(SimpleHTTPRequestHandler):
    """Sends everybody to the same path at `elsewhere`."""

    elsewhere = ""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.elsewhere + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """See _Handler."""


@contextmanager
def redirecting_host(certificate: Path, elsewhere: str) -> Iterator[str]:
    """Serve nothing but redirects, over https with a certificate and its key in one file; give the address."""
    handler = type("Handler", (_Redirecting,), {"elsewhere": elsewhere})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with _served(server):
        yield f"https://127.0.0.1:{server.server_port}"


@contextmanager
def public_hosts(folder: Path) -> Iterator[str]:
    """Serve a folder with OWNER/NAME repositories and archives below it; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    with _served(server):
        yield f"http://127.0.0.1:{server.server_port}"


@contextmanager
def _served(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
