"""Bounds at the doors: how long, how many, how large; and in which form every door refuses."""

import base64
import json
import os
import socket
import struct
import threading
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from support import procs
from support.api import assert_envelope, new_room
from support.grpc_client import GrpcClient
from support.service import running_service
from support.wait import wait_for

HEADER_MS, BODY_MS, HEARTBEAT_MS, CONNECTIONS_MAX = 700, 1000, 200, 12
FRAME_MAX, IDLE_S = 256 * 1024, 3
MCP = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "bounds", "version": "1"},
    },
}
SOCKETS = ["/mcp/events/bounds", "/mcp/socket"]


@pytest.fixture(scope="module")
def tight(ghostcast_bin):
    """A service with small bounds."""
    env = {
        "GHOSTCAST_SERVER__HEADER_TIMEOUT_MS": str(HEADER_MS),
        "GHOSTCAST_SERVER__BODY_TIMEOUT_MS": str(BODY_MS),
        "GHOSTCAST_SERVER__CONNECTIONS_MAX": str(CONNECTIONS_MAX),
        "GHOSTCAST_EVENTS__HEARTBEAT_MS": str(HEARTBEAT_MS),
        "GHOSTCAST_MCP__SESSIONS_MAX": "2",
        "GHOSTCAST_MCP__SESSION_IDLE_S": str(IDLE_S),
    }
    with running_service(ghostcast_bin, env=env) as service:
        yield service


def dial(service):
    """A bare connection."""
    return socket.create_connection(("127.0.0.1", service.port), timeout=10)


def ends_within(client, seconds):
    """Waits until the other side has closed; what it said before, and after how long it closed."""
    start, said = time.monotonic(), b""
    client.settimeout(seconds)
    try:
        while part := client.recv(65536):
            said += part
    except ConnectionResetError:
        pass
    return said, time.monotonic() - start


