"""A service with a platform: what its users and its jobs do."""

import contextlib
import json
import threading
from datetime import datetime

import httpx
from websockets.sync.client import connect

from .local_platform import CODE, PASSWORD
from .service import Ghostcast, free_port
from .wait import wait_for

# No rate and no pauses, unless a test is about them.
QUICK = {"rate": 0, "backoff_s": [0]}


def settings(platform, place, jobs=None, connections=None, more=""):
    """The service's settings with a platform; answers the file."""
    lines = [platform.settings(), "[jobs]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in {**QUICK, **(jobs or {})}.items()]
    lines += ["[connections]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in (connections or {}).items()]
    path = place / "ghostcast.toml"
    path.write_text("\n".join([*lines, more]))
    return path


@contextlib.contextmanager
def offices(binary, platform, place):
    """Makes services on one state directory, one after the other."""
    made, port = [], free_port()

    def office(jobs=None, connections=None, more="", **env):
        path = settings(platform, place, jobs, connections, more)
        args = ("--config", str(path), "--state-dir", str(place / "state"))
        made.append(Ghostcast(binary, args=args, env=env, port=port))
        made[-1].state = place / "state"
        return made[-1].start()

    try:
        yield office
    finally:
        for service in made:
            service.kill()


class User:
    """Hears what a user is told."""

    def __init__(self, api, user):
        self.socket = connect(f"{api.base.replace('http', 'ws')}/users/{user}/events", proxy=None, legacy=True)
        self.told = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """Reads until the end."""
        with contextlib.suppress(Exception):
            for message in self.socket:
                self.told.append(json.loads(message))

    def hears(self, kind, within=10):
        """The first of that type."""
        found = wait_for(lambda: [one for one in self.told if one["type"] == kind], within, kind)
        return found[0]


def connect_user(api, user, platform="local"):
    """Begins a connection."""
    answer = api.request("POST", "/connections", json={"user_id": user, "platform": platform})
    assert answer.status_code == 201, answer.text
    return answer.json()


def log_in(api, connection, platform, user="ada"):
    """Logs in by hand, in the connection's session."""
    log_in_at(api, f"_connection-{connection}", platform, user)


def log_in_at(api, session, platform, user="ada"):
    """Logs in by hand, in a session that shows the platform's login."""
    for selector, text in (("[name=user]", user), ("[name=password]", PASSWORD)):
        interact(api, session, "fill", selector, text=text)
    interact(api, session, "click", "button")
    if platform.has_code:
        interact(api, session, "fill", "[name=code]", text=CODE)
        interact(api, session, "click", "button")
    wait_for(lambda: user in platform.logins.values(), 10, "the login")


def interact(api, session, action, selector, **params):
    """Acts on an element."""
    body = {"action": action, "selector": selector, **params}
    done = api.request("POST", f"/sessions/{session}/interact", json=body, timeout=30).json()
    assert done.get("success"), done


def verify(api, connection):
    """What a verification sees."""
    answer = api.request("POST", f"/connections/{connection}/verify", timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def connected(api, platform, user="ada"):
    """A user who has logged in; answers the connection."""
    made = connect_user(api, user)
    log_in(api, made["connection_id"], platform, user)
    assert verify(api, made["connection_id"])["outcome"] == "logged_in"
    return made["connection_id"]


def enqueue(api, kind="workflow", status=201, **order):
    """Asks for a job."""
    answer = api.request("POST", "/jobs", json={"kind": kind, **order})
    assert answer.status_code == status, answer.text
    return answer.json()


def job(api, job_id):
    """A job as it is."""
    return api.get(f"/jobs/{job_id}").json()


def ended(api, job_id, state="done", within=60):
    """A job that has come to this state."""
    return wait_for(lambda: job(api, job_id), within, state, accept=lambda job: job["state"] == state)


def note(api, platform, text="Test note", at=45.2, user="ada", video="/video/test", **more):
    """A note that is ready."""
    body = {
        "user_id": user,
        "platform": "local",
        "video_url": platform.url(video),
        "video_id": "test",
        "text": text,
        "timestamp": at,
        "confidence": 0.9,
        "ready": True,
        **more,
    }
    answer = api.request("POST", "/notes", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["note_id"]


def finalise(api, note_id):
    """Posts a note; answers its job."""
    done = api.request("POST", f"/notes/{note_id}/finalise").json()
    assert done["enqueued"], done
    return done["job_id"]


def time_of(told):
    """ISO 8601 as seconds."""
    return datetime.fromisoformat(told).timestamp()


def stream(api, job_id):
    """What is told of a job, until it is over."""
    told = []
    with httpx.stream("GET", f"{api.base}/jobs/{job_id}/events", timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told += [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    return told
