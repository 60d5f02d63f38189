"""Plays every task with both hands and judges by the page's own reward."""

import contextlib
import fnmatch
from pathlib import Path

from common import playwright_hands
from common.report import Report, counts, has_program
from common.service import Service
from common.trial import Trial, play, verdict_of
from common.web import Web

from . import clicks, fields, mail, widgets  # noqa: F401  (register the solvers)
from .pages import OBSERVER, open_pages
from .task import SOLVERS

SEEDS = ("1", "2", "3")
COLUMNS = ("task", "seed", "reference", "service", "ms_reference", "ms", "why")


def options(parser):
    """What the command line takes beside what all judges take."""
    parser.add_argument("--only", action="append", metavar="TASK", help="a task; * is any text; repeatable")
    parser.add_argument("--seed", action="append", metavar="SEED", help=f"repeatable ({', '.join(SEEDS)})")
    parser.add_argument("--reference", action="store_true", help="play with Playwright alone, to try the solvers")


def run(given):
    """Plays, prints, and says whether the bar holds: all that the reference solves, none misled."""
    names = [n for n in sorted(SOLVERS) if not given.only or any(fnmatch.fnmatch(n, p) for p in given.only)]
    report = Report(given.json, COLUMNS)
    with (
        Web(open_pages(Path(given.cache)), OBSERVER) as web,
        playwright_hands.browser() as browser,
        contextlib.nullcontext() if given.reference else Service(has_program(given.ghostcast)) as service,
    ):
        for name in names:
            for seed in given.seed or SEEDS:
                report.add({**play(trial(name, seed), web, browser, service), "seed": seed})
    if given.reference:
        report.end(counts(report.rows, "reference"))
        return all(row["right"] for row in report.rows)
    holds, words = verdict_of(report.rows)
    report.end(f"{words}; {counts(report.rows, 'service')}")
    return holds


def trial(name, seed):
    """A task with a seed. An episode that has ended is settled, whatever its reward."""
    return Trial(
        name,
        f"miniwob/{name}.html",
        {"seed": seed},
        SOLVERS[name],
        is_done=lambda word: word["done"] and word["raw"] > 0,
        is_settled=lambda word: word["done"],
    )
