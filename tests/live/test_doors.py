"""Every command through every door: REST, MCP and gRPC answer, act and tell alike."""

import json
import os

import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from PIL import Image

from support.api import new_room
from support.grpc_client import GrpcClient, plain, whole
from support.mcp import McpClient, http_server
from support.wait import wait_for

# What differs from one run of the same thing to the next, on a busy machine at least.
PASSING = {"settle_ms", "settled", "request_id", "takeover_url", "expires_at"}
# What all doors tell of an action, in the same words.
TOLD = ("success", "error_kind", "error", "data", "delivery", "effect", "target", "retry", "changes")


class Name(str):
    """An element by its name, where an index goes."""


class Rest:
    """The walk by REST."""

    name = "rest"

    def __init__(self, service):
        self.api = service.api

    def start(self, room, **spec):
        """The session's state and page."""
        return facts(self.api.create(room, **spec))

    def verb(self, room, verb):
        """Pause, resume, recover or close."""
        if verb == "close":
            return facts(self.api.close(room).json())
        return facts(self.api.post(room, verb).json())

    def act(self, room, action_type, params):
        """The action's result."""
        return self.api.act(room, action_type, **params)

    def context(self, room):
        """The page."""
        return self.api.context(room, elements="true")

    def refusal(self, room, verb):
        """The kind of error."""
        return self.api.request("POST", f"/sessions/{room}/{verb}").json()["error"]["kind"]

    def close(self):
        """Nothing to let go of."""


class Mcp:
    """The walk by MCP."""

    name = "mcp"

    def __init__(self, service):
        self.client = McpClient(http_server(service), "auto")

    def start(self, room, **spec):
        """The session's state and page."""
        return facts(self.client.do("start_browser_session", room_name=room, **spec))

    def verb(self, room, verb):
        """Pause, resume, recover or close."""
        return facts(self.client.do(f"{verb}_browser_session", room_name=room))

    def act(self, room, action_type, params):
        """The action's result."""
        arguments = {"room_name": room, "action_type": action_type, "params": params}
        return self.client.call("execute_action", **arguments).structured_content

    def context(self, room):
        """The page."""
        return self.client.do("get_browser_context", room_name=room)

    def refusal(self, room, verb):
        """The kind of error."""
        return self.client.fail(f"{verb}_browser_session", room_name=room)[1]["error_kind"]

    def close(self):
        """Hangs up."""
        self.client.close()


class Grpc:
    """The walk by gRPC."""

    name = "grpc"
    codes = {"NOT_FOUND": "not_found"}

    def __init__(self, service):
        self.client = GrpcClient(service)

    def start(self, room, **spec):
        """The session's state and page."""
        return facts(self.client.call("StartSession", room_name=room, **spec))

    def verb(self, room, verb):
        """Pause, resume, recover or close."""
        return facts(self.client.call(f"{verb.capitalize()}Session", room_name=room))

    def act(self, room, action_type, params):
        """The action's result."""
        action = {"action_type": action_type, "params": params}
        result = self.client.call("ExecuteAction", room_name=room, action=action)
        # An optional field that is not set is left out.
        for change in result["changes"]:
            change.setdefault("index", None)
        return result

    def context(self, room):
        """The page."""
        return self.client.call("GetBrowserContext", room_name=room, elements=True)

    def refusal(self, room, verb):
        """The kind of error."""
        error = self.client.refusal(f"{verb.capitalize()}Session", room_name=room)
        metadata = dict(error.trailing_metadata())
        assert self.codes[error.code().name] == metadata["error-kind"]
        return metadata["error-kind"]

    def close(self):
        """Hangs up."""
        self.client.channel.close()


def facts(session):
    """What all doors tell of a session."""
    url = session.get("url") or session["current_url"]
    return {"state": session["state"], "url": url, "fps": session["fps"]}


