"""A proxy in front of a real S3 server that spoils some of the answers: what networks and overloaded stores do."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["none", "error", "slow-down", "cut", "hang-up", "after", "denied"]
"""error, slow-down: 500 and 503 before anything is done; cut: half a body; hang-up: no answer; after: done, and then no answer."""

_OF_THE_CONNECTION = ("transfer-encoding", "connection", "content-length")
Chooser = Callable[[str, str], Fault]


def at_random(seed: int, share: float) -> Chooser:
    """Any fault but `denied` for that share of the requests."""
    draw, lock = random.Random(seed), threading.Lock()
    kinds: tuple[Fault, ...] = ("error", "slow-down", "cut", "hang-up", "after")

    def choose(method: str, path: str) -> Fault:
        with lock:
            return draw.choice(kinds) if draw.random() < share else "none"

    return choose


@contextmanager
def spoiled(endpoint: str, choose: Chooser) -> Iterator[tuple[str, list[tuple[str, str, Fault]]]]:
    """(endpoint of the proxy, what it did so far: method, path, fault)."""
    target = urlsplit(endpoint)
    log: list[tuple[str, str, Fault]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr."""

        def answer(self) -> None:
            fault = choose(self.command, self.path)
            log.append((self.command, self.path, fault))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if fault in ("error", "slow-down", "denied"):
                status, code = {"error": (500, "InternalError"), "slow-down": (503, "SlowDown"), "denied": (403, "ExpiredToken")}[fault]
                self._send(status, [("Content-Type", "application/xml")], f"<Error><Code>{code}</Code></Error>".encode())
                return
            if fault == "hang-up":
                self.close_connection = True
                return
            upstream = http.client.HTTPConnection(target.hostname or "", target.port or 80, timeout=30)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            upstream.request(self.command, self.path, body=body, headers=headers)
            reply = upstream.getresponse()
            data = reply.read()
            upstream.close()
            if fault == "after":
                self.close_connection = True
                return
            kept = [
                (name, value)
                for name, value in reply.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "content-length")
            ]
            length = int(reply.getheader("Content-Length") or len(data))
            self._send(reply.status, kept, data[: len(data) // 2] if fault == "cut" else data, length)
            if fault == "cut":
                self.close_connection = True

        def _send(self, status: int, headers: list[tuple[str, str]], data: bytes, length: int | None = None) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) if length is None else length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", log
    finally:
        server.shutdown()
        server.server_close()
