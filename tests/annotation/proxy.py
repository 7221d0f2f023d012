"""A proxy between client and server that lets faults happen: the one thing here that is not real."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FAULTS = ("503", "401", "html", "cut before", "cut after", "cut within", "hang")
"""An error; a refused key; a 404 page; the connection breaks before the request reaches the server, after it
was carried out, or within the answer; the answer comes too late, after the request was carried out."""


@dataclass
class Rule:
    """Let the next ``times`` requests that match go wrong.

    Attributes:
        fault: One of `FAULTS`.
        method: Their method; empty for any.
        part: What their path holds.
        skip: How many matching requests pass before.
        times: How many then go wrong.
    """

    fault: str
    method: str = ""
    part: str = ""
    skip: int = 0
    times: int = 1

    def applies(self, method: str, path: str) -> bool:
        """Say whether this request goes wrong, and count it."""
        if (self.method and method != self.method) or self.part not in path or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        url: Its address.
        rules: What is to go wrong.
        seen: Method, path and fault of every request, in order.
        hang: Seconds that a hanging answer takes.
    """

    url: str
    rules: list[Rule] = field(default_factory=list)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    hang: float = 2.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault_of(self, method: str, path: str) -> str:
        with self.lock:
            fault = next((rule.fault for rule in self.rules if rule.applies(method, path)), "")
            self.seen.append((method, path, fault))
        return fault


@contextmanager
def faulty(upstream: str) -> Iterator[Proxy]:
    """Run a proxy before a server."""
    target = urlsplit(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.fault_of(self.command, self.path)
            if fault == "503":
                return self.give(503, b'{"detail": "the database is locked"}', "application/json")
            if fault == "401":
                return self.give(401, b'{"detail": "Invalid token."}', "application/json")
            if fault == "html":
                return self.give(404, b"<!DOCTYPE html><html><body>Not found</body></html>", "text/html")
            if fault == "cut before":
                return self.cut()
            status, headers, answer = self.forward(body)
            if fault == "cut after":
                return self.cut()
            if fault == "hang":
                time.sleep(proxy.hang)
                return self.cut()
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in (
                    "transfer-encoding",
                    "content-length",
                    "connection",
                    "date",
                    "server",
                ):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if fault == "cut within":
                self.wfile.write(answer[: len(answer) // 2])
                return self.cut()
            self.wfile.write(answer)
            return None

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_request  # noqa: N815

        def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=120)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            headers["Host"] = target.netloc
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, answer.getheaders(), content

        def give(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def cut(self) -> None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that has gone away is no news here."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
