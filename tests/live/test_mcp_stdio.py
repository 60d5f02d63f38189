"""`ghostcast mcp`: attaches to the service that runs, or carries one, and outlives both."""

import itertools
import json
import signal
import socket
import subprocess
import threading
import time

import pytest

from support import procs
from support.api import Api, new_room
from support.mcp import McpClient, stdio_server
from support.service import STATE_ENV, Ghostcast, clean_env, free_port, running_service
from support.wait import wait_for

HELLO = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Pipe:
    """The program with its pipes in our hands, line by line."""

    def __init__(self, binary, tmp, *args, port=None):
        self.port = port or free_port()
        command = [binary, "mcp", "--listen", f"127.0.0.1:{self.port}", *args]
        self.log_path = tmp / "log.txt"
        self.log = self.log_path.open("ab")
        self.process = subprocess.Popen(
            command,
            env={**clean_env(), "TMPDIR": str(tmp), STATE_ENV: str(tmp / "state")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            bufsize=1,
        )
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        """Keeps what it says."""
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def say(self, message):
        """Sends one message, or one line as it is."""
        line = message if isinstance(message, str) else json.dumps(message)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self, number, within=15):
        """The answer to the request of that number."""
        found = wait_for(
            lambda: [line for line in list(self.lines) if line.get("id") == number],
            within,
            f"an answer to {number}",
        )
        return found[0]

    def greet(self):
        """Begins the conversation."""
        self.say(HELLO)
        answer = self.answer(0)
        self.say(READY)
        return answer

    def call(self, number, name, **arguments):
        """Asks for a tool; the answer is the caller's to await."""
        params = {"name": name, "arguments": arguments}
        self.say({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})

    def log_text(self):
        """What it has said beside the conversation."""
        return self.log_path.read_text(errors="replace")

    def kill(self):
        """For the end of a test, however it ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture
def pipe(ghostcast_bin, tmp_path):
    """Makes programs and sees to their end."""
    made = []

    def make(*args, port=None):
        made.append(Pipe(ghostcast_bin, tmp_path, *args, port=port))
        return made[-1]

    yield make
    for one in made:
        tree = procs.descendants(one.process.pid)
        one.kill()
        procs.kill_all([pid for pid in tree if procs.is_alive(pid)])


def test_carries_a_service_of_its_own(pipe, web):
    """Without a service it is one: its events reach WebSocket clients, its dashboard answers."""
    one = pipe()
    assert one.greet()["result"]["serverInfo"]["name"] == "ghostcast"
    api = Api(f"http://127.0.0.1:{one.port}")
    room, visit = new_room("stdio"), web.visit("/form")
    one.call(1, "start_browser_session", room_name=room)
    started = one.answer(1)["result"]["structuredContent"]
    assert started["events_url"] == f"ws://127.0.0.1:{one.port}/mcp/events/{room}"
    with api.events(room) as events:
        action = {"action_type": "navigate", "params": {"url": visit.url}}
        one.call(2, "execute_action", room_name=room, **action)
        assert one.answer(2)["result"]["structuredContent"]["success"]
        events.wait("action_completed", accept=lambda e: e["action"] == action)
    assert "<title>" in api.get("/").text
    api.close_client()


def test_leaves_nothing_when_its_client_hangs_up(pipe, tmp_path):
    """The end of the input is the end of everything that it carried."""
    one = pipe()
    one.greet()
    one.call(1, "get_browser_context")
    one.answer(1)
    tree = procs.descendants(one.process.pid)
    assert tree
    one.process.stdin.close()
    assert one.process.wait(8) == 0
    wait_for(lambda: not [p for p in tree if procs.is_alive(p)], 5, "the browser has gone")
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith("ghostcast")] == []


def test_ends_by_a_signal_though_its_input_is_open(pipe):
    """SIGTERM within five seconds."""
    one = pipe()
    one.greet()
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(5) == 0


def test_last_request_is_answered(pipe):
    """A client that writes and closes still gets what it asked for."""
    one = pipe()
    one.say(HELLO)
    one.say(READY)
    one.say({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    one.process.stdin.close()
    assert len(one.answer(1)["result"]["tools"]) == 7
    one.process.wait(8)


def test_attached_actions_reach_the_services_subscribers(own_ghostcast, ghostcast_bin, web):
    """Two programs, one service: the dashboard and the sockets see what MCP does."""
    client = McpClient(stdio_server(ghostcast_bin, own_ghostcast), "auto")
    try:
        room = new_room("attached")
        client.do("start_browser_session", room_name=room)
        assert own_ghostcast.api.record(room)["state"] == "live"
        with own_ghostcast.api.events(room) as events:
            client.act(room, "navigate", url=web.visit("/form").url)
            events.wait("action_completed")
    finally:
        client.close()
    # The session is the service's: it outlives the program that started it.
    assert own_ghostcast.api.record(room)["state"] == "live"


def test_lost_service_is_answered_for_and_waited_for(pipe, ghostcast_bin):
    """The service is killed during a call: the call is answered, and when it is back the next one works."""
    service = Ghostcast(ghostcast_bin).start()
    one = pipe(port=service.port)
    one.greet()
    one.call(1, "start_browser_session", room_name="lost")
    assert one.answer(1)["result"]["structuredContent"]["state"] == "live"
    one.call(2, "execute_action", room_name="lost", action_type="wait", params={"seconds": 3})
    time.sleep(0.5)
    service.kill()
    service.remove_home()
    lost = one.answer(2)["result"]
    assert lost["isError"] and "start_browser_session" in lost["content"][0]["text"]
    with running_service(ghostcast_bin, port=service.port):
        wait_for(lambda: calls(one) is not None, 10, "the client is attached again")
        one.call(3, "start_browser_session", room_name="lost")
        assert one.answer(3)["result"]["structuredContent"]["state"] == "live"


def calls(one, numbers=itertools.count(100)):  # noqa: B008
    """What a call is answered by a service; `None` where none is there."""
    number = next(numbers)
    one.call(number, "get_browser_context", room_name="no-such-room")
    result = one.answer(number)["result"]
    assert result["isError"], result
    return result if "no-such-room" in result["content"][0]["text"] else None


def listens(port):
    """Whether any process listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_client_never_takes_the_place_of_its_service(pipe, ghostcast_bin):
    """SIGTERM to the service: nobody listens until it is started again, and then all goes on."""
    service = Ghostcast(ghostcast_bin).start()
    one = pipe(port=service.port)
    greeting = one.greet()["result"]
    assert "carries one of its own" not in greeting["instructions"]
    assert calls(one)
    assert service.stop() == []
    service.remove_home()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert not listens(service.port), "the client has become the service"
        time.sleep(0.02)
    one.call(1, "start_browser_session", room_name="away")
    told = one.answer(1, within=2)["result"]
    text = told["content"][0]["text"]
    assert told["isError"] and "ghostcast start" in text and str(service.port) in text
    one.say({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    error = one.answer(2, within=2)["error"]
    assert error["code"] == -32000 and "no Ghostcast service runs" in error["message"]
    assert one.process.poll() is None and not procs.browsers(one.process.pid)
    with running_service(ghostcast_bin, port=service.port) as again:
        wait_for(lambda: calls(one) is not None, 10, "the client is attached again")
        one.call(3, "start_browser_session", room_name="away")
        assert one.answer(3)["result"]["structuredContent"]["state"] == "live"
        assert again.api.record("away")["state"] == "live"
        assert len([line for line in one.lines if line.get("id") == 0]) == 1, "one greeting is answered once"


def test_a_conversation_that_begins_while_the_service_is_away(pipe, ghostcast_bin):
    """Its first word is kept for the service, and answered by it."""
    service = Ghostcast(ghostcast_bin).start()
    one = pipe(port=service.port)
    wait_for(lambda: "attached" in one.log_text(), 10, "the client is attached")
    assert service.stop() == []
    service.remove_home()
    one.say(HELLO)
    time.sleep(1)
    assert one.lines == []
    with running_service(ghostcast_bin, port=service.port):
        assert one.answer(0)["result"]["serverInfo"]["name"] == "ghostcast"
        one.say(READY)
        one.say({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert len(one.answer(1)["result"]["tools"]) == 7


def test_who_carries_a_service_says_so(pipe):
    """At the start, to whoever reads the log, and to the model."""
    one = pipe()
    assert "carries one of its own" in one.greet()["result"]["instructions"]
    assert f"no service runs at 127.0.0.1:{one.port}" in one.log_text()


@pytest.mark.parametrize("where", ["attached", "carried"])
def test_too_long_a_message_is_refused_by_its_size(pipe, own_ghostcast, where):
    """The bound is named, and the conversation goes on; one just within it arrives."""
    one = pipe(port=own_ghostcast.port) if where == "attached" else pipe()
    one.greet()
    bound = 256 * 1024
    head = '{"method":"tools/call","params":{"name":"no_such_tool","arguments":{"text":"'
    tail = '"}},"jsonrpc":"2.0","id":%d}'
    for number, length in ((1, bound), (2, bound + 1), (3, 3 * bound)):
        one.say(head + "x" * (length - len(head) - len(tail % number)) + tail % number)
        error = one.answer(number)["error"]
        assert error["code"] == (-32602 if length == bound else -32600), error
        if length > bound:
            assert str(length) in error["message"] and str(bound) in error["message"]
    one.say({"jsonrpc": "2.0", "id": 4, "method": "tools/list"})
    assert len(one.answer(4)["result"]["tools"]) == 7
    assert "is gone" not in one.log_text()


def test_noise_does_not_end_a_conversation(pipe):
    """Lines that are no JSON, or no request, are answered or ignored; the next request works."""
    one = pipe()
    one.greet()
    for noise in ("", "{", "[]", "null", '{"jsonrpc":"2.0"}', "\x00\x01", "x" * 100_000):
        one.say(noise)
    one.say({"jsonrpc": "2.0", "id": 9, "method": "no/such/method"})
    assert "error" in one.answer(9)
    one.say({"jsonrpc": "2.0", "id": 10, "method": "tools/list"})
    assert len(one.answer(10)["result"]["tools"]) == 7


def test_wrong_token_says_so(guarded_ghostcast, ghostcast_bin):
    """A service that asks for a token, and a program that has none."""
    command = [ghostcast_bin, "mcp", "--listen", f"127.0.0.1:{guarded_ghostcast.port}"]
    ended = subprocess.run(
        command, env=clean_env(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=15, check=False,
    )
    assert ended.returncode == 1 and "GHOSTCAST_SERVER__TOKEN" in ended.stderr