@pytest.mark.parametrize(
    "beginning",
    [b"", b"PRI * HT", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: 1"],
    ids=["silent", "half a preface", "half a head"],
)
def test_a_head_has_its_time(tight, beginning):
    """A connection that says nothing whole does not stay."""
    with dial(tight) as client:
        client.sendall(beginning)
        _, took = ends_within(client, 6)
        assert took >= HEADER_MS / 1000 * 0.8, "it had its time"


def test_a_drop_by_drop_head_is_not_endless(tight):
    """Each byte does not begin the time anew."""
    with dial(tight) as client:
        start = time.monotonic()
        with pytest.raises(OSError):
            client.sendall(b"GET /health HTTP/1.1\r\n")
            while time.monotonic() - start < 10:
                client.sendall(b"X-A: b\r\n")
                time.sleep(0.1)
        assert time.monotonic() - start < 6


def test_connections_are_counted(tight):
    """One beyond the bound is told so at once; open WebSockets count; places come free again."""
    held = []
    with connect(f"ws://127.0.0.1:{tight.port}{SOCKETS[0]}", proxy=None):
        # Longer than a head may take: what is open then is not a slow request.
        time.sleep(HEADER_MS / 1000 + 0.5)
        try:
            for _ in range(CONNECTIONS_MAX):
                client = dial(tight)
                client.sendall(b"GET /health HTTP/1.1\r\n")
                held.append(client)
            said, _ = ends_within(held[-1], 5)
            head, _, body = said.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 "), said
            assert json.loads(body)["error"]["kind"] == "exhausted"
        finally:
            for client in held:
                client.close()
    wait_for(
        lambda: tight.api.request("GET", "/health").status_code == 200,
        5,
        "there is room again",
        tolerate=httpx.HTTPError,
    )


@pytest.mark.parametrize("path", SOCKETS)
def test_a_large_frame_ends_the_socket(tight, path):
    """With the code that says why; nothing of it is kept in memory."""
    with connect(f"ws://127.0.0.1:{tight.port}{path}", proxy=None) as client:
        with pytest.raises(ConnectionClosed) as ended:
            client.send("x" * (FRAME_MAX + 1))
            client.recv(timeout=5)
        assert ended.value.rcvd and ended.value.rcvd.code == 1009, ended.value


class Frames:
    """A WebSocket by hand, which answers no pings."""

    def __init__(self, service, path):
        self.socket = dial(service)
        key = base64.b64encode(os.urandom(16)).decode()
        head = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{service.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        ]
        self.socket.sendall("\r\n".join([*head, "", ""]).encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.socket.recv(1)
        assert b" 101 " in answer, answer

    def next(self):
        """The opcode and the payload of the next short frame; `None` at the end."""
        head = self.take(2)
        if head is None or head[1] > 125:
            return None
        return head[0] & 15, self.take(head[1])

    def take(self, count):
        """So many bytes; `None` at the end."""
        taken = b""
        while len(taken) < count:
            try:
                part = self.socket.recv(count - len(taken))
            except ConnectionResetError:
                return None
            if not part:
                return None
            taken += part
        return taken


@pytest.mark.parametrize("path", SOCKETS)
def test_sockets_are_pinged(tight, path):
    """A silent side is asked, and one that does not answer is given up, well after the head's time."""
    client = Frames(tight, path)
    start, pings = time.monotonic(), 0
    with client.socket:
        while (frame := client.next()) is not None:
            pings += frame[0] == 9
    assert pings == 2, pings
    assert 2 * HEARTBEAT_MS <= (time.monotonic() - start) * 1000 <= 10 * HEARTBEAT_MS + 3000
    # One that answers stays.
    with connect(f"ws://127.0.0.1:{tight.port}{path}", proxy=None) as friend:
        with pytest.raises(TimeoutError):
            friend.recv(timeout=HEARTBEAT_MS / 1000 * 8)


def initialize(service):
    """Begins a conversation over HTTP as clients of 2025 do."""
    return httpx.post(f"{service.api.base}/mcp", json=INITIALIZE, headers=MCP, trust_env=False)


def named(opened):
    """The headers of a request in a conversation."""
    return {**MCP, "Mcp-Session-Id": opened.headers["mcp-session-id"]}


def say(service, opened, **message):
    """A message in a conversation; the answer to it."""
    body = {"jsonrpc": "2.0", **message}
    return httpx.post(f"{service.api.base}/mcp", json=body, headers=named(opened), trust_env=False)


def is_there(service, opened):
    """Whether a conversation goes on."""
    return say(service, opened, id=2, method="ping").status_code == 200


def test_mcp_conversations_are_bounded_and_expire(tight):
    """The third ends the one that has been idle for longest, whose client is told to begin anew."""
    first, second = initialize(tight), initialize(tight)
    assert first.status_code == second.status_code == 200
    # Used: the second is now the idlest.
    assert is_there(tight, first)
    third = initialize(tight)
    assert third.status_code == 200
    assert_envelope(say(tight, second, id=3, method="ping"), 404, "not_found")
    assert is_there(tight, first) and is_there(tight, third)
    # Silent for long, both go by themselves.
    time.sleep(IDLE_S + 1)
    for one in (first, third):
        assert_envelope(say(tight, one, id=4, method="ping"), 404, "not_found")


def test_conversations_in_use_are_not_put_out(tight):
    """A stream that is open is use, and so is a call that runs though its client has hung up."""
    listening, calling = initialize(tight), initialize(tight)
    url = f"{tight.api.base}/mcp"
    headers = {**named(listening), "Accept": "text/event-stream"}
    say(tight, calling, method="notifications/initialized")
    with httpx.stream("GET", url, headers=headers, timeout=5) as stream:
        assert stream.status_code == 200
        call = {"name": "start_browser_session", "arguments": {"room_name": "bounds"}}
        # The client goes as soon as it has asked.
        with dial(tight) as client:
            body = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": call})
            head = [f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}"]
            head += [f"{name}: {value}" for name, value in named(calling).items()]
            client.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
            client.recv(1)
        refused = initialize(tight)
        error = assert_envelope(refused, 429, "exhausted")
        assert "mcp.sessions_max" in error["hint"]
    assert httpx.delete(url, headers=named(listening)).status_code == 204
    opened = wait_for(lambda: initialize(tight), 8, "a place", accept=lambda a: a.status_code == 200)
    tight.api.close("bounds")
    httpx.delete(url, headers=named(opened))


def test_mcp_ends_and_refusals_are_the_protocols(lone_ghostcast):
    """By status and by JSON-RPC's own codes."""
    url = f"{lone_ghostcast.api.base}/mcp"
    opened = initialize(lone_ghostcast)
    say(lone_ghostcast, opened, method="notifications/initialized")
    for body, code in [
        ("{", -32700),
        ("", -32700),
        ('{"jsonrpc":"2.0","id":1', -32700),
        ("[]", -32600),
        ("{}", -32600),
        ("7", -32600),
    ]:
        answer = httpx.post(url, content=body, headers=named(opened))
        assert answer.status_code == 400 and answer.headers["content-type"] == "application/json", answer.text
        error = answer.json()
        assert (error["jsonrpc"], error["id"], error["error"]["code"]) == ("2.0", None, code), error
    methods = (
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "resources/subscribe",
        "completion/complete",
        "logging/setLevel",
        "tasks/list",
        "no/such",
    )
    for number, method in enumerate(methods, 10):
        params = {
            "name": "x", "uri": "x:y", "level": "info",
            "ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": "b"},
        }
        answer = say(lone_ghostcast, opened, id=number, method=method, params=params)
        data = [line[5:] for line in answer.text.splitlines() if line.startswith("data:") and line[5:].strip()]
        error = json.loads(data[-1])
        assert (error["id"], error["error"]["code"]) == (number, -32601), (method, error)
    assert is_there(lone_ghostcast, opened)
    assert httpx.delete(url, headers=named(opened)).status_code == 204
    assert_envelope(httpx.delete(url, headers=named(opened)), 404, "not_found")
    assert_envelope(say(lone_ghostcast, opened, id=3, method="ping"), 404, "not_found")
    assert httpx.delete(url).status_code == 400


def test_conversations_that_nobody_ends_take_no_memory(ghostcast_bin):
    """Two thousand beginnings: the service keeps 256, and what those take."""
    with running_service(ghostcast_bin) as service:
        with httpx.Client(trust_env=False) as client:
            for _ in range(50):
                client.post(f"{service.api.base}/mcp", json=INITIALIZE, headers=MCP)
            before = procs.rss_mb(service.pid)
            for _ in range(2_000):
                answer = client.post(f"{service.api.base}/mcp", json=INITIALIZE, headers=MCP)
                assert answer.status_code == 200
        grown = procs.rss_mb(service.pid) - before
        evicted = "ghostcast_mcp_sessions_evicted_total 1794"
        assert evicted in service.api.get("/metrics").text
        # About 60 kB each; two thousand would be 120 MB.
        assert grown < 40, f"{grown:.0f} MB more"


@pytest.mark.parametrize("path", ["/sessions", "/mcp", "/sessions/none/actions", "/whep/none"])
@pytest.mark.parametrize("way", ["length", "chunked"])
def test_a_body_has_its_time(tight, path, way):
    """One that trickles in is refused, however it comes, and the connection ends."""
    with dial(tight) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        head += "Accept: application/json, text/event-stream\r\n"
        head += "Content-Length: 1000\r\n\r\n" if way == "length" else "Transfer-Encoding: chunked\r\n\r\n"
        client.sendall(head.encode())
        start = time.monotonic()
        client.settimeout(0.1)
        said = b""
        while not said and time.monotonic() - start < 10:
            client.sendall(b" " if way == "length" else b"1\r\n \r\n")
            try:
                said = client.recv(65536)
            except TimeoutError:
                pass
        took = time.monotonic() - start
        assert BODY_MS / 1000 * 0.9 <= took <= BODY_MS / 1000 + 3, took
        rest, _ = ends_within(client, 5)
        head, _, body = (said + rest).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 "), head
        error = json.loads(body)["error"]
        assert error["kind"] == "timeout" and "server.body_timeout_ms" in error["hint"]


def test_a_long_body_has_longer(tight):
    """One that comes at a fair pace takes longer than the bound and is taken."""
    body = json.dumps({"action_type": "wait", "params": {"seconds": 0}, "pad": "x" * 120_000}).encode()
    with dial(tight) as client:
        head = f"POST /sessions/none/actions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode())
        start, sent = time.monotonic(), 0
        while sent < len(body):
            client.sendall(body[sent : sent + 4_000])
            sent += 4_000
            time.sleep(0.06)
        assert time.monotonic() - start > BODY_MS / 1000 * 1.5
        client.settimeout(5)
        answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400 ") or answer.startswith(b"HTTP/1.1 404 "), answer


@pytest.mark.parametrize(
    ("path", "length"),
    [
        ("/sessions/cleanup", FRAME_MAX + 1),
        ("/mcp", FRAME_MAX + 1),
        ("/whep/none", FRAME_MAX + 1),
        ("/sessions", FRAME_MAX + 16 * 1024 * 1024 + 1),
        ("/sessions/none/actions", 64 * 1024 * 1024),
    ],
)
def test_a_body_that_would_be_too_long_is_not_asked_for(tight, path, length):
    """By its Content-Length: 413 in place of 100, and nothing is read."""
    with dial(tight) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n"
        client.sendall((head + "Content-Type: application/json\r\n\r\n").encode())
        said, took = ends_within(client, 5)
        assert said.startswith(b"HTTP/1.1 413 "), said
        assert took < 1.5 and b"HTTP/1.1 100" not in said


def test_a_body_within_its_bound_is_asked_for(tight):
    """`Expect: 100-continue` as it is meant."""
    with dial(tight) as client:
        head = "POST /sessions/cleanup HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 20\r\n"
        client.sendall((head + "Connection: close\r\n\r\n").encode())
        client.settimeout(5)
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b'{"max_age_hours":99}')
        said, _ = ends_within(client, 5)
        assert said.startswith(b"HTTP/1.1 200 "), said


