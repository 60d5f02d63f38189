"""The web that the tested browser sees: real pages on loopback, every request written down."""

import contextlib
import dataclasses
import http.server
import json
import socket
import ssl
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import trustme

from . import pages
from .wait import wait_for

HANG_S = 30
# Half of what `/file` sends.
HALF = bytes(range(256)) * 400


@dataclasses.dataclass(frozen=True)
class Request:
    """One request as it came in."""

    method: str
    host: str
    path: str
    query: dict
    headers: dict
    at: float


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from `pages`; `self.server.web` keeps what was asked."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Keeps stderr quiet; the requests are in the log of `Web`."""

    def respond(self, body, content_type="text/html; charset=utf-8", status=200, headers=()):
        """Sends one complete answer."""
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def seen(self):
        """Writes the request down and returns it."""
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host", "").rsplit(":", 1)[0]
        request = Request(self.command, host, parts.path, query, headers, time.time())
        self.server.web.log.append(request)
        return request

    def do_GET(self):
        """A page, a redirect, or an answer that comes late or never."""
        request = self.seen()
        web, query = self.server.web, request.query
        if request.path == "/hang":
            web.released.wait(HANG_S)
            self.close_connection = True
        elif request.path == "/slow":
            web.released.wait(float(query["seconds"]))
            self.respond(pages.still(query))
        elif request.path == "/redirect":
            self.respond("", status=302, headers=[("Location", query["to"])])
        elif request.path == "/cookie":
            cookie = ("Set-Cookie", f"mark={query['mark']}; Path=/")
            self.respond(pages.storage(query), headers=[cookie])
        elif request.path == "/file":
            web.released.wait(float(query.get("late", 0)))
            self.file(float(query["pause"]), query.get("cut"))
        elif request.path == "/no-content":
            self.respond("", status=204)
        elif request.path in web.files:
            kinds = {".html": "text/html; charset=utf-8", ".css": "text/css"}
            kind = kinds.get(Path(request.path).suffix, "text/javascript")
            self.respond(web.files[request.path], kind)
        elif request.path in pages.PAGES:
            self.respond(pages.PAGES[request.path](query))
        else:
            self.respond("<title>Not here</title>", status=404)

    def file(self, pause, cut):
        """A file to save, in two halves; `cut` lets the connection break between them."""
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Disposition", 'attachment; filename="halves.bin"')
        self.send_header("Content-Length", str(2 * len(HALF)))
        self.end_headers()
        self.wfile.write(HALF)
        self.wfile.flush()
        self.server.web.released.wait(pause)
        if cut:
            self.close_connection = True
        else:
            self.wfile.write(HALF)

    def do_POST(self):
        """A page's note about itself."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = self.seen()
        if request.path == "/note":
            note = (request.query["id"], request.query["name"], json.loads(body or b"null"))
            self.server.web.note_list.append(note)
        self.respond("", status=200)


class Server(http.server.ThreadingHTTPServer):
    """Does not print the stack of a browser that hung up."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Browsers close connections whenever they like."""


class Web:
    """One web server on one port; all names that resolve to loopback reach it."""

    def __init__(self, tls=None):
        self.log = []
        self.note_list = []
        self.files = {"/fetching-worker.js": pages.FETCHING_WORKER.encode()}
        self.released = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.web = self
        self.scheme = "https" if tls else "http"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self):
        """Where it listens."""
        return self.server.server_address[1]

    def url(self, path, host="127.0.0.1", **query):
        """An address on this server."""
        tail = f"?{urlencode(query)}" if query else ""
        return f"{self.scheme}://{host}:{self.port}{path}{tail}"

    def visit(self, path, host="127.0.0.1", **query):
        """An address with an id of its own, by which the page's notes are told apart."""
        return Visit(self, path, host, query)

    def requests(self, host=None, path=None, method=None):
        """The requests so far, optionally of one host, path or method."""
        return [
            request
            for request in list(self.log)
            if host in (None, request.host)
            and path in (None, request.path)
            and method in (None, request.method)
        ]

    def close(self):
        """Stops serving and lets go of whoever waits for /hang."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Visit:
    """One page opened once: its address and what it says about itself."""

    def __init__(self, web, path, host, query):
        self.web = web
        self.id = uuid.uuid4().hex[:8]
        self.url = web.url(path, host, id=self.id, **query)

    def notes(self, name):
        """The values that the page has noted under `name`."""
        return [value for key, n, value in list(self.web.note_list) if (key, n) == (self.id, name)]

    def wait_note(self, name, accept=lambda value: True, within=5):
        """Waits until the page has noted a value that satisfies `accept`; the newest such."""
        found = wait_for(
            lambda: self.notes(name),
            within,
            f"the page notes {name!r}",
            accept=lambda notes: any(accept(note) for note in notes),
        )
        return [note for note in found if accept(note)][-1]


def self_signed_web():
    """A web server whose certificate no browser trusts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return Web(tls=context)


@contextlib.contextmanager
def closed_port():
    """A port that refuses connections: bound, so that nobody takes it, but not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
