"""The web that the tested browser sees: the pages of clients/site on loopback."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITE = Path(__file__).parents[2] / "site"
PAGES = {
    "/": ("text/html", "index.html"),
    "/other": ("text/html", "other.html"),
    "/file.txt": ("application/octet-stream", "file.txt"),
}


class Site(ThreadingHTTPServer):
    """The pages, served from a thread."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Closes the port."""
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave together: by themselves, the second one would wait for the first one's receipt.
    wbufsize = -1

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        kind, file = PAGES.get(path, ("text/plain", None))
        body = (SITE / file).read_bytes() if file else b"nothing"
        self.send_response(200 if file else 404)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