def test_event_streams_are_kept_alive(tight):
    """A stream of Server-Sent Events has a comment in each heartbeat."""
    opened = wait_for(
        lambda: initialize(tight), 8, "a conversation", accept=lambda a: a.status_code == 200
    )
    headers = {"Accept": "text/event-stream", "Mcp-Session-Id": opened.headers["mcp-session-id"]}
    beats = 0
    with httpx.stream("GET", f"{tight.api.base}/mcp", headers=headers, timeout=5) as stream:
        assert stream.status_code == 200
        for line in stream.iter_lines():
            beats += line.startswith(":")
            if beats == 3:
                break
    assert beats == 3
    httpx.delete(f"{tight.api.base}/mcp", headers=headers)


SOCKETS_MANY, SOCKET_KB, SLACK_MB = 1_000, 24, 16


def test_memory_after_a_thousand_sockets(ghostcast_bin):
    """What they take is little while they are open, and comes back when they have ended."""
    env = {
        "GHOSTCAST_EVENTS__SOCKETS_PER_ROOM_MAX": str(SOCKETS_MANY),
        "GHOSTCAST_SERVER__CONNECTIONS_MAX": str(SOCKETS_MANY + 100),
    }
    with running_service(ghostcast_bin, env=env) as service, service.api.session() as room:
        path = f"/mcp/events/{room}"
        for _ in range(10):
            service.api.do(room, "wait", seconds=0)
        before = procs.rss_mb(service.pid)
        for turn in range(2):
            many = [Frames(service, path) for _ in range(SOCKETS_MANY)]
            for _ in range(10):
                service.api.do(room, "wait", seconds=0)
            grown = procs.rss_mb(service.pid) - before
            assert grown < SOCKETS_MANY * SOCKET_KB / 1024 + SLACK_MB, f"{grown:.0f} MB for them, turn {turn}"
            for one in many:
                one.socket.close()
            wait_for(lambda: service.api.connections(room) == 0, 10, "all have ended")
            # The service looks every five seconds.
            wait_for(
                lambda: procs.rss_mb(service.pid) - before, 12, "it comes back", accept=lambda mb: mb < SLACK_MB
            )


