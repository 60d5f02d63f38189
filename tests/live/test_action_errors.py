"""How actions fail: each mistake a kind of its own, a sentence, and what a corrector needs."""

import time

import pytest

from support.api import new_room
from support.web import closed_port, self_signed_web

TIMEOUT_OVERRUN_S = 2


@pytest.fixture(scope="module")
def room(lone_ghostcast):
    """One session for all of this module: it must survive every failure."""
    with lone_ghostcast.api.session(new_room("errors")) as name:
        yield name


@pytest.mark.parametrize(
    ("kind", "action_type", "params"),
    [
        ("unknown_action", "bogus", {}),
        ("unknown_action", "", {}),
        ("missing_parameter", "click", {}),
        ("missing_parameter", "click", {"x": 5}),
        ("missing_parameter", "navigate", {}),
        ("missing_parameter", "type", {"index": 0}),
        ("missing_parameter", "scroll", {}),
        ("missing_parameter", "wait", {"seconds": None}),
        ("invalid_parameter", "click", {"index": "five"}),
        ("invalid_parameter", "click", {"index": -1}),
        ("invalid_parameter", "click", {"index": 1, "x": 1, "y": 1}),
        ("invalid_parameter", "click", {"x": 1, "y": 1, "button": "fourth"}),
        ("invalid_parameter", "navigate", {"url": 7}),
        ("invalid_parameter", "navigate", {"url": "http://x.test", "timeout_ms": 0}),
        ("invalid_parameter", "scroll", {"direction": "sideways"}),
        ("invalid_parameter", "wait", {"seconds": "long"}),
        ("invalid_parameter", "go_back", {"steps": 2}),
        ("element_not_found", "click", {"index": 9999}),
        ("element_not_found", "type", {"text": "x", "index": 9999}),
        ("invalid_parameter", "navigate", {"url": "hello world"}),
        ("dns_failed", "navigate", {"url": "http://nonexistent.invalid/"}),
        ("blocked", "navigate", {"url": "file:///etc/passwd"}),
        ("blocked", "navigate", {"url": "chrome://version/"}),
        ("blocked", "navigate", {"url": "view-source:http://127.0.0.1/"}),
        ("blocked", "navigate", {"url": "http://169.254.169.254/latest/meta-data/"}),
    ],
)
def test_failures_have_a_kind(lone_api, room, kind, action_type, params):
    """Each mistake its own kind, a sentence, and the attempted action in the context."""
    result = lone_api.fail(room, action_type, kind, **params)
    attempted = {"action_type": action_type, "params": params}
    assert result["context"]["action"] == attempted, result["context"]
    assert lone_api.do(room, "wait", seconds=0)


def test_connection_failures(lone_api, room, open_page):
    """Nobody listens, or nobody trusts the certificate; the session lives on."""
    with closed_port() as port:
        lone_api.fail(room, "navigate", "connection_failed", url=f"http://127.0.0.1:{port}/")
    untrusted = self_signed_web()
    try:
        lone_api.fail(room, "navigate", "tls_failed", url=untrusted.url("/still"))
        assert not untrusted.requests(), "the page was fetched in spite of its certificate"
    finally:
        untrusted.close()
    open_page("/still")


@pytest.mark.alone
def test_a_server_that_never_answers(lone_api, room, web, open_page):
    """The bound that the caller named holds."""
    start = time.monotonic()
    lone_api.fail(room, "navigate", "timeout", url=web.url("/hang"), timeout_ms=800)
    assert 0.8 <= time.monotonic() - start <= 0.8 + TIMEOUT_OVERRUN_S
    open_page("/still")


def test_stale_index_brings_candidates(lone_api, room, open_page):
    """An index of the page before is refused, with what the present page offers instead."""
    open_page("/form")
    index = lone_api.index_of(room, "Press me")
    visit = open_page("/form")
    context = lone_api.fail(room, "click", "stale_element", index=index)["context"]
    assert context["url"] == visit.url and context["title"] and context["ready_state"]
    candidates = context["candidates"]
    assert candidates and all({"index", "role", "name"} <= set(c) for c in candidates)
    assert not visit.notes("click")
    again = next(c["index"] for c in candidates if c["name"] == "Press me")
    lone_api.do(room, "click", index=again)
    assert visit.wait_note("click")["target"] == "press"


def test_ready_state_of_a_slow_page(lone_api, room, web, open_page):
    """An action that gives up waiting leaves a session that can be asked."""
    open_page("/still")
    slow = web.url("/slow", seconds=3)
    lone_api.fail(room, "navigate", "timeout", url=slow, timeout_ms=500)
    assert lone_api.context(room)["ready_state"] in ("loading", "interactive", "complete")
    open_page("/still")


def test_no_history_on_a_fresh_session(lone_api):
    """There is nothing before the first page."""
    with lone_api.session() as fresh:
        lone_api.fail(fresh, "go_back", "no_history")
        lone_api.fail(fresh, "go_forward", "no_history")
