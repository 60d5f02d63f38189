"""Local pages with an observer in each, which tells the page's own state to us and to nobody else."""

import contextlib
import http.server
import json
import mimetypes
import threading
import time
from urllib.parse import parse_qs, urlencode, urlsplit

TRUTH_MAX_BYTES = 4 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    """Pages by GET, their words by POST to /truth/RUN."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 (the name that http.server calls)
        """A file of the judge; a page gets the observer of its run."""
        parts = urlsplit(self.path)
        found = self.server.web.find(parts.path, dict(parse_qs(parts.query)))
        if found is None:
            self.answer(404, b"not here", "text/plain")
        else:
            self.answer(200, *found)

    def do_POST(self):  # noqa: N802
        """One word of a page."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, TRUTH_MAX_BYTES))
        run = urlsplit(self.path).path.removeprefix("/truth/")
        with contextlib.suppress(ValueError):
            self.server.web.hear(run, json.loads(body))
        self.answer(204, b"", "text/plain")

    def answer(self, status, body, kind):
        """Nothing is kept by the browser: every run sees the page anew."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        """The table is the output."""


class Server(http.server.ThreadingHTTPServer):
    """Silent about browsers that hang up."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Browsers close connections whenever they like."""


class Web:
    """Serves what `read(path)` finds (bytes or None) and keeps what the pages say, by run.

    Every page whose URL has `run` gets `observer` (HTML, with `{{run}}` and further query values
    filled in) before the end of its body.
    """

    def __init__(self, read, observer):
        self.read, self.observer = read, observer
        self.said = {}
        self.changed = threading.Condition()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.web = self
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def url(self, path, run, **query):
        """The address of a page in a run."""
        return f"{self.origin}/{path}?{urlencode({'run': run, **query})}"

    def find(self, path, query):
        """Body and type of a file."""
        body = self.read(path.removeprefix("/"))
        if body is None:
            return None
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        if kind == "text/html" and "run" in query:
            body = self.watched(body, {name: values[0] for name, values in query.items()})
        if kind.startswith("text/") or kind.endswith("javascript"):
            kind += "; charset=utf-8"
        return body, kind

    def watched(self, body, values):
        """The page with its observer."""
        observer = self.observer
        for name, value in values.items():
            observer = observer.replace("{{" + name + "}}", value)
        head, end, tail = body.rpartition(b"</body>")
        return head + observer.encode() + end + tail if end else body + observer.encode()

    def hear(self, run, word):
        """Keeps one word of a page."""
        with self.changed:
            self.said.setdefault(run, []).append(word)
            self.changed.notify_all()

    def words(self, run):
        """All that the pages of a run have said."""
        with self.changed:
            return list(self.said.get(run, ()))

    def forget(self, run):
        """Lets go of what a run has said."""
        with self.changed:
            self.said.pop(run, None)

    def truth(self, run):
        """The newest word of a run, {} before the first; `count` tells the order where a page gives it."""
        return max(self.words(run), key=lambda word: word.get("count", 0), default={})

    def wait(self, run, accept, within):
        """Waits until the newest word satisfies `accept`; whether it did in time."""
        end = time.monotonic() + within
        while True:
            word = self.truth(run)
            if word and accept(word):
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            with self.changed:
                self.changed.wait(min(left, 0.05))
