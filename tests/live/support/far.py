"""Browsers that are far away: a second Chromium behind a line that can be cut, and a vendor that gives them."""

import contextlib
import http.server
import json
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from .cdp import Chromium
from .service import free_port
from .wait import wait_for

KEY, PROJECT = "bb_live_a-key-of-the-live-tests", "project-of-the-live-tests"


class Line:
    """A line to a port of this machine: counted, cut, and taken down and up again."""

    def __init__(self, to, tls=None):
        self.to, self.tls = to, tls
        self.calls, self.open, self.is_up = 0, [], True
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        """Leads each caller on, as long as the line is up."""
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self.listener.accept()
                self.calls += 1
                if not self.is_up:
                    caller.close()
                    continue
                threading.Thread(target=self.lead, args=(caller,), daemon=True).start()

    def lead(self, caller):
        """One connection, both ways."""
        with contextlib.suppress(OSError):
            if self.tls:
                caller = self.tls.wrap_socket(caller, server_side=True)
            far = socket.create_connection(("127.0.0.1", self.to))
            self.open += [caller, far]
            for a, b in ((caller, far), (far, caller)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    def copy(self, source, sink):
        """One way of it."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Breaks what is open."""
        for end in self.open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.open = []

    def close(self):
        """Takes no caller any more."""
        self.cut()
        self.listener.close()


class FarBrowser:
    """A Chromium that is not the service's, behind a line."""

    def __init__(self, profile=None, tls=None, flags=()):
        self.chromium = Chromium(profile, flags)
        address = urlsplit(self.chromium.address())
        self.line = Line(address.port, tls)
        self.http = f"http://127.0.0.1:{self.line.port}"
        self.ws = f"ws://127.0.0.1:{self.line.port}{address.path}"

    def pages(self):
        """The pages that it has, by their addresses."""
        targets = self.chromium.call("Target.getTargets")["targetInfos"]
        return {target["url"]: target["targetId"] for target in targets if target["type"] == "page"}

    def ask(self, url, expression):
        """What a page of it says of itself, asked past the service."""
        target = wait_for(lambda: self.pages().get(url), 5, f"the far browser has {url}")
        attached = self.chromium.call("Target.attachToTarget", targetId=target, flatten=True)
        result = self.chromium.call(
            "Runtime.evaluate", attached["sessionId"], expression=expression, returnByValue=True
        )
        self.chromium.call("Target.detachFromTarget", sessionId=attached["sessionId"])
        return result["result"].get("value")

    def leave(self):
        """Ends it in order, so that its profile is on the disk."""
        with contextlib.suppress(Exception):
            self.chromium.call("Browser.close")
        with contextlib.suppress(Exception):
            self.chromium.process.wait(5)

    def close(self):
        """Ends it."""
        self.line.close()
        with contextlib.suppress(ProcessLookupError):
            self.chromium.close()


class Vendor:
    """What Browserbase's REST interface does, as far as it is documented: contexts, sessions, their debug
    addresses and their release. Each session is a Chromium on its context's profile."""

    def __init__(self):
        self.calls, self.sessions, self.contexts = [], {}, {}
        self.tells_connect_url, self.answers_with = True, None
        # Contexts made so far; and by method and path, the statuses of the next answers.
        self.made, self.refuses = 0, {}
        vendor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")
                self.answer(body)

            def do_GET(self):
                self.answer(None)

            def do_DELETE(self):
                self.answer(None)

            def answer(self, body):
                status, told = vendor.answer(self.command, self.path, dict(self.headers.items()), body)
                data = json.dumps(told).encode() if told is not None else b""
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        """Its base URL."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def env(self, **more):
        """What leads a service to it."""
        return {
            "BROWSERBASE_API_KEY": KEY,
            "BROWSERBASE_PROJECT_ID": PROJECT,
            "GHOSTCAST_REMOTE__BASE_URL": self.url,
            **more,
        }

    def answer(self, method, path, headers, body):
        """One call, written down."""
        self.calls.append((method, path, {k.lower(): v for k, v in headers.items()}, body))
        if self.answers_with:
            return self.answers_with, {"message": f"no, {KEY}"}
        if refusals := self.refuses.get((method, path.removeprefix("/v1"))):
            return refusals.pop(0), {"message": "not now"}
        match (method, path.removeprefix("/v1").split("/")[1:]):
            case ("POST", ["contexts"]):
                self.made += 1
                name = f"ctx-{self.made}"
                self.contexts[name] = tempfile.mkdtemp(prefix="vendor-context-")
                return 201, {"id": name, "uploadUrl": "https://example.com/"}
            case ("GET", ["contexts", name]) if name in self.contexts:
                return 200, {"id": name, "projectId": PROJECT}
            case ("DELETE", ["contexts", name]) if name in self.contexts:
                self.forget(name)
                return 204, None
            case ("POST", ["sessions"]):
                context = body["browserSettings"].get("context", {}).get("id")
                if context and context not in self.contexts:
                    return 404, {"message": "no such context"}
                return 201, self.begin(body)
            case ("GET", ["sessions", name, "debug"]):
                return 200, {"debuggerUrl": self.sessions[name]["browser"].ws, "pages": []}
            case ("POST", ["sessions", name]) if body.get("status") == "REQUEST_RELEASE":
                self.end(name)
                return 200, {"id": name, "status": "COMPLETED"}
        return 404, {"message": "no such path"}

    def begin(self, body):
        """A session: a browser on its context's profile."""
        context = body["browserSettings"].get("context", {}).get("id")
        name = f"s-{len(self.sessions) + 1}"
        browser = FarBrowser(self.contexts[context] if context else None)
        self.sessions[name] = {"browser": browser, "began": time.monotonic(), "context": context}
        told = {"id": name, "status": "RUNNING", "projectId": body["projectId"]}
        if self.tells_connect_url:
            told["connectUrl"] = browser.ws
        return told

    def end(self, name):
        """The end of a session, whose context is kept."""
        session = self.sessions[name]
        session.setdefault("ended", time.monotonic())
        session["browser"].leave()
        session["browser"].close()

    def forget(self, context):
        """A context is no more."""
        shutil.rmtree(self.contexts.pop(context), ignore_errors=True)

    def of(self, method, path):
        """The calls of that kind: their headers and bodies."""
        return [(h, b) for m, p, h, b in list(self.calls) if (m, p) == (method, f"/v1{path}")]

    def seconds(self):
        """How long its sessions ran, by its own clock."""
        return [s["ended"] - s["began"] for s in self.sessions.values() if "ended" in s]

    def close(self):
        """Ends all of them."""
        self.server.shutdown()
        self.server.server_close()
        for session in self.sessions.values():
            session["browser"].close()
        for profile in self.contexts.values():
            shutil.rmtree(profile, ignore_errors=True)


def texts_below(directory):
    """All that lies in a directory, for a search."""
    files = [path for path in Path(directory).rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}
