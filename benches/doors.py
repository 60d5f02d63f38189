"""How long actions take through MCP and REST, on a settled page that nobody watches.

    benches/doors.py GHOSTCAST_BINARY [RUNS]

Prints the median and the 95th percentile of each action by each door, as a caller sees it, beside the
figures of the project that Ghostcast succeeds, and what MCP adds to the same action by REST. The first
actions of a document are told apart: its renderer is a new process, which runs all of its code, Chromium's
and ours, for the first time. Run it with the Python environment of the live tests, and with nothing else
running.

Deliberately absent: viewers (the cursor's glide would be measured), LiveKit, and pages of others.
"""

import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/live"))

from support.service import running_service  # noqa: E402
from support.web import Web  # noqa: E402

# Something to click, to type into and to scroll, that answers by itself and asks nobody.
PAGE = "data:text/html," + quote(
    "<!doctype html><title>Bench</title><body style='height:3000px'><p id=said>0</p>"
    "<button onclick='said.textContent++'>Press me</button> "
    "<input aria-label=Field oninput='said.textContent=this.value'>"
)

# Seconds, as measured and published there.
PUBLISHED = {"click": 0.12, "type": 0.05, "scroll": 0.06, "navigate": 0.66, "start": 5.0}
BARS = {"click": 0.25, "type": 0.25, "scroll": 0.25, "navigate": 0.2, "start": 0.1}


STEPS = [
    ("click", {"index": 0}),
    ("type", {"text": "hello", "index": 1, "clear": True}),
    ("scroll", {"direction": "down", "amount": 100}),
    ("scroll", {"direction": "up", "amount": 100}),
]

# How often each step is taken on one document.
PASSES = 3


class Http:
    """One kept connection, and no library that costs more than what is measured."""

    def __init__(self, service):
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path, body, **headers):
        """What is answered, which must be no error."""
        given = {"content-type": "application/json", **headers}
        self.connection.request("POST", path, json.dumps(body), given)
        response = self.connection.getresponse()
        said = response.read().decode()
        assert response.status < 300, said
        return response, said

    def close(self):
        """Hangs up."""
        self.connection.close()


class Rest(Http):
    """A session by REST."""

    def start(self, room):
        """Starts a session."""
        self.post("/sessions", {"room_name": room})

    def act(self, room, action, params):
        """Performs an action, which must succeed."""
        body = {"action_type": action, "params": params}
        _, said = self.post(f"/sessions/{quote(room)}/actions", body)
        assert json.loads(said)["success"], said


class Mcp:
    """A session by MCP, on either transport."""

    VERSION = "2025-06-18"

    def greet(self):
        """Begins the conversation."""
        client = {"name": "doors", "version": "1"}
        hello = {"protocolVersion": self.VERSION, "capabilities": {}, "clientInfo": client}
        self.ask("initialize", hello)
        self.tell(method="notifications/initialized")

    def call(self, tool, **arguments):
        """Calls a tool, which must succeed."""
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        assert not answer["result"]["isError"], answer

    def start(self, room):
        """Starts a session."""
        self.call("start_browser_session", room_name=room)

    def act(self, room, action, params):
        """Performs an action, which must succeed."""
        self.call("execute_action", room_name=room, action_type=action, params=params)


class McpHttp(Mcp, Http):
    """By streamable HTTP."""

    def __init__(self, service):
        super().__init__(service)
        self.headers = {"accept": "application/json, text/event-stream"}
        self.greet()

    def tell(self, **message):
        """Sends one message; what the server says to it."""
        response, said = self.post("/mcp", {"jsonrpc": "2.0", **message}, **self.headers)
        if session := response.getheader("mcp-session-id"):
            self.headers |= {"mcp-session-id": session, "mcp-protocol-version": self.VERSION}
        return said

    def ask(self, method, params):
        """One request and its answer, the last event of the stream."""
        lines = self.tell(method=method, params=params, id=1).splitlines()
        events = (line.partition(":") for line in lines)
        return json.loads([data for name, _, data in events if name == "data" and data.strip()][-1])


class McpStdio(Mcp):
    """By standard input and output of a process that attaches to the service."""

    def __init__(self, binary, service):
        command = [binary, "mcp", "--listen", f"127.0.0.1:{service.port}"]
        self.process = subprocess.Popen(
            command, env=service.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.greet()

    def tell(self, **message):
        """Sends one message."""
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        """One request and its answer."""
        self.tell(method=method, params=params, id=1)
        while True:
            line = self.process.stdout.readline()
            assert line, f"ghostcast mcp ended: {self.process.wait()}"
            answer = json.loads(line)
            if answer.get("id") == 1:
                return answer

    def close(self):
        """Ends the conversation, and the process with it."""
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def measure(times, name, work):
    """Keeps how long some work takes."""
    began = time.perf_counter()
    work()
    times.setdefault(name, []).append(time.perf_counter() - began)


def main(binary, runs):
    """All doors in turn, round by round, so that the machine's moods meet them alike."""
    web = Web()
    with running_service(binary) as service:
        doors = {
            "rest": Rest(service),
            "mcp http": McpHttp(service),
            "mcp stdio": McpStdio(binary, service),
        }
        times = {name: {} for name in doors}
        for name, door in doors.items():
            measure(times[name], "start", lambda d=door, n=name: d.start(f"bench {n}"))
        for _ in range(runs):
            for name, door in doors.items():
                room = f"bench {name}"
                url = web.visit("/blank").url

                def act(label, action, params, door=door, room=room, name=name):
                    measure(times[name], label, lambda: door.act(room, action, params))

                act("navigate", "navigate", {"url": url})
                service.api.do(room, "navigate", url=PAGE)
                # What is clicked has been looked at, as an agent does.
                service.api.elements(room)
                seen = set()
                for action, params in STEPS * PASSES:
                    time.sleep(0.05)
                    act(action if action in seen else f"first {action}", action, params)
                    seen.add(action)
        for round_ in range(7):
            for name, door in doors.items():
                measure(times[name], "start", lambda d=door, r=f"{round_} {name}": d.start(r))
                service.api.close(f"{round_} {name}")
        for name in doors:
            service.api.close(f"bench {name}")
        for door in doors.values():
            door.close()
    web.close()
    report(times)


def report(times):
    """The tables."""
    print(f"\n{'action':<14}{'door':<11}{'n':>4}{'p50 ms':>9}{'p95 ms':>9}{'ratio':>8}{'bar':>7}")
    for action in sorted(times["rest"], key=lambda label: (label.startswith("first"), label)):
        published = action.removeprefix("first ")
        for name, by_action in times.items():
            values = sorted(by_action[action])
            p50 = statistics.median(values)
            p95 = values[min(len(values) - 1, int(len(values) * 0.95))]
            print(
                f"{action:<14}{name:<11}{len(values):>4}{p50 * 1e3:>9.1f}{p95 * 1e3:>9.1f}"
                f"{p50 / PUBLISHED[published]:>8.3f}{BARS[published]:>7}"
            )
    print("\nwhat MCP adds to REST, ms at the median")
    for name in ("mcp http", "mcp stdio"):
        added = [
            statistics.median(times[name][action]) - statistics.median(times["rest"][action])
            for action in ("click", "type", "scroll")
        ]
        print(f"{name:<11}" + "".join(f"{value * 1e3:>9.2f}" for value in added))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 30)
