"""Sends random commands to live sessions and holds every success against the page's own events."""

import collections
import random
import time
import uuid
from pathlib import Path

from common.endings import Crash, Ending
from common.report import Report, has_program
from common.rest_hands import RestHands
from common.service import Service
from common.web import Web
from real.pages import HERE, open_pages

from .commands import choose
from .observer import OBSERVER
from .oracle import claim, values_held

COLUMNS = ("command", "kind", "action", "page", "why")
LOST = ("internal", "browser_lost", "renderer_crashed")
LOG_LINES = 6
COUNT = 20_000
SECONDS = 3600
PER_SESSION = 400
HEARD_S = 5
SLOW_MS = 20_000
FILES_MORE = 12
MEMORY_MORE_KB = 96 * 1024
REST_S = 3


def options(parser):
    """What the command line takes beside what all judges take."""
    parser.add_argument("--count", type=int, default=COUNT, metavar="N", help=f"commands ({COUNT})")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help=f"at most so long ({SECONDS})")
    parser.add_argument("--seed", type=int, default=1, help="of the commands (1)")


def run(given):
    """Sends, prints what does not hold, and says whether the bar holds."""
    report = Report(given.json, COLUMNS)
    with Web(open_pages(Path(given.cache)), OBSERVER) as web, Service(has_program(given.ghostcast)) as service:
        soak = Soak(web, service, report, random.Random(given.seed))
        end = time.monotonic() + given.seconds
        soak.session(40)
        before = rested(service)
        while soak.sent < given.count and time.monotonic() < end and service.is_running():
            soak.session(min(PER_SESSION, given.count - soak.sent), end)
        after = rested(service)
        soak.hold_usage(before, after)
        for line in service.panics():
            soak.fault("panic", "-", line)
    words = ", ".join(f"{name} {count}" for name, count in soak.outcomes.most_common())
    report.end(f"{soak.sent} commands in {soak.sessions} sessions, {soak.held} successes held against the page; "
               f"faults {len(report.rows)}; {words}; before {before}; after {after}")  # fmt: skip
    return not report.rows and soak.held > 0 and soak.sent >= given.count


def rested(service):
    """What is held when no session is left."""
    time.sleep(REST_S)
    return service.usage()


class Soak:
    """The sessions of a soak, one after the other, and what did not hold."""

    def __init__(self, web, service, report, dice):
        self.web, self.service, self.report, self.dice = web, service, report, dice
        self.pages = sorted(file.stem for file in (HERE / "pages").glob("*.js") if file.stem != "truth")
        self.sent = self.held = self.sessions = 0
        self.outcomes = collections.Counter()
        self.page = "-"
        self.stated = []

    def fault(self, kind, action, why):
        """Something that must not be."""
        self.report.add({"command": self.sent, "kind": kind, "action": action, "page": self.page, "why": why,
                         "right": False})  # fmt: skip

    def session(self, count, end=None):
        """One session with so many commands."""
        run = uuid.uuid4().hex
        hands = RestHands(self.service.client, f"soak-{run[:8]}")
        self.sessions += 1
        self.stated = []
        self.page = self.dice.choice(self.pages)
        try:
            hands.open(self.web.url(f"{self.page}.html", run))
            listed = hands.elements()
            for _ in range(count):
                if end and time.monotonic() > end:
                    break
                listed = self.step(hands, run, listed)
            state = hands.json("GET", f"/sessions/{hands.room}")["state"]
            if state != "live":
                self.fault("dead session", "-", f"the session is {state}")
        except Ending as problem:
            log = " | ".join(self.service.log().splitlines()[-LOG_LINES:])
            self.fault("crash", "-", f"{problem}; log: {log}")
        finally:
            try:
                hands.close()
            except Crash as problem:
                self.fault("crash", "close", str(problem))
            self.web.forget(run)

    def step(self, hands, run, listed):
        """One command; what is listed after it."""
        command = choose(self.dice, listed, self.pages)
        self.sent += 1
        if command.action == "list":
            return hands.elements()
        if command.action == "page":
            self.page = command.params["page"]
            command.action, command.params = "navigate", {"url": self.web.url(f"{self.page}.html", run)}
        # A page says what it has when that becomes something else: its last word before counts on.
        self.stated = [word for word in self.web.words(run) if "events" not in word][-1:] or self.stated
        self.web.forget(run)
        result = hands.attempt(command.action, **command.params)
        outcome = "success" if result["success"] else result["error_kind"]
        self.outcomes[f"{command.action} {outcome}"] += 1
        if result["error_kind"] in LOST:
            raise Crash(f"{command.action} {command.params}: {result['error_kind']}: {result['error']}")
        if result["duration_ms"] > SLOW_MS:
            self.fault("slow", command.action, f"{command.params}: {result['duration_ms']} ms")
        if result["success"] and command.is_nonsense:
            self.fault("misled", command.action, f"{command.params} cannot succeed: {result['data']}")
        elif result["success"]:
            self.hold(command, result, run)
        if (result["data"] or {}).get("dialog"):
            hands.attempt("handle_dialog", accept=True)
        gone = command.action in ("navigate", "go_back", "go_forward", "refresh")
        return hands.elements() if gone or result["error_kind"] == "stale_element" else listed

    def hold(self, command, result, run):
        """Holds a success against what the page has seen since."""
        fact = claim(command, result)
        if fact is None or (result["data"] or {}).get("navigated"):
            return
        self.held += 1
        end = time.monotonic() + HEARD_S
        while True:
            # The page of the package tells its state under the same run.
            words = self.web.words(run)
            events = [event for word in words for event in word.get("events", ())]
            if fact(events, values_held([*self.stated, *words])):
                return
            if time.monotonic() > end:
                seen = [event for event in events if event["type"] not in ("alive", "pointermove")][-3:]
                self.fault(
                    "misled", command.action, f"{command.params} {command.name!r}: {result['data']}; seen {seen}"
                )
                return
            time.sleep(0.01)

    def hold_usage(self, before, after):
        """Nothing is left of closed sessions."""
        if after.processes > before.processes:
            self.fault("leak", "-", f"processes {before.processes} to {after.processes}")
        if after.files > before.files + FILES_MORE:
            self.fault("leak", "-", f"open files {before.files} to {after.files}")
        if after.service_kb > before.service_kb + MEMORY_MORE_KB:
            self.fault("leak", "-", f"memory {before.service_kb} to {after.service_kb} kB")