def steps(visit, tall, hands):
    """Every action, and every way to fail that needs no accident."""
    file = {"name": "a.txt", "mime_type": "text/plain", "data_base64": "aGVsbG8="}
    return [
        ("navigate", {"url": visit.url}),
        ("click", {"index": Name("Press me")}),
        ("click", {"x": 5, "y": 5, "count": 2}),
        ("type", {"text": "hello", "index": Name("Field"), "clear": True}),
        ("wait", {"seconds": 0.1}),
        ("navigate", {"url": hands.url}),
        ("hover", {"index": Name("Hover me")}),
        ("press", {"keys": ["Control+A", "Delete"], "index": Name("Line")}),
        ("select", {"index": Name("Size"), "label": "Large"}),
        ("focus", {"index": Name("Line")}),
        ("check", {"index": Name("Line")}),
        ("upload", {"index": Name("File"), "files": [file]}),
        ("drag", {"from": {"index": Name("Card")}, "to": {"index": Name("Tray")}}),
        ("click", {"index": Name("Ask me")}),
        ("handle_dialog", {"accept": True}),
        ("clipboard_write", {"text": "OTTER-77"}),
        ("clipboard_read", {}),
        ("click", {"index": Name("Not now")}),
        ("press", {"keys": "Ctrl+Entr"}),
        ("upload", {"index": 1, "files": []}),
        ("navigate", {"url": tall.url}),
        ("scroll", {"direction": "down", "amount": 300}),
        ("go_back", {}),
        ("go_forward", {}),
        ("refresh", {}),
        ("new_tab", {"url": visit.url}),
        ("switch_tab", {"tab": 1}),
        ("close_tab", {"tab": 2}),
        ("switch_tab", {"tab": 2}),
        ("close_tab", {}),
        ("withdraw_request", {}),
        ("request_human", {"reason": "Log in."}),
        ("request_human", {"reason": "Twice."}),
        ("withdraw_request", {}),
        ("request_human", {"wait_s": 1}),
        ("click", {"index": 9999}),
        ("click", {"index": "9999"}),
        ("click", {"index": "nine"}),
        ("click", {}),
        ("scroll", {"direction": "sideways"}),
        ("bogus", {}),
        ("navigate", {"url": "file:///etc/passwd"}),
        ("navigate", {"url": "http://no-such-host.invalid/"}),
    ]


def walk(door, service, web):
    """All commands by one door; what was answered and what subscribers heard."""
    room = new_room("doors")
    # The pages are the same for all, and so are their addresses.
    visit, tall, hands = (web.visit(path) for path in ("/form", "/tall", "/hands"))
    seen = {"start": door.start(room, initial_url=visit.url, fps=15)}
    with service.api.events(room) as events:
        seen["pause"] = door.verb(room, "pause")
        seen["resume"] = door.verb(room, "resume")
        seen["recover"] = door.verb(room, "recover")
        context = door.context(room)
        seen["context"] = {name: context[name] for name in ("url", "title", "ready_state")}
        listed = (context.get("details") or context)["tabs"]
        seen["tabs"] = listed
        seen["elements"] = [(e["role"], e["name"], e["index"]) for e in context["elements"]]
        results = []
        walked = steps(visit, tall, hands)
        for action_type, params in walked:
            result = door.act(room, action_type, listed_as(door, room, params))
            result = {name: result.get(name) for name in TOLD}
            # Protobuf knows one kind of number only.
            data = whole(result["data"]).items()
            result["data"] = {name: value for name, value in data if name not in PASSING}
            for part, names in (("effect", ("kind", "verified")), ("target", ("role", "name"))):
                whole_part = result[part] or {}
                result[part] = {name: whole_part.get(name) for name in names}
            results.append((action_type, result))
        seen["results"] = results
        outcomes = len(walked)
        events.wait(
            "action_error", accept=lambda e: "no-such-host" in str(e["action"]["params"])
        )
        ends = events.of("action_completed", "action_error")
        assert len(ends) == outcomes
        seen["ends"] = [(e["type"], e["action"]["action_type"], e.get("error")) for e in ends]
        seen["close"] = door.verb(room, "close")
    seen["refusal"] = door.refusal(room, "pause")
    return anonymous(seen, visit, tall, hands)


def listed_as(door, room, params):
    """The parameters with the index of each element that they name."""
    if isinstance(params, dict):
        return {name: listed_as(door, room, value) for name, value in params.items()}
    if isinstance(params, Name):
        elements = door.context(room)["elements"]
        return whole(next(e["index"] for e in elements if e["name"] == params))
    return params


def anonymous(seen, *visits):
    """The same text whatever the visit's number, and however whole numbers are written."""
    # A protobuf struct has no order.
    text = json.dumps(whole(seen), sort_keys=True)
    for number, visit in enumerate(visits):
        text = text.replace(visit.url, f"URL{number}").replace(visit.id, f"ID{number}")
    return text


def test_every_command_by_every_door(lone_ghostcast, web):
    """The same walk, the same answers, the same events."""
    walks = {}
    for kind in (Rest, Mcp, Grpc):
        door = kind(lone_ghostcast)
        try:
            walks[kind.name] = walk(door, lone_ghostcast, web)
        finally:
            door.close()
    assert walks["rest"] == walks["mcp"]
    assert walks["rest"] == walks["grpc"]


