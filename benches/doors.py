"""How long actions take through MCP and REST, on a settled page that nobody watches.

    benches/doors.py GHOSTCAST_BINARY [RUNS]

Prints the median and the 95th percentile of each action by each door, as a caller sees it, beside the
figures of the project that Ghostcast succeeds, and what MCP adds to the same action by REST. Run it with
the Python environment of the live tests, and with nothing else running.

Deliberately absent: viewers (the cursor's glide would be measured), LiveKit, and pages of others.
"""

import statistics
import sys
import time
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/live"))

from support.mcp import McpClient, http_server, stdio_server  # noqa: E402
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


class Rest:
    """A session by REST."""

    def __init__(self, service):
        self.api = service.api

    def start(self, room):
        """Starts a session."""
        self.api.create(room)

    def act(self, room, action, params):
        """Performs an action, which must succeed."""
        assert self.api.act(room, action, **params)["success"]

    def close(self):
        """Nothing to let go of."""


class Mcp:
    """A session by MCP, on either transport."""

    def __init__(self, server):
        self.client = McpClient(server, "legacy")
        self.client.tools()

    def start(self, room):
        """Starts a session."""
        self.client.do("start_browser_session", room_name=room)

    def act(self, room, action, params):
        """Performs an action, which must succeed."""
        self.client.act(room, action, **params)

    def close(self):
        """Hangs up."""
        self.client.close()


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
            "mcp http": Mcp(http_server(service)),
            "mcp stdio": Mcp(stdio_server(binary, service)),
        }
        times = {name: {} for name in doors}
        for name, door in doors.items():
            measure(times[name], "start", lambda d=door, n=name: d.start(f"bench {n}"))
        for _ in range(runs):
            for name, door in doors.items():
                room = f"bench {name}"
                url = web.visit("/blank").url

                def act(action, params, door=door, room=room, name=name):
                    measure(times[name], action, lambda: door.act(room, action, params))

                act("navigate", {"url": url})
                service.api.do(room, "navigate", url=PAGE)
                # What is clicked has been looked at, as an agent does.
                service.api.elements(room)
                for action, params in STEPS:
                    time.sleep(0.05)
                    act(action, params)
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
    print(f"\n{'action':<10}{'door':<11}{'n':>4}{'p50 ms':>9}{'p95 ms':>9}{'ratio':>8}{'bar':>7}")
    for action, published in PUBLISHED.items():
        for name, by_action in times.items():
            values = sorted(by_action[action])
            p50 = statistics.median(values)
            p95 = values[min(len(values) - 1, int(len(values) * 0.95))]
            print(
                f"{action:<10}{name:<11}{len(values):>4}{p50 * 1e3:>9.1f}{p95 * 1e3:>9.1f}"
                f"{p50 / published:>8.3f}{BARS[action]:>7}"
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
