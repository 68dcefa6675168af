"""A receiver of webhooks on this machine, which a test steers and asks what it got."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"  # noqa: S105 - signs nothing but tests


class Got(NamedTuple):
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: str


class Site:
    """What the receiver answers, and what it got."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: list[int] = []
        self.location = ""
        self.drip = False
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?tenant=7"


@contextmanager
def site() -> Iterator[Site]:
    """Give a receiver that is listening."""
    steered = Site()

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            steered.got.append(Got(self.path, {key.lower(): value for key, value in self.headers.items()}, body))
            if steered.drip:
                self._drip()
                return
            self.send_response(steered.answers.pop(0) if steered.answers else 204)
            if steered.location:
                self.send_header("Location", steered.location)
            self.end_headers()

        def _drip(self) -> None:
            try:
                for letter in "HTTP/1.1 200 OK\r\nX: " + "y" * 1_000:
                    self.wfile.write(letter.encode())
                    time.sleep(0.05)
            except OSError:
                return

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    steered.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield steered
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
