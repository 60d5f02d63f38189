"""Twenty thousand malformed inputs at every door: none breaks the service or a session."""

import json
import os

import grpc
import httpx
import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from support.api import new_room
from support.grpc_client import generated
from support.nonsense import Nonsense

SEED = int(os.environ.get("NONSENSE_SEED", "20261121"))
REST, MCP_HTTP, MCP_SOCKET, GRPC, EVENTS = 9_000, 5_000, 3_000, 2_500, 500
# Of one conversation on a socket.
LINES = 300

MCP_HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
}
GOOD_CODES = {
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "RESOURCE_EXHAUSTED",
    "PERMISSION_DENIED",
    "UNIMPLEMENTED",
    "OUT_OF_RANGE",
}


@pytest.fixture(scope="module")
def client(lone_ghostcast):
    """Connections that are kept: this is about inputs, not about connecting."""
    with httpx.Client(base_url=lone_ghostcast.api.base, timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def room(lone_ghostcast):
    """The session that must survive it all."""
    with lone_ghostcast.api.session(new_room("malformed")) as name:
        yield name


@pytest.fixture(autouse=True)
def service_and_session_are_well(lone_ghostcast, room, web):
    """After each kind of nonsense: no panic, and the session does what it is asked."""
    yield
    log = lone_ghostcast.log_path.read_text(errors="replace")
    assert "panicked" not in log, log[-3000:]
    assert lone_ghostcast.api.get("/health").json()["status"] == "healthy"
    visit = web.visit("/form")
    assert lone_ghostcast.api.do(room, "navigate", url=visit.url)["url"] == visit.url


def is_fine(status):
    """Whether an answer blames the caller, or was an answer after all."""
    return status < 500 or status == 501


def send(client, request):
    """Sends a request; once more when the connection was ended after the one before it."""
    try:
        return client.send(request)
    except httpx.RemoteProtocolError:
        return client.send(request)


def test_rest(client, room):
    """Bodies, queries, paths and methods."""
    nonsense = Nonsense(SEED)
    paths = [
        ("POST", f"/sessions/{room}/actions"),
        ("POST", "/sessions"),
        ("POST", f"/sessions/{room}/analyze"),
        ("POST", f"/sessions/{room}/recover"),
        ("GET", f"/sessions/{room}/context"),
        ("GET", f"/sessions/{room}/screenshot"),
        ("POST", f"/whep/{room}"),
        ("GET", "/recordings/x"),
        ("DELETE", "/recordings/x"),
    ]
    for number in range(REST):
        method, path = nonsense.random.choice(paths)
        kind = nonsense.random.random()
        if kind < 0.1:
            path = "/" + nonsense.text()[:200]
        elif kind < 0.2:
            method = nonsense.random.choice(["PUT", "PATCH", "OPTIONS", "HEAD", "TRACE"])
        if path.endswith("actions") and kind > 0.5:
            body = json.dumps(nonsense.action()).encode()
        elif method == "POST" and path == "/sessions":
            # No browser is to be started by chance.
            body = json.dumps({**nonsense.object(), "room_name": "a/b"}).encode()
        else:
            body = nonsense.bytes()
        query = {}
        if method == "GET":
            name = nonsense.random.choice(["limit", "more", "quality", "format", "bogus"])
            query = {name: nonsense.text()[:200]}
        try:
            request = client.build_request(method, path, content=body, params=query)
        except (httpx.InvalidURL, ValueError, UnicodeError):
            continue
        response = send(client, request)
        assert is_fine(response.status_code), (
            f"input {number}, seed {SEED}: {method} {request.url} {body[:300]!r} gave "
            f"{response.status_code}: {response.text[:300]}"
        )


def rpc(nonsense, room):
    """A JSON-RPC message that is wrong somewhere."""
    kind = nonsense.random.random()
    if kind < 0.3:
        return nonsense.bytes()
    tools = ["execute_action", "get_browser_context", "pause_browser_session", "bogus"]
    arguments = nonsense.object()
    if kind < 0.6:
        arguments = {"room_name": room, **nonsense.action()}
    elif "room_name" in arguments or kind < 0.8:
        arguments["room_name"] = nonsense.random.choice(["no-such-room", nonsense.text()[:50]])
    else:
        arguments["bogus"] = 1
    name = nonsense.random.choice(tools)
    message = {"jsonrpc": "2.0", "id": nonsense.random.randint(1, 10**6), "method": "tools/call"}
    message["params"] = {"name": name, "arguments": arguments}
    if nonsense.random.random() < 0.3:
        message[nonsense.random.choice(list(message))] = nonsense.value()
    return json.dumps(message).encode()


def test_mcp_by_http(client, room):
    """Messages and headers of streamable HTTP."""
    nonsense = Nonsense(SEED + 1)
    for number in range(MCP_HTTP):
        headers = dict(MCP_HEADERS)
        if nonsense.random.random() < 0.3:
            name = nonsense.random.choice(
                ["Mcp-Session-Id", "MCP-Protocol-Version", "Accept", "Last-Event-ID"]
            )
            headers[name] = nonsense.random.choice(["", "x", "2025-06-18", "2026-07-28", "9999"])
        body = rpc(nonsense, room)
        request = client.build_request("POST", "/mcp", content=body, headers=headers)
        response = send(client, request)
        assert is_fine(response.status_code), (
            f"input {number}, seed {SEED}: {headers} {body[:300]!r} gave "
            f"{response.status_code}: {response.text[:300]}"
        )


def request_id(text):
    """The id of a line that is a request after all, however senseless, and so has an answer."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return None
    number = message.get("id")
    # A number that not every JSON parser holds is no id.
    is_id = type(number) is int and abs(number) < 2**53
    is_call = message.get("method") == "tools/call" and isinstance(message.get("params"), dict)
    return number if is_id and is_call else None


def test_mcp_by_socket(lone_ghostcast, room):
    """Lines on conversations that go on: none ends one, and what is a request is answered."""
    nonsense = Nonsense(SEED + 2)
    url = lone_ghostcast.api.base.replace("http", "ws", 1) + "/mcp/socket"
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    for number in range(MCP_SOCKET // LINES):
        with connect(url, proxy=None, legacy=True, open_timeout=10) as socket:
            greet = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
            socket.send(json.dumps(greet))
            socket.recv(timeout=10)
            socket.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            lines = [rpc(nonsense, room).decode("utf-8", "replace") for _ in range(LINES)]
            asked, answered = {"end", *map(request_id, lines)}, set()
            for text in lines:
                socket.send(text)
            socket.send(json.dumps({"jsonrpc": "2.0", "id": "end", "method": "tools/list"}))
            asked.discard(None)
            assert len(asked) > LINES / 3, f"conversation {number}: hardly a request"
            try:
                while not asked <= answered:
                    identity = json.loads(socket.recv(timeout=20)).get("id")
                    answered |= {identity} if isinstance(identity, (int, str)) else set()
            except (TimeoutError, WebSocketException) as error:
                left = [text for text in lines if request_id(text) in asked - answered]
                raise AssertionError(
                    f"conversation {number}, seed {SEED}: {error!r} before {len(left)} were answered: "
                    f"{[text[:300] for text in left[:3]]}"
                ) from None


def test_grpc(lone_ghostcast, room):
    """Bytes that are no message, and messages that make no sense."""
    nonsense = Nonsense(SEED + 3)
    messages, _ = generated()
    methods = list(messages.DESCRIPTOR.services_by_name["BrowserService"].methods_by_name)
    # What makes sense by chance must not take the session or the service away.
    left_out = ("StartSession", "StreamEvents", "CloseSession", "CleanUp", "Drain")
    methods = [m for m in methods if m not in left_out]
    with grpc.insecure_channel(f"127.0.0.1:{lone_ghostcast.port}") as channel:
        for number in range(GRPC):
            method = nonsense.random.choice(methods)
            body = nonsense.random.randbytes(nonsense.random.randint(1, 80))
            if nonsense.random.random() < 0.3:
                request = messages.ExecuteActionRequest(room_name=room)
                request.action.action_type = nonsense.text()[:100].replace("\ud7ff", "")
                body = request.SerializeToString() + (b"" if number % 2 else body)
            call = channel.unary_unary(f"/ghostcast.v1.BrowserService/{method}")
            try:
                call(body, timeout=20)
            except grpc.RpcError as error:
                # What is waited for by chance does not come.
                good = (*GOOD_CODES, "DEADLINE_EXCEEDED") if method == "Wait" else GOOD_CODES
                assert error.code().name in good, (
                    f"input {number}, seed {SEED}: {method} {body!r} gave {error.code()}: "
                    f"{error.details()}"
                )


def test_event_sockets(lone_ghostcast, room):
    """Frames that nobody asked for, and queries that make no sense."""
    nonsense = Nonsense(SEED + 4)
    for number in range(EVENTS):
        types = nonsense.random.choice([None, None, ["bogus"], [nonsense.text()[:50]]])
        url = lone_ghostcast.api.events_url(room, types)
        try:
            with connect(url, proxy=None, legacy=True, open_timeout=10) as socket:
                body = nonsense.bytes()
                socket.send(body if number % 2 else body.decode("utf-8", "replace"))
        except WebSocketException as error:
            status = getattr(getattr(error, "response", None), "status_code", 400)
            assert is_fine(status), f"input {number}, seed {SEED}: {url} gave {error}"
