"""Ghostcast's REST interface and its event sockets, as a caller sees them."""

import contextlib
import json
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import jsonschema
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .wait import wait_for

SCHEMA_PATH = Path(__file__).parent.parent / "schemas" / "events.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_text()))



def detailed():
    """The same schema for a subscriber that asks for details: they come beside all else."""
    schema = json.loads(SCHEMA_PATH.read_text())
    more = {
        "epoch": {"type": "string", "minLength": 1},
        "session_id": {"type": "string", "format": "uuid"},
        "tab": {"type": "integer", "minimum": 1},
        "action_id": {"type": "string", "minLength": 1},
    }
    for name in (*TYPES_DEFAULT, *TYPES_OPTIONAL, "lagged"):
        definition = schema["$defs"][name]
        definition["properties"] = {**more, **definition["properties"]}
        definition["required"] = [*definition["required"], "epoch"]
        if name != "lagged":
            definition["required"].append("session_id")
    return schema


TYPES_DEFAULT = (
    "page_navigation",
    "page_load_complete",
    "dom_change",
    "action_completed",
    "action_error",
    "browser_error",
)
TYPES_OPTIONAL = (
    "stream_state",
    "action_started",
    "settled",
    "dialog",
    "console",
    "recording",
    "session_ending",
    "control",
    "download",
    "permission",
)
TYPES_ALL = TYPES_DEFAULT + TYPES_OPTIONAL
VALIDATOR_DETAILED = jsonschema.Draft202012Validator(detailed())

RESULT_FIELDS = {
    "action_id",
    "correction_of",
    "success",
    "error",
    "error_kind",
    "context",
    "delivery",
    "effect",
    "target",
    "rest",
    "retry",
    "tab",
    "dialogs",
    "downloads",
    "blocked_requests",
    "changes",
    "data",
    "duration_ms",
    "url",
    "title",
    "ready_state",
}


