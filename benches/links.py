#!/usr/bin/env python3
"""What viewers get over links that are narrow, lossy, slow or changing: ours beside the official SDK's.

    benches/links.py [--ghostcast BINARY] [--livekit-server BINARY] [--short]

The programs come by GHOSTCAST_BIN and LIVEKIT_SERVER_BIN where they are not named. Run it with the Python
environment of the live tests, and with nothing else running. It needs no root: links are relays in user space,
the same for all systems. benches/README.md says what is measured and how.
"""

import argparse
import contextlib
import dataclasses
import os
import sys
import time

import numpy as np
from stream import figures, pages, publish, report, truth, watch
from stream.link import FREE, Shape
from support.api import new_room
from support.cdp import Chromium

FIRST_S = 15
FPS = 30
KBIT, MBIT = 1_000, 1_000_000


@dataclasses.dataclass(frozen=True)
class Case:
    """A link of the publisher, or one of each viewer; by WHEP the viewer's is the only one."""

    publisher: Shape = FREE
    viewers: tuple = (FREE,)
    is_of_viewers: bool = False


def rate(*rates, **more):
    """A link of one rate, or of several from so many seconds on."""
    timetable = tuple(rates) if isinstance(rates[0], tuple) else ((0, rates[0]),)
    return Shape(rates=timetable, **{"delay_s": 0.01, **more})


def publishing(shape):
    """A link between publisher and server."""
    return Case(publisher=shape)


def viewing(*shapes):
    """Links between server and viewers."""
    return Case(viewers=shapes, is_of_viewers=True)


CASES = {
    "clean, 10 ms": publishing(Shape(delay_s=0.005)),
    "2 % loss, 50 ms": publishing(Shape(delay_s=0.025, loss=0.02)),
    "10 % loss, 100 ms": publishing(Shape(delay_s=0.05, loss=0.1)),
    "1 Mb/s": publishing(rate(MBIT)),
    "1 Mb/s, 5 % loss, 100 ms": publishing(rate(MBIT, loss=0.05, delay_s=0.05)),
    "300 kb/s": publishing(rate(300 * KBIT)),
    "50 ms, jitter 30 ms": publishing(Shape(delay_s=0.05, jitter_s=0.03)),
    "bursts of loss, 50 ms": publishing(Shape(delay_s=0.025, burst=(0.01, 0.25))),
    "5 Mb/s, 400 kb/s, 5 Mb/s": publishing(rate((0, 5 * MBIT), (0.25, 400 * KBIT), (0.6, 5 * MBIT))),
    "1 Mb/s, queue of 500 ms": publishing(rate(MBIT, queue_s=0.5)),
    "two viewers, 10 and 20 ms": viewing(Shape(delay_s=0.005), Shape(delay_s=0.01)),
    "a viewer behind 600 kb/s, one that is not": viewing(rate(600 * KBIT), FREE),
    "three viewers: free, 1 Mb/s and 2 %, 600 kb/s": viewing(FREE, rate(MBIT, loss=0.02), rate(600 * KBIT)),
}
SHORT = ["clean, 10 ms", "1 Mb/s"]
REFERENCES = {reference.name: reference for reference in (publish.LAYERED, publish.PLAIN)}
USUAL = ["Ghostcast, LiveKit", "Ghostcast, WHEP", publish.LAYERED.name]
SYSTEMS = [*USUAL, publish.PLAIN.name]
COLUMNS = [
    ("new pictures/s", "fps", 1),
    ("frozen, s", "frozen_s", 1),
    ("worst gap, ms", "gap_ms", 0),
    ("p50 ms", "p50", 0),
    ("p95 ms", "p95", 0),
    ("SSIM at rest", "ssim", 3),
    ("kb/s sent", "kbits_per_s", 0),
    ("first picture, s", "first_s", 1),
]


