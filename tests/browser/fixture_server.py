"""A small server for the page's own tests: made-up people, the same headers, no twin behind it.

It answers the API that `ui/src/lib/api.ts` states with the content of `fixture_content.py`, so that the page can be worked
on and tested apart from the real server. `PYTHONPATH=tests python -m browser.fixture_server [PORT]` serves it, with live
data.
"""

from __future__ import annotations

import json
import queue
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from browser.fixture_content import Fixture
from browser.fixture_day import glucose, iso

STATIC = Path(__file__).resolve().parents[2] / "src" / "medtwin" / "server" / "static"
POLICY = "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fixture: Fixture

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def answer(self, found: dict[str, Any] | None) -> None:
        if found is None:
            problem = {"title": "Not found", "detail": f"There is nothing at {self.path}.", "status": 404}
            self.send(404, "application/json", json.dumps(problem).encode())
        else:
            self.send(200, "application/json", json.dumps(found).encode())

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        parts = [unquote(part) for part in address.path.split("/") if part]
        if parts[:3] == ["api", "v1", "stream"]:
            self.stream()
        elif parts[:2] == ["api", "v1"]:
            self.answer(self.fixture.get(parts[2:], {k: v[0] for k, v in parse_qs(address.query).items()}))
        else:
            file = (STATIC / "/".join(parts or ["index.html"])).resolve()
            if file.is_file() and STATIC.resolve() in file.parents:
                self.send(200, TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes())
            else:
                self.send(404, "text/plain", b"not found")

    def do_POST(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/") if part]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        guard = self.headers.get("X-Medtwin-Request")
        self.fixture.guarded.append(guard)
        if guard != "1":
            problem = {"title": "Refused", "detail": "The request lacks X-Medtwin-Request: 1.", "status": 403}
            self.send(403, "application/json", json.dumps(problem).encode())
        else:
            self.answer(self.fixture.post(parts[2:], body))

    def stream(self) -> None:
        mine: queue.Queue[tuple[int, str, dict[str, Any]]] = queue.Queue()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        mine.put((0, "hello", {"now": iso(time.time()), "version": "fixture"}))
        self.fixture.listeners.append(mine)
        try:
            while True:
                try:
                    serial, kind, message = mine.get(timeout=1)
                except queue.Empty:
                    self.wfile.write(b": still here\n\n")
                else:
                    if serial < 0:
                        return
                    self.wfile.write(f"id: {serial}\nevent: {kind}\ndata: {json.dumps(message)}\n\n".encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            self.fixture.listeners.remove(mine)


class Server:
    """The fixture server in a thread: `with Server() as server: server.url, server.fixture`."""

    def __init__(self, port: int = 0) -> None:
        self.fixture = Fixture()
        handler = type("BoundHandler", (Handler,), {"fixture": self.fixture})
        self.http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)

    def __enter__(self) -> Server:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()


if __name__ == "__main__":
    with Server(int(sys.argv[1]) if len(sys.argv) > 1 else 8766) as server:
        print(f"made-up people at {server.url}", flush=True)
        while True:
            time.sleep(5)
            server.fixture.push_reading(glucose(time.time()) + random.gauss(0, 4))
