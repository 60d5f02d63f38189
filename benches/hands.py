#!/usr/bin/env python3
"""Hands and eyes beside Playwright's on the same pages in the same run, by REST, with nobody watching.

    python benches/hands.py --ghostcast target/release/ghostcast [--rounds 5]

Needs what tests/judges/requirements.txt names. Each round takes every action by both, in turn; what is
printed is the median of all, the highest tenth, and the ratio of the medians. Ours are verified: each
answer says what was seen to come of the action.
"""

import argparse
import contextlib
import http.server
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/judges"))

from common import playwright_hands  # noqa: E402
from common.report import has_program  # noqa: E402
from common.service import Service  # noqa: E402

TIMES = 40
BARS = {"navigate": "bar: at most 132 ms", "click after a scroll": ""}
FORM = """<!doctype html><title>Form</title><body style="height:6000px">
<button id=b onclick="out.value = ++window.n">Press</button><input id=f aria-label=Field>
<output id=out>0</output><script>window.n = 0</script>"""
TWO = "<!doctype html><title>Two</title><h1>Two</h1><a href=form.html>Back</a>"


def nodes(count):
    """A page of about so many nodes, a tenth of them buttons in the rows of a table."""
    rows = "".join(
        f"<tr><td>{i}</td><td><b>Name {i}</b></td><td><button>Edit {i}</button></td></tr>" for i in range(count // 10)
    )
    return f"<!doctype html><title>{count}</title><table>{rows}</table>"


PAGES = {"form.html": FORM, "two.html": TWO, **{f"n{n}.html": nodes(n) for n in (5_000, 20_500, 50_000)}}


class Handler(http.server.BaseHTTPRequestHandler):
    """The pages."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 (the name that http.server calls)
        """One of them."""
        body = PAGES.get(self.path.strip("/"), "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing is said of requests."""


@contextlib.contextmanager
def serving():
    """A server of the pages; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def timed(work, into):
    """Notes how long it takes, ms."""
    start = time.perf_counter()
    answer = work()
    into.append((time.perf_counter() - start) * 1000)
    return answer


class Ours:
    """A session of the service."""

    def __init__(self, client, room):
        self.client, self.room = client, room

    def act(self, action, **params):
        """One action; its success is seen, or the bench ends."""
        body = {"action_type": action, "params": params}
        result = self.client.post(f"/sessions/{self.room}/actions", json=body).json()
        assert result["success"], result
        return result

    def look(self, **query):
        """The context."""
        return self.client.get(f"/sessions/{self.room}/context", params=query).json()

    def index_of(self, name):
        """The number of the element whose name begins so."""
        elements = self.look(elements="true")["elements"]
        return next(element["index"] for element in elements if (element["name"] or "").startswith(name))


def line(name, ours, theirs=None, bar=""):
    """One row of the table."""
    p50, p90 = statistics.median(ours), statistics.quantiles(ours, n=10)[-1] if len(ours) > 1 else ours[0]
    row = f"{name:34} {p50:8.1f} {p90:8.1f} ms"
    if theirs:
        other = statistics.median(theirs)
        row += f"   Playwright {other:8.1f} ms   ratio {p50 / other:.2f}"
    print(f"{row}   {bar}", flush=True)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ghostcast", metavar="PATH", help="the program to try")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    program = has_program(given.ghostcast)
    with serving() as url, playwright_hands.browser() as browser, Service(program) as service:
        room = "bench"
        service.client.post("/sessions", json={"room_name": room, "initial_url": f"{url}/form.html"}).raise_for_status()
        ours, page = Ours(service.client, room), browser.new_page(viewport={"width": 1280, "height": 720})
        took = {name: ([], []) for name in ("click", "type", "scroll", "click after a scroll", "navigate")}
        for _ in range(given.rounds):
            hands(ours, page, url, took)
        print(f"{'':34} {'median':>8} {'p90':>8}")
        for name, (mine, other) in took.items():
            line(name, mine, other, BARS.get(name, "bar: at most 20 ms, ratio at most 1.0"))
        for count, bar in ((5_000, 30), (20_500, 50), (50_000, 1500)):
            ours.act("navigate", url=f"{url}/n{count}.html")
            once, plain, listed = [], [], []
            answer = timed(lambda: ours.look(elements="true"), once)
            for _ in range(10):
                timed(ours.look, plain)
                timed(lambda: ours.look(elements="true"), listed)
            total = answer["total"]
            line(f"list, {count} nodes, {total} elements", listed, bar=f"bar: at most {bar} ms; the first took {once[0]:.0f} ms")
            line(f"context, {count} nodes", plain)


def hands(ours, page, url, took):
    """Every action by both, in turn."""
    for start in ("two.html", "form.html") * 5:
        timed(lambda: ours.act("navigate", url=f"{url}/{start}"), took["navigate"][0])
        timed(lambda: page.goto(f"{url}/{start}"), took["navigate"][1])
    button, field = ours.index_of("Press"), ours.index_of("Field")
    for turn in range(TIMES):
        timed(lambda: ours.act("click", index=button), took["click"][0])
        timed(lambda: page.click("#b"), took["click"][1])
    for turn in range(TIMES):
        text = f"word{turn % 10}"
        timed(lambda: ours.act("type", index=field, text=text, clear=True), took["type"][0])
        timed(lambda: page.fill("#f", text), took["type"][1])
    for turn in range(TIMES):
        down = "down" if turn % 2 == 0 else "up"
        timed(lambda: ours.act("scroll", direction=down, amount=300), took["scroll"][0])
        timed(lambda: wheel(page, 300 if down == "down" else -300), took["scroll"][1])
    for _ in range(TIMES):
        # The button has to be scrolled back to.
        ours.act("scroll", direction="down", amount=300)
        wheel(page, 300)
        timed(lambda: ours.act("click", index=button), took["click after a scroll"][0])
        timed(lambda: page.click("#b"), took["click after a scroll"][1])


def wheel(page, by):
    """Turns Playwright's wheel, and sees that the page has scrolled, which it does not wait for itself."""
    page.mouse.wheel(0, by)
    page.wait_for_function(f"Math.abs(scrollY - {max(by, 0)}) < 1")


if __name__ == "__main__":
    main()
