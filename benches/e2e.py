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

import numpy as np
from stream import figures, pages, publish, report, watch
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


# In their order, of the display; the screencast decodes where that converts.
STAGES = ["capture", "decode", "convert", "compose", "encode", "send"]


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
                if isinstance(publisher, publish.Service):
                    found.update({f"stage_{name}": ms for name, ms in publisher.stages().items()})
        found = {"system": system.name, "page": page, "start_s": first and first - began, **found}
        self.runs.append(found)
        print(f"{page}, {system.name}: {found['fps']:.1f} pictures/s", file=sys.stderr, flush=True)
        return found

    def crowd(self, ours, count):
        """Many sessions of one service; one is watched by the subscriber, the others by viewers that do not decode."""
        rooms = [new_room("bench") for _ in range(count)]
        with contextlib.ExitStack() as stack:
            service = stack.enter_context(contextlib.closing(ours.start(self.server)))
            viewer = stack.enter_context(PythonSubscriber(self.server, rooms[0]))
            for room in rooms:
                service.show(room, self.web.url(pages.PATHS["repainting"]))
            urls = [f"{service.api.base}/whep/{room}" for room in rooms[1:]]
            crowd = stack.enter_context(contextlib.closing(watch.Crowd(urls)))
            wait_for(lambda: len(crowd.counts()) == len(urls), FIRST_S, "all of the crowd have a picture")
            first_sight(viewer)
            time.sleep(self.given.settle)
            others = crowd.counts()
            found = looked(viewer, figures.Tree(service.pid), self.given.seconds)
            came = np.subtract(crowd.counts(), others) / self.given.seconds
        found = {"system": ours.name, "sessions": count, "fps_others": came.tolist(), **found}
        self.runs.append(found)
        return found


def first_sight(viewer):
    """When the first picture with a clock was decoded; None for one that never came, which is a result too."""
    deadline = time.monotonic() + FIRST_S
    while time.monotonic() < deadline:
        if found := figures.sights(viewer.frames()):
            return found[0].at
        time.sleep(0.05)
    return None


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


def stage_table(runs, names, page):
    """Where the milliseconds of ours go on one page: the stages in their order, and what they leave to the rest of the
    way, which is Chromium's before them, and the network's and the subscriber's after them."""
    ours = [run for run in runs if run.get("page") == page and run["system"] in names]
    stages = [stage for stage in STAGES if any(f"stage_{stage}" in run for run in ours)]
    rows = []
    for name in names:
        own = [run for run in ours if run["system"] == name]
        cells = [report.cell([run.get(f"stage_{stage}") for run in own], 2) for stage in stages]
        left = [run["p50"] and run["p50"] - sum(run.get(f"stage_{stage}", 0) for stage in stages) for run in own]
        rows.append([name, *cells, report.cell(left, 0)])
    return report.table(["", *stages, "of p50, the rest"], rows)


def cpu(run):
    """All that a system takes of a core."""
    return run["cpu_chromium"] + run["cpu_rest"]


def ratio(own, base, of):
    """What medians are to one another."""
    ours, theirs = (figures.median([of(run) for run in runs]) for runs in (own, base))
    return report.number(ours / theirs if ours is not None and theirs else None, 2)


def crowd_table(found):
    """Many at a time."""
    figures_of_one = [COLUMNS[0], ("the others", "fps_others", 1), *COLUMNS[1:-2]]
    cells = []
    for _, name, digits in figures_of_one:
        value = found[name]
        cells.append(report.cell(value if isinstance(value, list) else [value], digits))
    row = [f"{found['sessions']} of {found['system']}", *cells]
    return report.table(["", *(heading for heading, *_ in figures_of_one)], [row])


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
    parser.add_argument("--density", type=int, metavar="N", help="sessions at the same time at the end; 0 for none (8)")
    parser.add_argument("--seconds", type=float, help="how long each is looked at (10)")
    parser.add_argument("--settle", type=float, help="how long it runs before that (3)")
    parser.add_argument("--json", metavar="FILE", help="write every single run there")
    parser.add_argument("--note", help="what else the table shall say of the machine, as how Ghostcast was built")
    given = parser.parse_args()
    if not given.ghostcast or not given.livekit_server:
        parser.error("name both programs, or set GHOSTCAST_BIN and LIVEKIT_SERVER_BIN")
    usual = {"rounds": (5, 1), "fps": ([10, 30, 60], [30]), "seconds": (10, 3), "settle": (3, 1), "density": (8, 2)}
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
        print(f"\n{page}, the mean of each stage in ms, of ours:\n")
        print(stage_table(bench.runs, [system.name for system in ours], page))
    if crowded:
        print("\nmany at a time, all repainting; one is decoded, of the others pictures are counted:\n")
        print(crowd_table(crowded))


if __name__ == "__main__":
    main()
