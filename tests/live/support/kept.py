"""Sessions that are kept, and a site that knows its visitors by all that browsers store."""

import contextlib
import http.server
import json
import sqlite3
import threading

from . import procs
from .service import Ghostcast, free_port
from .wait import wait_for

# What pages store is looked at after a moment, and so is what is kept of a session.
KEPT_WITHIN_S = 1.5

PAGE = """<!doctype html><title>site</title><p id=who>...</p><script>
const open = () => new Promise((done, fail) => {
  const asked = indexedDB.open('site', 1);
  asked.onupgradeneeded = () => asked.result.createObjectStore('kept');
  asked.onsuccess = () => done(asked.result);
  asked.onerror = () => fail(asked.error);
});
const kept = (mode, act) => open().then((db) => new Promise((done) => {
  const at = db.transaction('kept', mode);
  const asked = act(at.objectStore('kept'));
  at.oncomplete = () => { db.close(); done(asked.result); };
}));
async function look() {
  const who = new URLSearchParams(location.search).get('login');
  if (who) {
    localStorage.setItem('who', who);
    await kept('readwrite', (store) => store.put(who, 'who'));
    await navigator.serviceWorker.register('/worker.js');
    await navigator.serviceWorker.ready;
  }
  const workers = await navigator.serviceWorker.getRegistrations();
  return [
    await (await fetch('/cookies')).text(),
    'storage ' + localStorage.getItem('who'),
    'database ' + await kept('readonly', (store) => store.get('who')),
    'workers ' + workers.length,
  ].join(', ');
}
look().then((all) => { document.getElementById('who').textContent = all; document.title = 'done'; });
</script>"""


@contextlib.contextmanager
def services(binary, place, **usual):
    """Gives what makes services that share their directories below `place`, one after the other."""
    made = []

    def service(port=free_port(), **env):
        state, registry = place / "state", place / "registry.json"
        args = ("--state-dir", str(state), "--registry-file", str(registry))
        made.append(Ghostcast(binary, args=args, env={**usual, **env}, port=port))
        made[-1].state, made[-1].registry = state, registry
        return made[-1].start()

    try:
        yield service
    finally:
        for one in made:
            if one in Ghostcast.running:
                one.kill()
            one.remove_home()
        procs.kill_all([pid for pid in procs.pids() if procs.mentions(pid, str(place))])


def browser_of(service, name):
    """The process id of the browser that runs on the profile of that name."""
    mark = f"--user-data-dir={service.state}/profiles/{name}/"
    lines = {pid: procs.command_line(pid) for pid in procs.pids()}
    found = [
        pid
        for pid, line in lines.items()
        if any(word.startswith(mark) for word in line)
        and not any(word.startswith("--type=") for word in line)
    ]
    assert len(found) == 1, found
    return found[0]


class Site:
    """`/?login=NAME` leaves a session cookie, a lasting one, storage, a database and a worker."""

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handler(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                self.send_response(200)
                body, kind = PAGE, "text/html"
                if path == "/cookies":
                    pairs = sorted((self.headers.get("cookie") or "").split("; "))
                    body, kind = "cookies " + " ".join(pairs), "text/plain"
                if path == "/worker.js":
                    body, kind = "self.onfetch = () => {};", "text/javascript"
                if query.startswith("login="):
                    name = query.removeprefix("login=")
                    self.send_header("set-cookie", f"here={name}; Path=/; HttpOnly")
                    self.send_header("set-cookie", f"known={name}; Path=/; Max-Age=86400")
                self.send_header("content-type", kind)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_args):
                """Says nothing."""

        return Handler

    def login(self, name):
        """Where one logs in by that name."""
        return f"{self.base}/?login={name}"

    def close(self):
        """Lets go of the port."""
        self.server.shutdown()
        self.server.server_close()


def whole(name):
    """What the site says to whom it knows by everything."""
    return f"cookies here={name} known={name}, storage {name}, database {name}, workers 1"


def start(api, name, status=201, **spec):
    """Asks for a kept session."""
    answer = api.request("POST", "/sessions", json={"session_name": name, **spec})
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    record = answer.json()
    assert record["reused"] == (status == 200), record
    return record


def known_as(api, name):
    """What the site's page says in the session."""
    def says():
        page = api.get(f"/sessions/{name}/context", params={"text": "true"}).json()
        return page["text"] if "cookies" in page["text"] else None

    return wait_for(says, 10, f"the site knows {name}").strip()


def file_of(path):
    """The registry as the JSON file shows it, which always reads."""
    registry = json.loads(path.read_text())
    assert set(registry) == {"sessions", "active_sessions", "last_updated"}, registry
    active = {key for key, one in registry["sessions"].items() if one["active"]}
    assert active == set(registry["active_sessions"]), registry
    for key, one in registry["sessions"].items():
        assert key == one["session_id"], one
    return registry


def rows(directory):
    """What the database holds, read by SQLite's own library."""
    with sqlite3.connect(f"file:{directory / 'ghostcast.db'}?mode=ro", uri=True) as database:
        return dict(database.execute("SELECT session_name, session_id FROM sessions").fetchall())