def test_the_walk_leaves_no_action_out(lone_ghostcast, web):
    """What the tools' own schema offers is what is walked."""
    client = McpClient(http_server(lone_ghostcast), "auto")
    try:
        act = client.tools()["execute_action"].input_schema
    finally:
        client.close()
    offered = set(act["properties"]["action_type"]["enum"])
    visit = web.visit("/form")
    walked = {action_type for action_type, _ in steps(visit, visit, visit)}
    assert walked == offered | {"bogus"}


@pytest.fixture(scope="module")
def stub(lone_ghostcast):
    """A gRPC client."""
    with GrpcClient(lone_ghostcast) as client:
        yield client


def test_grpc_reflection_and_health(lone_ghostcast, stub):
    """Tools find the contract by themselves, and whether the service serves."""
    services = ProtoReflectionDescriptorDatabase(stub.channel).get_services()
    assert "ghostcast.v1.BrowserService" in services
    health = health_pb2_grpc.HealthStub(stub.channel)
    for name in ("", "ghostcast.v1.BrowserService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_grpc_events_and_replay(lone_ghostcast, stub, web):
    """Events are streamed with their fields; `since` replays them."""
    with lone_ghostcast.api.session() as room:
        visit = web.visit("/form")
        stream = stub.events(room)
        stub.call("ExecuteAction", room_name=room, action={
            "action_type": "navigate", "params": {"url": visit.url}})
        heard = []
        for event in stream:
            heard.append(event)
            if event.type == "action_completed":
                break
        stream.cancel()
        navigated = next(event for event in heard if event.type == "page_navigation")
        assert navigated.url == visit.url and navigated.timestamp > 1e9
        assert heard[-1].action.action_type == "navigate"
        assert plain(heard[-1])["action"]["params"]["url"] == visit.url
        again = stub.events(room, since=0, types=["all"])
        assert next(again).seq == 1
        again.cancel()


def test_grpc_cancel_cancels_the_action(lone_ghostcast, stub, web):
    """A call that is cancelled, or runs into its deadline, ends in the browser too."""
    with lone_ghostcast.api.session() as room, lone_ghostcast.api.events(room) as events:
        action = {"action_type": "navigate", "params": {"url": web.url("/slow", seconds=20)}}
        request = stub.request("ExecuteAction", room_name=room, action=action)
        call = stub.stub.ExecuteAction.future(request, timeout=1)
        assert call.exception(timeout=5).code().name == "DEADLINE_EXCEEDED"
        assert "cancelled" in events.wait("action_error")["error"]


def test_grpc_pictures_and_recordings(lone_ghostcast, stub, web):
    """A marked picture with its list, a recording, and a model that nobody configured."""
    with lone_ghostcast.api.session(initial_url=web.visit("/form").url) as room:
        request = stub.request("TakeScreenshot", room_name=room, marks=True)
        picture = stub.stub.TakeScreenshot(request, timeout=10)
        assert picture.media_type == "image/png" and picture.data.startswith(b"\x89PNG")
        assert [plain(e)["name"] for e in picture.elements][0] == "Press me"
        assert stub.call("StartRecording", room_name=room)["state"] == "recording"
        wait_for(
            lambda: lone_ghostcast.api.get(f"/sessions/{room}/recording").json()["frames"],
            10,
            "a picture has come",
        )
        done = stub.call("StopRecording", room_name=room)
        assert done["state"] == "finished" and int(done["frames"]) >= 1, done
        film = lone_ghostcast.api.get(f"/recordings/{done['file']}").content
        assert len(film) == int(done["bytes"]) and film[4:8] == b"ftyp"
        lone_ghostcast.api.request("DELETE", f"/recordings/{done['file']}")
        error = stub.refusal("Analyze", room_name=room, question="What is there?")
        assert error.code().name == "UNIMPLEMENTED" and "vision.url" in error.details()


def test_grpc_knows_what_rest_knows(lone_ghostcast, stub, web):
    """Bounds and logins of a session, a picture in a file, what ended, numbers, and a drain."""
    api, name = lone_ghostcast.api, new_room("kept")
    visit = web.visit("/still")
    cookie = {"name": "who", "value": "ada", "domain": "127.0.0.1", "path": "/"}
    item = {"name": "theme", "value": "dark"}
    origin = visit.url.split("/still")[0]
    records = [{"key": 1, "value": {"half": 0.5, "none": None}}]
    database = {"name": "d", "version": 3, "stores": [{"name": "s", "records": records}]}
    stored = {"origin": origin, "localStorage": [item], "indexedDB": [database]}
    state = {"cookies": [cookie], "origins": [stored]}
    begun = stub.call(
        "StartSession",
        session_name=name,
        idle_timeout_s=900,
        max_lifetime_s=800,
        storage_state=state,
        initial_url=visit.url,
    )
    assert (begun["idle_timeout_s"], begun["max_lifetime_s"]) == (900, 800)
    visit.wait_note("loaded")
    known = stub.call("GetStorageState", room_name=name)["state"]
    assert known == whole(api.get(f"/sessions/{name}/storage_state").json())
    assert {one["name"]: one["value"] for one in known["cookies"]}["who"] == "ada"
    assert item in known["origins"][0]["localStorage"]
    (held,) = known["origins"][0]["indexedDB"]
    assert held["version"] == 3 and held["stores"][0]["records"] == records, held
    brief = stub.call("GetStorageState", room_name=name, indexed_db=False)["state"]
    assert "indexedDB" not in brief["origins"][0] and brief["cookies"] == known["cookies"]
    error = stub.refusal("StartSession", session_name=new_room(), storage_state={"cookies": 1})
    assert error.code().name == "INVALID_ARGUMENT" and "storage_state" in error.details()
    picture = stub.call("TakeScreenshot", room_name=name, filename=f"{name}.jpg")
    assert picture["media_type"] == "image/jpeg" and not picture["data"]
    saved = picture["saved"]
    with Image.open(saved["path"]) as file:
        assert file.format == "JPEG"
        assert file.size == (int(saved["width"]), int(saved["height"])) == (1920, 1080)
    os.unlink(saved["path"])
    error = stub.refusal("TakeScreenshot", room_name=name, filename="../x.png")
    assert "filename" in error.details()
    stats = stub.call("GetStats")["stats"]
    assert stats["service"]["pid"] == lone_ghostcast.pid
    assert name in [one["session_name"] for one in stats["per_session"]]
    left = stub.call("Drain", timeout_s=600)
    assert left["draining"] is True and int(left["sessions"]) >= 1
    assert stub.refusal("StartSession", room_name=new_room()).code().name == "UNAVAILABLE"
    assert stub.call("Undrain")["draining"] is False
    error = stub.refusal("Drain", timeout_s=10**9)
    assert error.code().name == "INVALID_ARGUMENT"
    stub.call("CloseSession", room_name=name, delete_profile=True)
    one = stub.call("GetEnded", room_name=name)
    told = api.get(f"/sessions/{name}/ended").json()
    assert one["record"] == whole(told) and one["last_events"] == whole(told["last_events"])
    assert (one["reason"], one["session_name"], one["state"]) == ("closed", name, "closed")
    assert one["session_id"] in [one["session_id"] for one in stub.call("ListEnded")["ended"]]
    assert stub.refusal("GetEnded", room_name=new_room()).code().name == "NOT_FOUND"


def test_grpc_bounds(stub):
    """What is out of range is refused with a sentence."""
    error = stub.refusal("StartSession", room_name="a/b")
    assert error.code().name == "INVALID_ARGUMENT" and "characters" in error.details()
    error = stub.refusal("ExecuteAction", room_name="nobody")
    assert error.code().name == "NOT_FOUND"
    error = stub.refusal("StartSession", room_name="a", fps=1000)
    assert "1 to 60" in error.details()


def test_tokens_are_asked_for_at_every_door(guarded_ghostcast):
    """No token, no tools and no calls."""
    with GrpcClient(guarded_ghostcast) as stranger:
        error = stranger.refusal("ListSessions")
        assert error.code().name == "UNAUTHENTICATED" and "Bearer" in error.details()
    with GrpcClient(guarded_ghostcast, guarded_ghostcast.api.token) as friend:
        assert friend.call("ListSessions") == {"sessions": []}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    headers = {"Accept": "application/json, text/event-stream"}
    url = f"{guarded_ghostcast.api.base}/mcp"
    assert httpx.post(url, json=hello, headers=headers).status_code == 401
    client = McpClient(http_server(guarded_ghostcast), "auto")
    try:
        assert len(client.tools()) == 7
    finally:
        client.close()
    bearer = f"Bearer {guarded_ghostcast.api.token}"
    foreign = {**headers, "Origin": "https://evil.test", "Authorization": bearer}
    assert httpx.post(url, json=hello, headers=foreign).status_code == 403