def new_room(prefix="room"):
    """A room name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def assert_envelope(response, status=None, kind=None):
    """Checks that a refusal has the one error form of the whole service, and returns it."""
    if status is not None:
        assert response.status_code == status, f"{response.status_code}: {response.text[:300]}"
    assert 400 <= response.status_code < 600, f"{response.status_code}: {response.text[:300]}"
    body = response.json()
    assert set(body) == {"error"}, body
    error = body["error"]
    assert (
        {"kind", "message", "request_id"}
        <= set(error)
        <= {
            "kind",
            "message",
            "request_id",
            "hint",
        }
    ), error
    assert error["kind"] and error["message"] and error["request_id"], error
    if kind is not None:
        assert error["kind"] == kind, error
    return error


class Api:
    """A client of one service; `latencies` keeps how long each action took, for the tables."""

    def __init__(self, base, token=None):
        self.base = base
        self.token = token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # No idle connections: they would count among the service's open files.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(
            base_url=base, headers=headers, limits=limits, timeout=60, trust_env=False
        )
        self.latencies = {}

    def close_client(self):
        """Lets go of the client's resources."""
        self.client.close()

    def request(self, method, path, **options):
        """One request as it is; the caller judges the status."""
        return self.client.request(method, path, **options)

    def get(self, path, **options):
        """A GET that must succeed."""
        response = self.request("GET", path, **options)
        assert response.status_code == 200, f"GET {path}: {response.status_code} {response.text}"
        return response

    def create(self, room, **spec):
        """Opens a session, which must succeed, and returns its record."""
        response = self.request("POST", "/sessions", json={"room_name": room, **spec})
        assert response.status_code == 201, f"{response.status_code}: {response.text}"
        return response.json()

    def close(self, room):
        """Closes a session; the caller judges the status."""
        return self.request("DELETE", f"/sessions/{quote(room, safe='')}")

    @contextlib.contextmanager
    def session(self, room=None, **spec):
        """A session for the length of a `with`, closed whatever happens; gives the room's name."""
        room = room or new_room()
        self.create(room, **spec)
        try:
            yield room
        finally:
            self.close(room)

    def record(self, room):
        """The session's record."""
        return self.get(f"/sessions/{quote(room, safe='')}").json()

    def wait_record(self, room, accept, within, what):
        """Waits until the record satisfies `accept`."""
        return wait_for(lambda: self.record(room), within, what, accept=accept)

    def post(self, room, verb, **options):
        """`pause`, `resume` or `recover`, which must succeed."""
        response = self.request("POST", f"/sessions/{quote(room, safe='')}/{verb}", **options)
        assert response.status_code in (200, 202, 204), f"{verb}: {response.text}"
        return response

    def send_action(self, room, body):
        """One action as a raw body; the caller judges the status."""
        return self.request("POST", f"/sessions/{quote(room, safe='')}/actions", json=body)

    def run(self, room, script):
        """What a script in the page returns; it must not throw."""
        answer = self.request("POST", f"/sessions/{room}/execute", json={"script": script}).json()
        assert answer.get("success"), answer
        return answer["result"]

    def act(self, room, action_type, correction_of=None, **params):
        """One action; its result, checked for its form."""
        start = time.monotonic()
        body = {"action_type": action_type, "params": params}
        if correction_of:
            body["correction_of"] = correction_of
        response = self.send_action(room, body)
        elapsed_ms = (time.monotonic() - start) * 1000
        self.latencies.setdefault(action_type, []).append(elapsed_ms)
        result = response.json()
        assert set(result) == RESULT_FIELDS, f"{response.status_code}: {result}"
        assert isinstance(result["duration_ms"], (int, float)) and result["duration_ms"] >= 0
        assert isinstance(result["data"], dict) and result["action_id"]
        assert isinstance(result["url"], str) and isinstance(result["title"], str | None)
        if result["success"]:
            assert result["error"] is None and result["error_kind"] is None, result
        else:
            assert result["error"] and result["error_kind"], result
        return result

    def submit(self, room, action_type, **params):
        """Asks for one action without waiting for its end; how far it is then."""
        response = self.request(
            "POST",
            f"/sessions/{quote(room, safe='')}/actions",
            params={"wait": "false"},
            json={"action_type": action_type, "params": params},
        )
        assert response.status_code == 202, f"{response.status_code}: {response.text}"
        status = self.checked(response.json())
        assert response.headers["location"].endswith(f"/actions/{status['action_id']}")
        return status

    def action(self, room, action_id):
        """How far an action is."""
        return self.checked(self.get(f"/sessions/{quote(room, safe='')}/actions/{action_id}").json())

    def cancel_action(self, room, action_id):
        """Cancels an action; the caller judges the status."""
        return self.request("DELETE", f"/sessions/{quote(room, safe='')}/actions/{action_id}")

    def wait_action(self, room, action_id, state, within=10):
        """Waits until an action is that far."""
        return wait_for(
            lambda: self.action(room, action_id),
            within,
            f"the action is {state}",
            accept=lambda status: status["state"] == state,
        )

    @staticmethod
    def checked(status):
        """Checks that what is told of an action belongs together."""
        fields = {"action_id", "state", "action"}
        more = {"queued": {"position"}, "running": set(), "done": {"result"}}
        assert set(status) == fields | more[status["state"]], status
        if status["state"] == "done":
            assert status["result"]["action_id"] == status["action_id"]
            assert set(status["result"]) == RESULT_FIELDS
        return status

    def do(self, room, action_type, **params):
        """One action that must succeed."""
        result = self.act(room, action_type, **params)
        assert result["success"], result
        return result

    def fail(self, room, action_type, kind, **params):
        """One action that must fail with `kind`, and say so in a sentence."""
        result = self.act(room, action_type, **params)
        assert not result["success"] and result["error_kind"] == kind, result
        assert len(result["error"].split()) >= 4, f"not a sentence: {result['error']}"
        return result

    def context(self, room, **options):
        """The page's state."""
        return self.get(f"/sessions/{quote(room, safe='')}/context", params=options).json()

    def elements(self, room):
        """The page's indexed interactive elements."""
        return self.context(room, elements="true")["elements"]

    def index_of(self, room, name):
        """The index of the element whose accessible name is `name`."""
        elements = self.elements(room)
        found = [element["index"] for element in elements if element.get("name") == name]
        assert found, f"no element {name!r} among {elements}"
        return found[0]

    def connections(self, room):
        """How many event sockets the room has."""
        return self.get(f"/rooms/{quote(room, safe='')}/connections").json()["connections"]

    def events_url(self, room, types=None, since=None, **more):
        """The address of a room's events."""
        query = dict(more)
        if types is not None:
            query["types"] = ",".join(types)
        if since is not None:
            query["since"] = since
        address = f"{self.base.replace('http', 'ws', 1)}/mcp/events/{quote(room, safe='')}"
        return f"{address}?{urlencode(query)}" if query else address

    def events(self, room, types=None, since=None, epoch=None, details=False):
        """Opens an event socket and keeps what it says."""
        more = {"epoch": epoch} if epoch else {}
        more.update({"details": "true"} if details else {})
        url = self.events_url(room, types, since, **more)
        return EventSocket(url, self.token, VALIDATOR_DETAILED if details else VALIDATOR)


class EventSocket:
    """One event subscriber; every frame is checked against the schema as it arrives."""

    def __init__(self, url, token=None, validator=VALIDATOR):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.validator = validator
        self.socket = connect(
            url, additional_headers=headers, open_timeout=10, proxy=None, legacy=True
        )
        self.events = []
        self.delays_s = []
        self.violations = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    @property
    def epoch(self):
        """The counting that the numbers are of, as the handshake named it."""
        return self.socket.response.headers["X-Events-Epoch"]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
        if exception == (None, None, None):
            assert not self.violations, self.violations

    def read(self):
        """Keeps events until the socket closes."""
        try:
            for frame in self.socket:
                now = time.time()
                event = json.loads(frame)
                problem = next(self.validator.iter_errors(event), None)
                if problem or not isinstance(frame, str):
                    self.violations.append(f"{frame!r}: {problem and problem.message}")
                self.delays_s.append(now - event.get("timestamp", 0))
                self.events.append(event)
        except ConnectionClosed:
            pass

    def of(self, *types):
        """The events of some types so far."""
        return [event for event in list(self.events) if event["type"] in types]

    def wait(self, event_type, within=5, accept=lambda event: True):
        """Waits until an event of the type that satisfies `accept` has come, and returns it."""
        found = wait_for(
            lambda: list(self.events),
            within,
            f"an event {event_type}",
            accept=lambda events: any(e["type"] == event_type and accept(e) for e in events),
        )
        return next(e for e in found if e["type"] == event_type and accept(e))

    def close(self):
        """Closes the socket politely."""
        self.socket.close()
        self.thread.join(5)
