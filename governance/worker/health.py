"""Health, readiness and metrics over HTTP, for whatever watches a worker."""

from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

Report = Callable[[], Sequence[str]]
"""Returns what is wrong; nothing when all is well."""

Answer = tuple[int, str, str]
_PLAIN: Final = "text/plain; charset=utf-8"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


class HealthServer:
    """Answers `/health` and `/ready` with 200, or with 503 and what is wrong, and `/metrics`."""

    def __init__(self, host: str, port: int, health: Report, ready: Report, metrics: Callable[[], str]) -> None:
        """Raises OSError when the port cannot be listened on."""

        class Answering(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                code, kind, text = self._answer(self.path.partition("?")[0])
                body = text.encode()
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @staticmethod
            def _answer(path: str) -> Answer:
                match path:
                    case "/health":
                        return _report(health())
                    case "/ready":
                        return _report(ready())
                    case "/metrics":
                        return 200, _PROMETHEUS, metrics()
                return 404, _PLAIN, "not found\n"

            def log_message(self, *_: object) -> None:
                """Say nothing: it would be a line for every scrape."""

        self._server = ThreadingHTTPServer((host, port), Answering)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="governance-health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port, chosen by the system when 0 was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _report(wrong: Sequence[str]) -> Answer:
    return (503, _PLAIN, "\n".join(wrong) + "\n") if wrong else (200, _PLAIN, "ok\n")