# ---- gRPC by hand: a client library would keep the deadline itself ------------------------------


def h2_frame(kind, flags, stream, payload):
    """One frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def h2_headers(pairs):
    """A header block of literals (RFC 7541, 6.2.2)."""
    text = lambda value: bytes([len(value)]) + value.encode()  # noqa: E731
    return b"".join(b"\x00" + text(name) + text(value) for name, value in pairs)


class Call:
    """One unary or streaming call on a connection of its own."""

    def __init__(self, service, method, message, timeout, is_whole=True):
        self.socket = dial(service)
        head = h2_headers(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", f"/ghostcast.v1.BrowserService/{method}"),
                (":authority", f"127.0.0.1:{service.port}"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                ("grpc-timeout", timeout),
            ]
        )
        body = b"\x00" + struct.pack(">I", len(message)) + message
        self.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + h2_frame(4, 0, 0, b"")
            + h2_frame(1, 4, 1, head)
            + (h2_frame(0, 1, 1, body) if is_whole else h2_frame(0, 0, 1, body[:1]))
        )

    def ended_after(self, within):
        """How long it takes until the service ends the stream."""
        start, buffer = time.monotonic(), b""
        self.socket.settimeout(within)
        while part := self.socket.recv(65536):
            buffer += part
            while len(buffer) >= 9:
                length = int.from_bytes(buffer[:3])
                if len(buffer) < 9 + length:
                    break
                kind, flags = buffer[3], buffer[4]
                stream = int.from_bytes(buffer[5:9])
                buffer = buffer[9 + length :]
                if kind == 4 and not flags & 1:
                    self.socket.sendall(h2_frame(4, 1, 0, b""))
                if stream == 1 and kind in (0, 1) and flags & 1:
                    return time.monotonic() - start
        raise AssertionError("the connection ended and the call did not")


def test_grpc_deadlines_are_kept_by_the_service(lone_ghostcast, web):
    """Without a client's help: the call ends in time, and its action in the browser."""
    with GrpcClient(lone_ghostcast) as stub, lone_ghostcast.api.session() as room:
        action = {"action_type": "navigate", "params": {"url": web.url("/slow", seconds=20)}}
        message = stub.request("ExecuteAction", room_name=room, action=action)
        with lone_ghostcast.api.events(room) as events:
            call = Call(lone_ghostcast, "ExecuteAction", message.SerializeToString(), "800m")
            assert 0.6 <= call.ended_after(5) <= 4
            assert "cancelled" in events.wait("action_error")["error"]
        message = stub.request("StreamEvents", room_name=room).SerializeToString()
        assert 0.6 <= Call(lone_ghostcast, "StreamEvents", message, "800000u").ended_after(5) <= 4


