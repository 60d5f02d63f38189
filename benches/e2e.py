#!/usr/bin/env python3
"""From the page's paint to the subscriber's pixels: how many pictures, how old, and at what cost, beside references.

    benches/e2e.py [--ghostcast BINARY] [--livekit-server BINARY] [--short]

The programs come by GHOSTCAST_BIN and LIVEKIT_SERVER_BIN where they are not named. Run it with the Python
environment of the live tests, and with nothing else running; benches/README.md says what is measured and how.
"""

import argparse
import contextlib
import os
import sys
import time

from stream import figures, pages, publish, report
from support.api import new_room
from support.livekit_server import LiveKitServer
from support.subscriber import PythonSubscriber
from support.wait import wait_for

FIRST_S = 30
COLUMNS = [
    # Heading, figure, digits.
    ("new pictures/s", "fps", 1),
    ("p50 ms", "p50", 0),
    ("p95 ms", "p95", 0),
    ("p99 ms", "p99", 0),
    ("CPU of Chromium, %", "cpu_chromium", 0),
    ("of the rest, %", "cpu_rest", 0),
    ("PSS, MB", "pss_mb", 0),
    ("kB/s", "kbytes_per_s", 0),
    ("start, s", "start_s", 2),
]


class Bench:
    """What all runs share: a LiveKit server, the pages, and how long it is looked."""

    def __init__(self, given):
        self.given = given
        self.web = pages.Pages()
        self.server = LiveKitServer(given.livekit_server).start()
        self.runs = []

    def close(self):
        """Ends what it started."""
        self.server.stop()
        self.web.close()

    def run(self, system, page):
        """One system shows one page to one subscriber; its figures."""
        room = new_room("bench")
        with PythonSubscriber(self.server, room) as viewer:
            began = time.time()
            with contextlib.closing(system.start(self.server)) as publisher:
                publisher.show(room, self.web.url(pages.PATHS[page]))
                first = first_sight(viewer)
                time.sleep(self.given.settle)
                found = looked(viewer, figures.Tree(publisher.pid), self.given.seconds)
        found = {"system": system.name, "page": page, "start_s": first - began, **found}
        self.runs.append(found)
        print(f"{page}, {system.name}: {found['fps']:.1f} pictures/s", file=sys.stderr, flush=True)
        return found

    def crowd(self, ours, count):
        """Many sessions of one service, each watched by a subscriber of its own; the figures of each."""
        rooms = [new_room("bench") for _ in range(count)]
        with contextlib.ExitStack() as stack:
            service = stack.enter_context(contextlib.closing(ours.start(self.server)))
            viewers = []
            for room in rooms:
                viewers.append(stack.enter_context(PythonSubscriber(self.server, room)))
                service.show(room, self.web.url(pages.PATHS["repainting"]))
            for viewer in viewers:
                first_sight(viewer)
            time.sleep(self.given.settle)
            tree = figures.Tree(service.pid)
            start, before = time.time(), tree.cpu_s()
            time.sleep(self.given.seconds)
            end, after = time.time(), tree.cpu_s()
            each = [figures.of_stream(viewer.frames(), start, end) for viewer in viewers]
            chromium, rest = figures.cpu_percent(before, after, end - start)
            found = {
                "system": ours.name,
                "sessions": count,
                "fps_each": [one["fps"] for one in each],
                "p50_each": [one["p50"] for one in each],
                "cpu_chromium": chromium,
                "cpu_rest": rest,
                "pss_mb_each": tree.pss_mb() / count,
            }
        self.runs.append(found)
        return found


def first_sight(viewer):
    """When the first picture with a clock was decoded."""
    return wait_for(lambda: figures.sights(viewer.frames()), FIRST_S, "a first picture that shows the clock")[0].at


def looked(viewer, tree, seconds):
    """What comes within so many seconds, and what it costs."""
    start, before, bytes_before = time.time(), tree.cpu_s(), received(viewer)
    time.sleep(seconds)
    end, after, bytes_after = time.time(), tree.cpu_s(), received(viewer)
    chromium, rest = figures.cpu_percent(before, after, end - start)
    return {
        **figures.of_stream(viewer.frames(), start, end),
        "cpu_chromium": chromium,
        "cpu_rest": rest,
        "pss_mb": tree.pss_mb(),
        "kbytes_per_s": (bytes_after - bytes_before) / (end - start) / 1000,
    }


def received(viewer):
    """The bytes that the subscriber counts so far."""
    counts = viewer.said("received")
    return counts[-1]["bytes"] if counts else 0


