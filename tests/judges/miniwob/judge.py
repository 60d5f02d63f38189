"""Plays every task with both hands and judges by the page's own reward."""

import argparse
import contextlib
import fnmatch
import time
import uuid
from pathlib import Path

from common import playwright_hands
from common.endings import Crash, Ending
from common.report import Report, counts, has_program
from common.rest_hands import RestHands
from common.service import Service
from common.web import Web

from . import clicks, fields, mail, widgets  # noqa: F401  (register the solvers)
from .pages import OBSERVER, open_pages
from .task import SOLVERS

SEEDS = ("1", "2", "3")
STARTED_S = 20
DONE_S = 3
DEFECTS = (KeyError, IndexError, TypeError, ValueError, AttributeError, StopIteration)


def options(parser):
    """What the command line takes beside what all judges take."""
    parser.add_argument("--only", action="append", metavar="TASK", help="a task; * is any text; repeatable")
    parser.add_argument("--reference", action="store_true", help="play with Playwright alone, to try the solvers")
    parser.add_argument("--seed", action="append", metavar="SEED", help=f"repeatable ({', '.join(SEEDS)})")


def run(given: argparse.Namespace):
    """Plays, prints, and says whether the bar holds: all that the reference solves, none misled."""
    names = [n for n in sorted(SOLVERS) if not given.only or any(fnmatch.fnmatch(n, p) for p in given.only)]
    report = Report(given.json, ("task", "seed", "reference", "service", "ms", "ms_reference", "why"))
    with (
        Web(open_pages(Path(given.cache)), OBSERVER) as web,
        playwright_hands.browser() as browser,
        contextlib.nullcontext() if given.reference else Service(has_program(given.ghostcast)) as service,
    ):
        for name in names:
            for seed in given.seed or SEEDS:
                report.add(play(name, seed, web, browser, service))
    rows = report.rows
    if given.reference:
        report.end(counts(rows, "reference"))
        return all(row["reference"] == "solved" for row in rows)
    solvable = [row for row in rows if row["reference"] == "solved"]
    solved = [row for row in solvable if row["service"] == "solved"]
    misled = [row for row in rows if row["service"] == "misled"]
    tasks = len({row["task"] for row in solvable})
    report.end(
        f"{len(solved)} of the {len(solvable)} that Playwright solves are solved ({tasks} tasks, {len(rows)} played); "
        f"misled {len(misled)}; {counts(rows, 'service')}"
    )
    return bool(solvable) and len(solved) == len(solvable) and not misled


def play(name, seed, web, browser, service):
    """One task with one seed, by both hands; its row of the table."""
    reference, reference_ms, reference_why = attempt(name, seed, web, playwright_hands.PlaywrightHands(browser))
    row = {"task": name, "seed": seed, "reference": reference, "ms_reference": reference_ms}
    if service is None:
        return {**row, "right": reference == "solved", "why": reference_why}
    if not service.is_running():
        service.start()
    verdict, ms, why = attempt(name, seed, web, RestHands(service.client, f"miniwob-{uuid.uuid4().hex[:8]}"))
    if verdict == "unrewarded":
        # Every step was said to be done. Where the reference has not got there either, the steps are wrong.
        verdict = "misled" if reference == "solved" else "unsolved"
    return {
        **row,
        "service": verdict,
        "ms": ms,
        "why": why or (f"reference: {reference_why}" if reference != "solved" else ""),
        "right": verdict == "solved" or (reference != "solved" and verdict not in ("crash",)),
    }


def attempt(name, seed, web, hands):
    """One try: verdict, milliseconds of the steps, and why it went no further."""
    run = uuid.uuid4().hex
    ending, began = None, time.monotonic()
    try:
        hands.open(web.url(f"miniwob/{name}.html", run, seed=seed))
        if not web.wait(run, lambda word: word.get("started"), STARTED_S):
            raise Crash("the page did not start its episode")
        began = time.monotonic()
        SOLVERS[name](hands)
    except Ending as problem:
        ending = problem
    except DEFECTS as problem:
        ending = problem
    ms = round((time.monotonic() - began) * 1000)
    web.wait(run, lambda word: word.get("done"), DONE_S if ending is None else 0.3)
    word = web.truth(run)
    try:
        hands.close()
    except Ending as problem:
        ending = ending or problem
    web.forget(run)
    if word.get("done") and word["raw"] > 0 and not isinstance(ending, Crash):
        return "solved", ms, ""
    told = f"the page says {word}; steps {[step['action'] for step in hands.steps]}"
    if ending is None:
        return "unrewarded", ms, told
    return type(ending).__name__.lower(), ms, str(ending)