def test_a_grpc_message_has_its_time(tight):
    """One byte of it, and no more: the call ends before its own deadline."""
    assert Call(tight, "ListSessions", b"", "5S").ended_after(4) < BODY_MS / 1000
    call = Call(tight, "ListSessions", b"", "8S", is_whole=False)
    assert BODY_MS / 1000 * 0.9 <= call.ended_after(6) <= BODY_MS / 1000 + 3


# ---- every refusal in its form ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/nowhere", {}, None, 404),
        ("GET", "/assets/nothing.js", {}, None, 404),
        ("GET", "/recordings/none.mp4", {}, None, 404),
        ("DELETE", "/sessions", {}, None, 405),
        ("POST", "/metrics", {}, b"", 405),
        ("PUT", "/mcp", {}, b"", 405),
        ("POST", "/mcp", {**MCP, "Content-Type": "text/plain"}, b"hi", 415),
        ("POST", "/mcp", {"Content-Type": "application/json", "Accept": "text/html"}, b"{}", 406),
        ("POST", "/sessions/cleanup", {}, b"x" * (FRAME_MAX + 1), 413),
        ("POST", "/sessions", {}, b"x" * (FRAME_MAX + 16 * 1024 * 1024 + 1), 413),
        ("POST", "/mcp", MCP, b"x" * (FRAME_MAX + 1), 413),
        ("POST", "/whep/none", {"Content-Type": "text/plain"}, b"v=0", 415),
        ("GET", "/sessions/%ff", {}, None, 400),
        ("GET", "/mcp/events/a", {}, None, 400),
        ("GET", "/mcp/socket", {}, None, 400),
    ],
)
def test_every_refusal_is_json(lone_api, method, path, headers, body, status):
    """Whichever part of the service it is that refuses."""
    answer = lone_api.request(method, path, headers=headers, content=body)
    assert_envelope(answer, status)
    assert answer.headers["content-type"] == "application/json"
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/nowhere", b""),
        ("POST", "/ghostcast.v1.BrowserService/Nothing", b""),
        ("DELETE", "/sessions", b""),
        ("POST", "/sessions", b"x" * (FRAME_MAX + 1)),
    ],
)
def test_grpc_is_refused_as_grpc(lone_api, method, path, body):
    """A client of that kind reads no JSON."""
    headers = {"Content-Type": "application/grpc"}
    answer = lone_api.request(method, path, headers=headers, content=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/grpc")
    assert int(answer.headers["grpc-status"]) != 0 and answer.headers["grpc-message"]


def test_a_missing_token_is_asked_for(guarded_ghostcast):
    """As HTTP wants it (RFC 9110, 11.6.1)."""
    for path in ("/sessions", "/mcp", "/nowhere"):
        answer = httpx.get(f"{guarded_ghostcast.api.base}{path}")
        assert_envelope(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_shutdown_says_goodbye(own_ghostcast):
    """Every WebSocket hears that the service goes away."""
    base = f"ws://127.0.0.1:{own_ghostcast.port}"
    heard = {}

    def listen(path):
        with connect(f"{base}{path}", proxy=None) as client:
            ready.release()
            try:
                while True:
                    client.recv(timeout=20)
            except ConnectionClosed as ended:
                heard[path] = ended.rcvd and ended.rcvd.code

    ready = threading.Semaphore(0)
    own_ghostcast.api.create(room := new_room("bye"))
    paths = [f"/mcp/events/{room}", "/mcp/events/empty-room", "/mcp/socket"]
    listeners = [threading.Thread(target=listen, args=(path,), daemon=True) for path in paths]
    for listener in listeners:
        listener.start()
        assert ready.acquire(timeout=10)
    assert own_ghostcast.stop() == []
    for listener in listeners:
        listener.join(10)
    assert heard == dict.fromkeys(paths, 1001), heard


def test_a_body_is_bounded_whatever_it_says_that_it_is(lone_api):
    """Only gRPC's own routes stream: its media type opens no other one to more."""
    body = b"[" + b" " * (20 << 20)
    for path in ("/sessions", "/tickets", "/mcp"):
        answer = lone_api.request(
            "POST", path, content=body, headers={"content-type": "application/grpc"}
        )
        # To whoever says gRPC it is said in the words of that.
        said = answer.headers.get("grpc-message", "")
        assert answer.status_code == 413 or "too%20large" in said, answer.headers