class Bench:
    """What all runs share: a server behind a relay, the pages, a browser that watches by WHEP, and the truth."""

    def __init__(self, given, stack):
        self.given = given
        self.web = stack.enter_context(contextlib.closing(pages.Pages()))
        self.chromium = stack.enter_context(contextlib.closing(Chromium()))
        self.server = watch.RelayedServer(given.livekit_server)
        stack.callback(self.server.stop)
        self.server.start()
        self.truth = truth.luma_of(self.chromium, self.web.url("/rested.html"))
        self.runs = []

    def run(self, name, system, case):
        """One system over one case; the figures of each viewer."""
        case = with_timetable(case, self.given.seconds)
        self.web.move()
        way = self.by_whep if system == "Ghostcast, WHEP" else self.by_livekit
        for number, found in enumerate(way(system, case), 1):
            who = f"{name}, viewer {number}" if len(case.viewers) > 1 else name
            found = {"link": who, "system": system, **found}
            self.runs.append(found)
            line = f"{who}, {system}: {found['fps']:.1f} pictures/s, {found['frozen_s']:.1f} s frozen"
            print(line, file=sys.stderr, flush=True)

    def by_livekit(self, system, case):
        """Ours or the SDK's, in a room of the server."""
        side, room = watch.LiveKitSide(self.server), new_room("bench")
        ours = publish.Ours(self.given.ghostcast, FPS, self.given.capture)
        maker = {"Ghostcast, LiveKit": ours}.get(system) or REFERENCES[system]
        with contextlib.ExitStack() as stack:
            viewers = [stack.enter_context(side.watching(room, shape)) for shape in case.viewers]
            publisher = stack.enter_context(contextlib.closing(maker.start(self.server)))
            began = time.time()
            publisher.show(room, self.web.url("/reading.html"))
            link = side.publishes(publisher, case.publisher)
            links = [own for _, own in viewers] if case.is_of_viewers else [link] * len(viewers)
            way = "down" if case.is_of_viewers else "up"
            return self.look([viewer for viewer, _ in viewers], links, way, began)

    def by_whep(self, _system, case):
        """Ours, without a server between."""
        shapes = case.viewers if case.is_of_viewers else (case.publisher,)
        with contextlib.ExitStack() as stack:
            ours = publish.Ours(self.given.ghostcast, FPS, self.given.capture)
            service = stack.enter_context(contextlib.closing(publish.Service(ours)))
            side, room = watch.WhepSide(self.chromium, self.web, service.api), new_room("bench")
            service.show(room, self.web.url("/reading.html"))
            began = time.time()
            viewers = [stack.enter_context(side.watching(room, shape)) for shape in shapes]
            return self.look([viewer for viewer, _ in viewers], [link for _, link in viewers], "down", began)

    def look(self, viewers, links, way, began):
        """The moving page for a while, then the page at rest; the figures of each viewer."""
        deadline = time.time() + FIRST_S
        while time.time() < deadline and not all(figures.sights(viewer.frames()) for viewer in viewers):
            time.sleep(0.1)
        time.sleep(self.given.settle)
        for link in links:
            link.begin()
        start, before = time.time(), [link.lanes[way].bytes for link in links]
        time.sleep(self.given.seconds)
        end, after = time.time(), [link.lanes[way].bytes for link in links]
        frames = [viewer.frames() for viewer in viewers]
        self.web.rest()
        time.sleep(self.given.rest)
        pictures = [viewer.picture() for viewer in viewers]
        found = []
        for seen, picture, sent in zip(frames, pictures, np.subtract(after, before), strict=True):
            first = figures.sights(seen)
            figures_of_one = figures.of_stream(seen, start, end)
            figures_of_one["ssim"] = truth.likeness(picture, self.truth)
            figures_of_one["kbits_per_s"] = int(sent) * 8 / 1000 / (end - start)
            figures_of_one["first_s"] = first[0].at - began if first else None
            found.append(figures_of_one)
        return found


def with_timetable(case, seconds):
    """The case with rates from so many seconds on; they are given as shares of what is looked at."""

    def spread(shape):
        return dataclasses.replace(shape, rates=tuple((share * seconds, bps) for share, bps in shape.rates))

    return dataclasses.replace(case, publisher=spread(case.publisher), viewers=tuple(map(spread, case.viewers)))


def links_table(runs):
    """All links, each with all systems."""
    rows = []
    for link in dict.fromkeys(run["link"] for run in runs):
        for system in SYSTEMS:
            own = [run for run in runs if run["link"] == link and run["system"] == system]
            if own:
                cells = [report.cell([run[figure] for run in own], digits) for _, figure, digits in COLUMNS]
                rows.append([link, system, *cells])
    return report.table(["link", "", *(heading for heading, *_ in COLUMNS)], rows)


def plain(names):
    """Names in a help text, where a percent sign would stand for something."""
    return "; ".join(names).replace("%", "%%")


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ghostcast", metavar="BINARY", default=os.environ.get("GHOSTCAST_BIN"))
    parser.add_argument("--livekit-server", metavar="BINARY", default=os.environ.get("LIVEKIT_SERVER_BIN"))
    parser.add_argument("--short", action="store_true", help="about a minute: two links, once")
    parser.add_argument("--rounds", type=int, help="how often each is run, in turn (3)")
    parser.add_argument("--links", nargs="*", choices=CASES, metavar="LINK", help=f"of these: {plain(CASES)}")
    many = {"nargs": "*", "choices": SYSTEMS, "default": USUAL, "metavar": "SYSTEM"}
    parser.add_argument("--systems", **many, help=f"of these, the last not by default: {plain(SYSTEMS)}")
    parser.add_argument("--capture", help="the way of capture of our sessions (the service's own choice)")
    parser.add_argument("--seconds", type=float, help="how long each is looked at while it moves (20)")
    parser.add_argument("--settle", type=float, help="how long it runs before that (5)")
    parser.add_argument("--rest", type=float, default=3, help="how long after that the page at rest is judged (3)")
    parser.add_argument("--json", metavar="FILE", help="write every single run there")
    parser.add_argument("--note", help="what else the table shall say of the machine, as how Ghostcast was built")
    given = parser.parse_args()
    if not given.ghostcast or not given.livekit_server:
        parser.error("name both programs, or set GHOSTCAST_BIN and LIVEKIT_SERVER_BIN")
    usual = {"rounds": (3, 1), "links": (list(CASES), SHORT), "seconds": (20, 4), "settle": (5, 1)}
    for name, values in usual.items():
        if getattr(given, name) is None:
            setattr(given, name, values[given.short])
    return given


def main():
    """All systems in turn over each link, round by round, so that the machine's moods meet them alike."""
    given = arguments()
    about = report.machine(given.ghostcast, given.livekit_server, given.note)
    with contextlib.ExitStack() as stack:
        bench = Bench(given, stack)
        for name in given.links:
            for _ in range(given.rounds):
                for system in given.systems:
                    bench.run(name, system, CASES[name])
    report.keep(given.json, bench.runs, about)
    print(f"{about}. Medians of {given.rounds}, {given.seconds:g} s each, {FPS} fps.\n\n{links_table(bench.runs)}")


if __name__ == "__main__":
    main()
