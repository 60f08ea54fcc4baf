"""Demo room (floor 4): a folder served on this machine alone, for a browser on it: folder -> requests answered."""

import functools
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from memcom_rank.contract.errors import DemoError

HOST = "127.0.0.1"


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder, with the types that browsers want; no listings, no log."""

    # said here, since the system's own table may say otherwise; browsers refuse modules and wasm of another type
    extensions_map = {  # noqa: RUF012 (the standard library's name)
        ".css": "text/css; charset=utf-8",
        ".gz": "application/gzip",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".md": "text/markdown; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
        ".woff2": "font/woff2",
        "": "application/octet-stream",
    }

    def end_headers(self) -> None:
        """Let a rebuilt page be seen at once, and types be taken at their word."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        """Refuse."""
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address alone."""


def serve(folder: Path, *, port: int, ready: Callable[[str], object]) -> None:
    """Serve `folder` on the loopback address until the process is interrupted (Ctrl-C).

    Args:
        folder: what to serve.
        port: 0 for any free one.
        ready: called once with the address, when requests are answered.

    Raises:
        DemoError: the port is taken or not to be had.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), functools.partial(Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise DemoError(
            f"port {port} cannot be used: {error}", wanted="a free port", fix="pass --port 0 for any free one"
        ) from error
    with server:
        ready(f"http://{HOST}:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