def systems(given):
    """What is measured in turn, and a sentence about each that is left out."""
    captures = given.capture or [None]
    ours = [publish.Ours(given.ghostcast, fps, capture) for capture in captures for fps in given.fps]
    references = [publish.SCREENSHOTS]
    if not given.short:
        references += [publish.SCREENCAST, publish.GRAB]
    able = [reference for reference in references if not reference.lacks()]
    left = [f"{r.name} is left out: this machine lacks {', '.join(r.lacks())}" for r in references if r.lacks()]
    return ours, [*ours, *able], left


def page_table(runs, names, page):
    """The systems on one page; the ratio is to the screenshots."""
    base = [run for run in runs if run.get("page") == page and run["system"] == publish.SCREENSHOTS.name]
    rows = []
    for name in names:
        own = [run for run in runs if run.get("page") == page and run["system"] == name]
        cells = [report.cell([run[figure] for run in own], digits) for _, figure, digits in COLUMNS]
        rows.append([name, *cells, ratio(own, base, cpu), ratio(own, base, lambda run: run["p50"])])
    return report.table(["", *(heading for heading, *_ in COLUMNS), "CPU / (a)", "p50 / (a)"], rows)


def cpu(run):
    """All that a system takes of a core."""
    return run["cpu_chromium"] + run["cpu_rest"]


def ratio(own, base, of):
    """What medians are to one another."""
    ours, theirs = (figures.median([of(run) for run in runs]) for runs in (own, base))
    return report.number(ours / theirs if ours is not None and theirs else None, 2)


def crowd_table(found):
    """Many at a time."""
    heads = ["sessions", "new pictures/s each", "p50 ms", "CPU of Chromium, %", "of the rest, %", "PSS each, MB"]
    row = [
        f"{found['sessions']} of {found['system']}",
        report.cell(found["fps_each"], 1),
        report.cell(found["p50_each"], 0),
        *(report.number(found[name], 0) for name in ("cpu_chromium", "cpu_rest", "pss_mb_each")),
    ]
    return report.table(heads, [row])


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ghostcast", metavar="BINARY", default=os.environ.get("GHOSTCAST_BIN"))
    parser.add_argument("--livekit-server", metavar="BINARY", default=os.environ.get("LIVEKIT_SERVER_BIN"))
    parser.add_argument("--short", action="store_true", help="about 30 seconds: two pages, one of ours beside (a)")
    parser.add_argument("--rounds", type=int, help="how often each is run, in turn (5)")
    parser.add_argument("--pages", nargs="*", choices=pages.PATHS, help="all of them")
    parser.add_argument("--fps", nargs="*", type=int, help="the rates of our sessions (10 30 60)")
    parser.add_argument("--capture", nargs="*", help="the ways of capture of our sessions (the service's own choice)")
    parser.add_argument("--density", type=int, metavar="N", help="sessions at the same time at the end; 0 for none (4)")
    parser.add_argument("--seconds", type=float, help="how long each is looked at (10)")
    parser.add_argument("--settle", type=float, help="how long it runs before that (3)")
    parser.add_argument("--json", metavar="FILE", help="write every single run there")
    parser.add_argument("--note", help="what else the table shall say of the machine, as how Ghostcast was built")
    given = parser.parse_args()
    if not given.ghostcast or not given.livekit_server:
        parser.error("name both programs, or set GHOSTCAST_BIN and LIVEKIT_SERVER_BIN")
    usual = {"rounds": (5, 1), "fps": ([10, 30, 60], [30]), "seconds": (10, 3), "settle": (3, 1), "density": (4, 2)}
    usual["pages"] = (list(pages.PATHS), ["repainting", "still"])
    for name, values in usual.items():
        if getattr(given, name) is None:
            setattr(given, name, values[given.short])
    return given


def main():
    """All systems in turn, round by round, so that the machine's moods meet them alike."""
    given = arguments()
    ours, every, left = systems(given)
    about = report.machine(given.ghostcast, given.livekit_server, given.note)
    with contextlib.closing(Bench(given)) as bench:
        for page in given.pages:
            for _ in range(given.rounds):
                for system in every:
                    bench.run(system, page)
        crowded = bench.crowd(ours[len(given.fps) // 2], given.density) if given.density else None
    report.keep(given.json, bench.runs, about)
    print(f"{about}. Medians of {given.rounds}, {given.seconds:g} s each; 100 % is one core.")
    for sentence in left:
        print(f"\n{sentence}.")
    for page in given.pages:
        print(f"\n{page}:\n\n{page_table(bench.runs, [system.name for system in every], page)}")
    if crowded:
        print("\nmany at a time, each repainting and watched by a subscriber that decodes here:\n")
        print(crowd_table(crowded))


if __name__ == "__main__":
    main()
