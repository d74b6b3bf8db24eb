"""One address for a project, as a hosted one has: the function's process behind /functions/v1, all else the server.

With it the product's own client runs against the Edge Function without knowing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from tests.support.edge_function import EdgeFunction

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-encoding", "content-length", "date", "server", "host"}


@contextmanager
def function_gateway(function: EdgeFunction) -> Iterator[str]:
    """Run a gateway in front of a function and its workspace server; yields its address."""
    http = function.server.bare_client()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            address = function.url if self.path.startswith("/functions/v1/validate-dataset") else self.path
            headers = [(name, value) for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP]
            try:
                answer = http.request(self.command, address, content=body, headers=headers)
            except httpx.HTTPError:
                self.close_connection = True
                return
            self.send_response_only(answer.status_code)
            for name, value in answer.headers.multi_items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _forward

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
        http.close()
