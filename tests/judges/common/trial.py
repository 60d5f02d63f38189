"""One task by both hands: the reference first, then the service, judged by the page alone."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from .endings import Crash, Ending
from .playwright_hands import PlaywrightHands
from .rest_hands import RestHands

STARTED_S = 20
DONE_S = 3
GIVEN_UP_S = 0.3
# Steps that meet an answer that is not as documented, or a page that is not as they expect.
DEFECTS = (KeyError, IndexError, TypeError, ValueError, AttributeError, StopIteration)


@dataclass
class Trial:
    """A task on a page. `is_done` and `is_settled` look at the page's own words."""

    name: str
    path: str
    query: dict
    steps: Callable
    is_done: Callable
    is_settled: Callable | None = None


@dataclass
class Tried:
    """How one attempt went: `verdict`, milliseconds of the steps, and why it went no further."""

    verdict: str
    ms: int
    why: str = ""
    moves: tuple = ()


def play(trial, web, browser, service):
    """By both hands; without a service by the reference alone. The row of the table."""
    reference = attempt(trial, web, PlaywrightHands(browser))
    row = {"task": trial.name, "reference": reference.verdict, "ms_reference": reference.ms}
    if service is None:
        return {**row, "right": reference.verdict == "solved", "why": reference.why}
    if not service.is_running():
        service.start()
    tried = attempt(trial, web, RestHands(service.client, f"judge-{uuid.uuid4().hex[:8]}"))
    verdict = tried.verdict
    if verdict == "unrewarded":
        # Every step was said to be done. Where the reference has not got there either, the steps are
        # wrong; where it was told other words, the page was read or listed otherwise.
        verdict = "misled" if tried.moves == reference.moves else "strayed"
        verdict = verdict if reference.verdict == "solved" else "unsolved"
    return {
        **row,
        "service": verdict,
        "ms": tried.ms,
        "why": tried.why or (f"reference: {reference.why}" if reference.verdict != "solved" else ""),
        "right": verdict == "solved" or (reference.verdict != "solved" and verdict != "crash"),
    }


def attempt(trial, web, hands):
    """One try by one pair of hands."""
    run = uuid.uuid4().hex
    ending, began = None, time.monotonic()
    try:
        hands.open(web.url(trial.path, run, **trial.query))
        if not web.wait(run, lambda _: True, STARTED_S):
            raise Crash("the page said nothing")
        began = time.monotonic()
        trial.steps(hands)
    except (Ending, *DEFECTS) as problem:
        ending = problem
    ms = round((time.monotonic() - began) * 1000)
    settled = trial.is_settled or trial.is_done
    web.wait(run, lambda word: holds(settled, word), GIVEN_UP_S if ending else DONE_S)
    word = web.truth(run)
    try:
        hands.close()
    except Ending as problem:
        ending = ending or problem
    web.forget(run)
    if word and holds(trial.is_done, word) and ending is None:
        return Tried("solved", ms, moves=words_of(hands.moves))
    moves = words_of(hands.moves)
    told = f"moves {hands.moves[-4:]}; the page says {word}"
    if ending is None:
        return Tried("unrewarded", ms, told, moves)
    return Tried(type(ending).__name__.lower(), ms, f"{ending}; {told}", moves)


def words_of(moves):
    """The verbs and the words that were typed, pressed or chosen: names of targets may be told otherwise."""
    return tuple((verb, rest[:1] if verb in ("type", "press", "select") else ()) for verb, *rest in moves)


def holds(fact, word):
    """Whether a fact is so; a word that lacks what it asks for says no."""
    try:
        return bool(fact(word))
    except DEFECTS:
        return False


def verdict_of(rows):
    """The bar, and the words for it: all that the reference solves, none misled, no crash."""
    solvable = [row for row in rows if row["reference"] == "solved"]
    solved = sum(row["service"] == "solved" for row in solvable)
    misled = sum(row["service"] == "misled" for row in rows)
    crashed = sum(row["service"] == "crash" for row in rows)
    words = (
        f"{solved} of the {len(solvable)} that Playwright solves ({len(rows)} played), misled {misled}, crash {crashed}"
    )
    return bool(solvable) and solved == len(solvable) and misled == crashed == 0, words
