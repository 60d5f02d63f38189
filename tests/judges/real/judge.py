"""Plays every task on the real pages with both hands and judges by the page's own state."""

import contextlib
import fnmatch
from pathlib import Path

from common import playwright_hands
from common.report import Report, counts, has_program
from common.service import Service
from common.trial import play, verdict_of
from common.web import Web

from . import choosing, drawing, writing  # noqa: F401  (register the tasks)
from .pages import open_pages
from .task import TASKS

COLUMNS = ("task", "reference", "service", "ms_reference", "ms", "why")
LEAST = 60


def options(parser):
    """What the command line takes beside what all judges take."""
    parser.add_argument("--only", action="append", metavar="TASK", help="a page or task; * is any text; repeatable")
    parser.add_argument("--reference", action="store_true", help="play with Playwright alone, to try the tasks")


def run(given):
    """Plays, prints, and says whether the bar holds: all that the reference solves, none misled."""
    chosen = [t for t in TASKS if not given.only or any(is_meant(t.name, pattern) for pattern in given.only)]
    report = Report(given.json, COLUMNS)
    with (
        Web(open_pages(Path(given.cache)), "") as web,
        playwright_hands.browser() as browser,
        contextlib.nullcontext() if given.reference else Service(has_program(given.ghostcast)) as service,
    ):
        for trial in chosen:
            report.add(play(trial, web, browser, service))
    solvable = sum(row["reference"] == "solved" for row in report.rows)
    enough = bool(given.only) or solvable >= LEAST
    if given.reference:
        report.end(counts(report.rows, "reference"))
        return enough and solvable == len(report.rows)
    holds, words = verdict_of(report.rows)
    report.end(f"{words}; {counts(report.rows, 'service')}")
    return holds and enough


def is_meant(name, pattern):
    """Whether a pattern means a task, by its page or by its whole name."""
    return fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(name.split(":")[0], pattern)
